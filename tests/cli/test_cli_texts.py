"""Calibration texts from files: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pruning_ext.cli.texts import read_texts


def test_texts_come_from_files_of_each_kind(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\nstill one\n\n \ntwo\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.jsonl").write_text('{"text": "three", "id": 1}\n\n"four"\n')
    (tmp_path / "ignored.bin").write_bytes(b"\xff")
    (tmp_path / "marked.txt").write_bytes(b"\xef\xbb\xbffive")
    assert read_texts(tmp_path) == ["one\nstill one", "two", "five", "three", "four"]
    assert read_texts(tmp_path / "a.txt") == ["one\nstill one", "two"]


def test_lines_of_jsonl_end_where_json_has_no_character_of_its_own(tmp_path: Path) -> None:
    """U+2028, U+2029 and U+0085 end a line for Unicode, and stand in JSON's strings as they are."""
    file = tmp_path / "a.jsonl"
    file.write_bytes('{"text": "a\u2028b\u2029c\u0085d"}\r\n"next"\n'.encode())
    assert read_texts(file) == ["a\u2028b\u2029c\u0085d", "next"]
    file.write_bytes('"a\u2028b"\n{'.encode())
    with pytest.raises(ValueError, match="line 2: not JSON"):
        read_texts(file)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.txt", b" \n\n", "holds no text"),
        ("latin.txt", b"caf\xe9", "not UTF-8"),
        ("bad.jsonl", b'{"text": "a"}\n{', "line 2: not JSON"),
        ("field.jsonl", b'{"body": "a"}', "line 1: expected a text"),
    ],
)
def test_files_without_texts_are_refused(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        read_texts(tmp_path / name)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="has no file that ends in"):
        read_texts(tmp_path / "folder")
