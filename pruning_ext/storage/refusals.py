"""Errors of the operating system, with the name of the file that was to be written."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

import safetensors

# What a write meets that an open file cannot take any more; Python's error then names no file.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextlib.contextmanager
def refusals_named(written: Path, path: Path) -> Iterator[None]:
    """Name ``path`` in every ``OSError`` that is raised while ``written`` is filled.

    safetensors has an error of its own for a full disk, Python's names no file when a write fails, and both
    know only the temporary name. ``written`` is a file or a directory; of a file in it the name is kept.
    Other errors pass.
    """
    try:
        yield
    except safetensors.SafetensorError as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
    except OSError as error:
        place = _place(error, written, path)
        if place is None:
            raise
        raise OSError(error.errno, error.strerror, str(place)) from error


def _place(error: OSError, written: Path, path: Path) -> Path | None:
    """The file that ``error`` is about, by its final name; ``None`` if it lies elsewhere."""
    for name in (error.filename, error.filename2):
        if isinstance(name, (str, Path)) and Path(name).is_relative_to(written):
            return path / Path(name).relative_to(written)
    return path if error.filename is None and error.errno in _NO_ROOM else None
