"""The policy on which directories a new one may replace: those of a model or a delta, and no other."""

from __future__ import annotations

from pathlib import Path

from pruning_ext.storage.model_files import CONFIGURATIONS, is_model_file


def check_replaceable(path: Path, overwrite: bool) -> None:
    """Raise ``FileExistsError`` unless a new directory may take this place.

    ``overwrite`` is leave to delete a model or a delta, not whatever a mistyped path leads to: a directory
    that has other directories in it, no configuration, or a file that no model has, is not replaced.
    """
    if not path.exists():
        return
    if not path.is_dir():
        raise FileExistsError(f"{path} exists and is not a directory")
    if path.is_mount():
        raise FileExistsError(f"{path} is a mount point, which nothing can replace: name a directory in it")
    found = {entry.name: entry.is_dir() for entry in path.iterdir()}
    if not found:
        return
    if not overwrite:
        raise FileExistsError(
            f"{path} exists and is not empty: name another directory, or pass overwrite=True"
        )
    if inner := sorted(name for name, is_directory in found.items() if is_directory):
        raise FileExistsError(
            f"{path} holds the directory {inner[0]}, which overwriting would delete: name another"
        )
    if not found.keys() & set(CONFIGURATIONS):
        raise FileExistsError(
            f"{path} holds no {' or '.join(CONFIGURATIONS)}, so it is no model or delta to overwrite: "
            "name another"
        )
    if foreign := sorted(name for name in found if not is_model_file(name)):
        raise FileExistsError(
            f"{path} holds {foreign[0]}, which is no file of a model and which overwriting would delete: "
            "name another"
        )
