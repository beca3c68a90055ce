"""A command that is told to end clears away what it was writing, and says with its exit code why it ended."""

import os
import signal

import pytest

from pruning_ext.cli import main
from pruning_ext.storage.atomic import atomic_directory


@pytest.fixture
def command(tmp_path, monkeypatch):
    """`pruning-ext info` that sends itself a signal in the middle of writing ``out``."""

    def make(number):
        def run(args):
            with atomic_directory(tmp_path / "out") as temporary:
                (temporary / "config.json").write_text("half")
                os.kill(os.getpid(), number)

        monkeypatch.setattr("pruning_ext.cli.info.run", run)
        return lambda: main(["info"])

    return make


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_nothing_is_left(command, number, tmp_path, capsys):
    before = signal.getsignal(number)
    assert command(number)() == 128 + number
    assert capsys.readouterr().err == f"pruning-ext: ended by {number.name}\n"
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(number) is before


def test_under_nohup_it_goes_on(command, tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert command(signal.SIGHUP)() == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (tmp_path / "out" / "config.json").read_text() == "half"
