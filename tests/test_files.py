"""Directories and files appear whole or not at all, and nothing is replaced that is not ours to delete."""

import os

import pytest

from pruning_ext.files import atomic_directory, atomic_file


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
    write(link, "config.json", "a")
    write(link, "config.json", "b", overwrite=True)
    assert link.is_symlink()
    assert names(target) == ["b", "config.json"]
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
    for name in (kept, "old"):
        (tmp_path / "out" / name).touch()
    write(tmp_path / "out", "new", overwrite=True)
    assert names(tmp_path / "out") == ["new"]


def test_what_looks_like_anything_else_is_not(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "texts.txt").write_text("mine")
    with pytest.raises(
        FileExistsError, match=r"holds no config\.json or delta_config\.json, so it is no model"
    ):
        write(out, "new", overwrite=True)
    (out / "config.json").touch()
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
    write(os.path.join(".", "out", "..", "out"), "b", overwrite=True)
    assert names(tmp_path) == ["out"]
