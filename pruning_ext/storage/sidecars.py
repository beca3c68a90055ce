"""Sidecars, the files that go with a model or a delta: checked before the work, copied after it."""

from __future__ import annotations

import fnmatch
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pruning_ext.storage.model_files import MODEL_CONFIG
from pruning_ext.storage.refusals import refusals_named

MODEL_NAMES = (MODEL_CONFIG, "generation_config.json", "model*.safetensors", "model.safetensors.index.json")
"""Files that ``save_pretrained`` may write, as shell patterns."""


def named_sidecars(files: Iterable[str | Path], taken: Sequence[str]) -> dict[str, Path]:
    """Each of ``files``, the argument of that name, by its name in the directory that it is copied into.

    Args:
        files: paths of files.
        taken: shell patterns of what will stand in that directory anyway.

    Raises:
        TypeError: one path instead of several, or what is no path.
        FileNotFoundError: one is not there, or a directory.
        ValueError: two have one name, or one has a name that is taken.
    """
    if isinstance(files, (str, bytes, os.PathLike)):
        raise TypeError(f"files is the path {os.fspath(files)!r}, expected several: give [path]")
    sidecars: dict[str, Path] = {}
    for given in files:
        if not isinstance(given, (str, os.PathLike)):
            raise TypeError(f"files holds {given!r}, expected paths")
        file = Path(given)
        if not file.is_file():
            raise FileNotFoundError(f"files: there is no file {file}")
        if file.name in sidecars:
            raise ValueError(f"files: {sidecars[file.name]} and {file} have one name")
        if any(fnmatch.fnmatchcase(file.name, pattern) for pattern in taken):
            raise ValueError(f"files: {file} would take the place of the {file.name} that is written")
        sidecars[file.name] = file
    return sidecars


def check_tokenizer(tokenizer: Any) -> None:
    """Raise ``TypeError`` unless the argument ``tokenizer`` is ``None`` or can be saved."""
    if tokenizer is not None and not callable(getattr(tokenizer, "save_pretrained", None)):
        raise TypeError(f"tokenizer is a {type(tokenizer).__name__}, which has no save_pretrained")


def write_sidecars(sidecars: Mapping[str, Path], tokenizer: Any, directory: Path) -> None:
    """Save the tokenizer, if any, and copy the files of :func:`named_sidecars`.

    Raises:
        FileExistsError: a name that ``directory`` has already.
    """
    if tokenizer is not None:
        with refusals_named(directory, directory):
            tokenizer.save_pretrained(directory)
    for name, file in sidecars.items():
        if (directory / name).exists():
            raise FileExistsError(f"files: {file} would take the place of the {name} that is written")
        shutil.copyfile(file, directory / name)
