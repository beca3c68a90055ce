"""A disk that takes no more: one sentence that names what was asked for and why not, and nothing left behind.

A limit on the size of files stands for it. It is met where a full disk is, in the midst of a write.
"""

import contextlib
import errno
import os
import resource

import pytest
import safetensors
import torch

from pruning_ext import KENConfig, Plan, apply_delta, plan, prune_to_delta, save_delta
from pruning_ext.cli import main
from pruning_ext.pruners import export
from pruning_ext.storage.atomic import atomic_directory, atomic_file
from pruning_ext.storage.files import write_json, write_tensors
from pruning_ext.storage.refusals import refusals_named
from tests.tiny_models import make_pair

LIMIT = 12_000  # a configuration fits, the tensors of a tiny model do not


@contextlib.contextmanager
def small_files(size=LIMIT):
    """No file of this process grows beyond ``size`` bytes; Python itself ignores the signal."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def refused(call, size=LIMIT):
    with small_files(size), pytest.raises(OSError, match=os.strerror(errno.EFBIG)) as caught:
        call()
    assert caught.value.errno == errno.EFBIG
    return caught.value.filename


def everything_under(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def pair(tmp_path):
    model, base = make_pair("bert")
    model.save_pretrained(tmp_path / "finetuned")
    base.save_pretrained(tmp_path / "pretrained")
    save_delta(model, base, tmp_path / "delta")
    return model, base


def test_every_writer_names_the_file_and_leaves_what_was_there(tmp_path, pair):
    model, base = pair
    keep = KENConfig(density=0.5)
    made = plan(model, keep, pretrained=base)
    large = Plan(made.config, made.model, made.layers, {"chosen": torch.zeros(LIMIT)})
    out = tmp_path / "out"
    before = everything_under(tmp_path)
    for call, name in [
        (lambda: write_tensors(out, {"x": torch.zeros(LIMIT)}), out),
        (lambda: write_json(out, {"x": "y" * LIMIT}), out),
        (lambda: large.save(out), out),
        (lambda: save_delta(model, base, out), out),
        (lambda: prune_to_delta(model, keep, out, pretrained=base), out),
        (lambda: apply_delta(base, tmp_path / "delta", out), out / "model.safetensors"),
        (lambda: export(model, out), out),
    ]:
        assert refused(call) == str(name)
        assert everything_under(tmp_path) == before


def test_a_file_that_is_copied_is_named_where_it_was_to_go(tmp_path, pair):
    (tmp_path / "tokenizer.json").write_bytes(bytes(300_000))
    before = everything_under(tmp_path)
    copying = {"files": [tmp_path / "tokenizer.json"]}
    out = tmp_path / "out"
    for call in (
        lambda: save_delta(*pair, out, **copying),
        lambda: apply_delta(pair[1], tmp_path / "delta", out, **copying),
        lambda: export(pair[0], out, **copying),
    ):
        assert refused(call, 200_000) == str(out / "tokenizer.json")
        assert everything_under(tmp_path) == before


def test_a_full_disk_leaves_existing_files(tmp_path, pair):
    model, base = pair
    write_tensors(tmp_path / "tensors", {"x": torch.ones(3)})
    before = everything_under(tmp_path)
    refused(lambda: write_tensors(tmp_path / "tensors", {"x": torch.zeros(LIMIT)}))
    refused(lambda: save_delta(model, base, tmp_path / "delta", overwrite=True))
    refused(lambda: apply_delta(base, tmp_path / "delta", tmp_path / "pretrained", overwrite=True))
    assert everything_under(tmp_path) == before


@pytest.mark.parametrize(
    ("command", "file"),
    [
        ("ken {0}/finetuned {0}/pretrained --density 0.5 -o {0}/out", "out"),
        ("apply {0}/pretrained {0}/delta -o {0}/out", "out/model.safetensors"),
        ("plan ken {0}/finetuned {0}/pretrained --density 0.5 -o {0}/plan.json", "plan.json"),
    ],
)
def test_the_command_says_so_in_one_line_and_exits_with_1(tmp_path, pair, capsys, command, file):
    before = everything_under(tmp_path)
    capsys.readouterr()
    with small_files(500 if command.startswith("plan") else LIMIT):
        code = main(command.format(tmp_path).split())
    assert code == 1
    assert capsys.readouterr().err == f"pruning-ext: error: {tmp_path / file}: {os.strerror(errno.EFBIG)}\n"
    assert everything_under(tmp_path) == before


def test_errors_that_are_no_refusal_pass(tmp_path):
    """What lies elsewhere keeps its name; what is no matter of the system stays what it is."""
    for error in (
        FileNotFoundError(errno.ENOENT, "No such file", str(tmp_path / "elsewhere")),
        OSError("our own sentence"),
        OSError(errno.EIO, "Input/output error"),
        safetensors.SafetensorError("Error while deserializing header: header too large"),
        ValueError("x"),
    ):
        for context in (atomic_file, atomic_directory):
            with pytest.raises(type(error)) as caught, context(tmp_path / "out"):
                raise error
            assert caught.value is error
    assert not list(tmp_path.iterdir())


def test_a_name_in_the_directory_that_is_written_becomes_the_final_one(tmp_path):
    with pytest.raises(PermissionError) as caught, atomic_directory(tmp_path / "out") as temporary:
        raise PermissionError(errno.EACCES, "Permission denied", "elsewhere", None, str(temporary / "a.json"))
    assert caught.value.filename == str(tmp_path / "out" / "a.json")
    written = safetensors.SafetensorError("I/O error: No space left on device (os error 28)")
    with pytest.raises(OSError, match="No space left") as caught, refusals_named(tmp_path, tmp_path / "out"):
        raise written
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "out"))
