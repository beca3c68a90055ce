"""Calibration texts from files."""

from __future__ import annotations

import json
import re
from pathlib import Path

SUFFIXES = (".txt", ".md", ".jsonl")


def read_texts(path: Path) -> list[str]:
    """The texts of a file, or of all files with a known suffix under a directory, in the order of their
    names.

    In a ``.jsonl`` file each line is a text or an object with a field ``text``; any other file is plain
    UTF-8, where empty lines part one text from the next.

    Raises:
        ValueError: no such file, no text in it, or a line that holds none.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
        if not files:
            raise ValueError(f"{path} has no file that ends in {', '.join(SUFFIXES)}")
    elif path.is_file():
        files = [path]
    else:
        raise ValueError(f"{path} does not exist")
    texts = [text for file in files for text in _texts_of(file)]
    if not texts:
        raise ValueError(f"{path} holds no text")
    return texts


def _texts_of(file: Path) -> list[str]:
    try:
        content = file.read_text(encoding="utf-8-sig")  # with a byte order mark or without
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    if file.suffix != ".jsonl":
        return [part.strip() for part in re.split(r"\n\s*\n", content) if part.strip()]
    # Not splitlines: it also cuts at U+2028, U+2029 and U+0085, which JSON has in its strings as they are.
    lines = enumerate(content.split("\n"), 1)
    return [_text_of(file, number, line) for number, line in lines if line.strip()]


def _text_of(file: Path, number: int, line: str) -> str:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}, line {number}: not JSON: {error.msg}") from error
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise ValueError(f"{file}, line {number}: expected a text, or an object with a field 'text'")
    return text
