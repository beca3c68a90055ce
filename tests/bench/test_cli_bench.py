"""`pruning-ext bench`: what it prints and writes, and how it ends."""

from __future__ import annotations

import json

import pytest

from pruning_ext.bench import plot
from pruning_ext.cli import main


def run(*arguments, expect=0):
    code = main(["bench", *map(str, arguments)])
    assert code == expect


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A results file of the smallest run."""
    path = tmp_path_factory.mktemp("bench") / "before.json"
    run("mi", "--smoke", "--quiet", "--json", path)
    return path


def test_help_teaches(capsys):
    run("--help")
    said = capsys.readouterr().out
    assert "--compare FILE" in said
    assert "examples:" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["svm"], "no family is called 'svm'; there are kde, ken, mi, end-to-end"),
        (["--rounds", "0"], "--rounds must be at least 1, is 0"),
        (["--threads", "0"], "--threads must be at least 1, is 0"),
        (["--threshold", "0"], "--threshold must be positive, is 0"),
        (["--scaling", "kde"], "--scaling has curves of its own"),
        (["--scaling", "--threads", "1"], "--scaling has curves of its own"),
        (["--scaling", "--device", "cpu"], "--scaling has curves of its own"),
        (["--any-machine"], "--any-machine is for --compare FILE"),
        (["--json", "pyproject.toml"], "--json pyproject.toml exists and is no results file of this command"),
        (["--plot", "pyproject.toml"], "--plot pyproject.toml is a file: name a directory"),
        (["--json", "no/such/folder/file.json"], "is in a directory that does not exist"),
        (["--json", "."], "is a directory"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(arguments, sentence, capsys):
    run(*arguments, expect=2)
    said = capsys.readouterr()
    assert said.out == ""
    assert sentence in said.err
    assert said.err.count("\n") == 1


def test_a_device_that_is_not_there_is_named(monkeypatch, capsys):
    monkeypatch.setattr("pruning_ext.bench.provider.devices_present", lambda: ("cpu",))
    run("mi", "--smoke", "--device", "cuda", expect=2)
    assert "--device cuda: none is here that this build has kernels for" in capsys.readouterr().err


def test_it_prints_tables_and_writes_results_and_figures(tmp_path, capsys):
    run("mi", "--smoke", "--json", tmp_path / "now.json", "--plot", tmp_path / "figures")
    said = capsys.readouterr()
    assert "mi: N=40, T=300, 8 bins (per second: pair-samples)" in said.out
    assert f"wrote {tmp_path / 'now.json'}" in said.out
    assert said.err == ""
    results = json.loads((tmp_path / "now.json").read_text())
    assert results["family"] == "mi"
    assert (tmp_path / "figures" / "mi.svg").read_text().startswith("<?xml")


def test_the_same_data_give_the_same_figure(measured, tmp_path):
    rows = json.loads(measured.read_text())["measurements"]
    first, second = (plot.speed_figures(rows, tmp_path / name)[0] for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_without_matplotlib_a_figure_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr("pruning_ext.bench.plot.find_spec", lambda name: None)
    run("mi", "--smoke", "--plot", "figures", expect=2)
    said = capsys.readouterr().err
    assert 'figures need matplotlib: pip install "pruning_ext[bench]"' in said
    assert said.count("\n") == 1


def test_compare_finds_a_planted_regression(measured, tmp_path, capsys):
    """Times of a file a thousandfold lower or higher: noise of the machine does not decide."""
    before = json.loads(measured.read_text())
    for factor, expect in ((1e-3, 1), (1e3, 0)):
        planted = json.loads(json.dumps(before))
        for entry in planted["measurements"]:
            entry["ms_per_row"] *= factor
        path = tmp_path / "planted.json"
        path.write_text(json.dumps(planted))
        run("mi", "--smoke", "--quiet", "--compare", path, expect=expect)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == (2 if expect else 0), "one for each case of ours"
        assert all("times as long" in line and "pruning_ext" in line for line in lines)


def test_compare_refuses_another_machine(measured, tmp_path, capsys):
    other = json.loads(measured.read_text())
    other["environment"]["processor"] = "abacus"
    path = tmp_path / "other.json"
    path.write_text(json.dumps(other))
    run("mi", "--smoke", "--compare", path, expect=1)
    said = capsys.readouterr()
    assert said.out == "", "refused before the work"
    assert "was measured on another machine (processor abacus" in said.err
    assert said.err.count("\n") == 1
    run("mi", "--smoke", "--quiet", "--compare", path, "--any-machine", "--threshold", "1e6")


@pytest.mark.parametrize("time", [None, "fast", 0])
def test_compare_refuses_a_file_without_times_before_the_work(measured, tmp_path, capsys, time):
    damaged = json.loads(measured.read_text())
    damaged["measurements"][0]["ms_per_row"] = time
    path = tmp_path / "damaged.json"
    for document in (damaged, damaged | {"measurements": [3]}):
        path.write_text(json.dumps(document))
        run("mi", "--smoke", "--compare", path, expect=1)
        said = capsys.readouterr()
        assert said.out == "", "refused before the work"
        assert "is not a results file of this command with a time for each measurement" in said.err


def test_compare_with_a_file_that_is_not_there(capsys):
    run("--compare", "nowhere.json", expect=1)
    assert "nowhere.json" in capsys.readouterr().err


def test_scaling_writes_curves(tmp_path, capsys):
    run("--scaling", "--smoke", "--rounds", 1, "--json", tmp_path / "curves.json", "--plot", tmp_path)
    assert "exponent" in capsys.readouterr().out
    results = json.loads((tmp_path / "curves.json").read_text())
    assert {m["x_name"] for m in results["measurements"]} == {"n", "bins"}
    assert (tmp_path / "scaling-time.svg").exists()
    assert (tmp_path / "scaling-memory.svg").exists()
