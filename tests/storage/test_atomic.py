"""Directories and files appear whole or not at all, and nothing is replaced that is not ours to delete."""

import errno
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pruning_ext.storage.atomic import atomic_directory, atomic_file


def write(path, *names, overwrite=False):
    with atomic_directory(path, overwrite=overwrite) as temporary:
        for name in names:
            (temporary / name).write_text("new")


def names(path):
    return sorted(entry.name for entry in path.iterdir())


def test_a_link_to_a_directory_stays_and_its_target_is_filled(tmp_path):
    target = tmp_path / "elsewhere" / "real"
    target.mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(target)
    write(link, "config.json", "README.md")
    write(link, "config.json", "vocab.txt", overwrite=True)
    assert link.is_symlink()
    assert names(target) == ["config.json", "vocab.txt"]
    assert (names(tmp_path), names(target.parent)) == (["elsewhere", "link"], ["real"])


def test_a_link_to_nothing_is_filled_where_it_points(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "later")
    write(tmp_path / "link", "config.json")
    assert names(tmp_path / "later") == ["config.json"]


def test_a_link_to_a_file_stays(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_file(tmp_path / "link") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


@pytest.mark.parametrize("kept", ["config.json", "delta_config.json"])
def test_what_looks_like_a_model_or_a_delta_is_overwritten(tmp_path, kept):
    (tmp_path / "out").mkdir()
    for name in (kept, "vocab.txt", "model-00001-of-00002.safetensors", "README.md"):
        (tmp_path / "out" / name).touch()
    write(tmp_path / "out", "new", overwrite=True)
    assert names(tmp_path / "out") == ["new"]


def test_what_looks_like_no_model_and_no_delta_is_not_overwritten(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "texts.txt").write_text("mine")
    with pytest.raises(
        FileExistsError, match=r"holds no config\.json or delta_config\.json, so it is no model"
    ):
        write(out, "new", overwrite=True)
    (out / "config.json").touch()
    with pytest.raises(FileExistsError, match=r"holds texts\.txt, which is no file of a model and which"):
        write(out, "new", overwrite=True)
    (out / "model").mkdir()
    with pytest.raises(FileExistsError, match="holds the directory model, which overwriting would delete"):
        write(out, "new", overwrite=True)
    with pytest.raises(FileExistsError, match="is not a directory"):
        write(out / "texts.txt", "new", overwrite=True)
    assert (out / "texts.txt").read_text() == "mine"
    assert names(tmp_path) == ["out"]


def test_the_current_directory_can_be_left_out_of_the_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("out", "config.json")
    write(os.path.join(".", "out", "..", "out"), "README.md", overwrite=True)
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("kind", ["directory", "file"])
def test_what_came_meanwhile_is_not_deleted_and_the_work_is_kept(tmp_path, overwrite, kind):
    out = tmp_path / "out"
    said = (
        "is not a directory" if kind == "file" else r"holds no config\.json" if overwrite else "is not empty"
    )

    def work():
        with atomic_directory(out, overwrite=overwrite) as temporary:
            (temporary / "config.json").write_text("hours of work")
            if kind == "file":
                out.write_text("mine")
            else:
                out.mkdir()
                (out / "thesis.txt").write_text("mine")

    with pytest.raises(
        FileExistsError, match=rf"{said}.*; it was not so at the start, and the result is in "
    ) as caught:
        work()
    kept = Path(str(caught.value).rpartition(" ")[2])
    assert (kept / "config.json").read_text() == "hours of work"
    assert (out if kind == "file" else out / "thesis.txt").read_text() == "mine"
    assert names(tmp_path) == sorted(["out", kept.name])


def test_of_several_at_once_one_has_the_name_and_none_is_lost(tmp_path):
    together = threading.Barrier(4)

    def make(content):
        try:
            with atomic_directory(tmp_path / "out") as temporary:
                (temporary / "config.json").write_text(content)
                together.wait()
        except FileExistsError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(4) as pool:
        errors = list(pool.map(make, "abcd"))
    assert sum(error is None for error in errors) == 1
    assert sorted((path / "config.json").read_text() for path in tmp_path.iterdir()) == list("abcd")


def test_a_directory_made_meanwhile_and_empty_is_filled(tmp_path):
    with atomic_directory(tmp_path / "out") as temporary:
        (temporary / "config.json").touch()
        (tmp_path / "out").mkdir()
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["config.json"]


def test_where_directories_cannot_be_moved_both_are_kept(tmp_path, monkeypatch):
    """As those of a container image's lower layers."""
    write(tmp_path / "out", "config.json")
    rename = os.rename

    def refuse(source, target):
        if str(target).endswith(".old"):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(source), None, str(target))
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(
        OSError, match=r"cannot be replaced \(Invalid cross-device link\); the result is in"
    ) as caught:
        write(tmp_path / "out", "delta_config.json", overwrite=True)
    kept = Path(str(caught.value).rpartition(" ")[2])
    assert (names(tmp_path / "out"), names(kept)) == (["config.json"], ["delta_config.json"])
    assert names(tmp_path) == sorted(["out", kept.name])


def test_a_mount_point_is_refused_at_once(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "out")
    with pytest.raises(FileExistsError, match="is a mount point, which nothing can replace"):
        write(tmp_path / "out", "config.json")
    assert names(tmp_path) == ["out"]


KILLED = """
import os, signal, sys
from pruning_ext.storage.atomic import atomic_directory
with atomic_directory(sys.argv[1]) as temporary:
    (temporary / "config.json").write_text("half")
    print(temporary, flush=True)
    os.kill(os.getpid(), signal.SIGKILL) if sys.argv[2] == "killed" else sys.stdin.read()
"""


def test_what_killed_processes_left_is_removed_and_what_living_ones_hold_is_not(tmp_path, monkeypatch):
    def start(how):
        command = [sys.executable, "-c", KILLED, str(tmp_path / "out"), how]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return process, Path(process.stdout.readline().strip())

    living, held = start("living")
    killed, left = start("killed")
    killed.wait()
    young = tmp_path / f"{left.name[:-16]}{'0' * 12}.tmp"  # of another that has not locked it yet
    young.mkdir()
    others = tmp_path / ".out.ffffff000000000000.tmp"  # of another host
    others.mkdir()
    for path in (held, left, others):
        os.utime(path, (0, 0))
    try:
        write(tmp_path / "out", "config.json")
        assert set(names(tmp_path)) == {"out", held.name, young.name, others.name}
    finally:
        living.communicate("")
