"""The policy on which directories a new one may replace: those of a model or a delta, and no other."""

from __future__ import annotations

from pathlib import Path

from pruning_ext.storage.model_files import CONFIGURATIONS, is_model_file


class NotReplaceableError(FileExistsError):
    """A path whose content is not to be replaced.

    Attributes:
        reason: what stands there, as a sentence without its end.
    """

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(f"{reason}: {remedy}" if remedy else reason)
        self.reason = reason


def check_replaceable(path: Path, overwrite: bool, *, permission: str = "overwrite=True") -> None:
    """Raise :class:`NotReplaceableError` unless a new directory may take this place.

    ``overwrite`` is leave to delete a model or a delta, not whatever a mistyped path leads to: a directory
    that has other directories in it, no configuration, or a file that no model has, is not replaced.

    Args:
        path: where the new directory shall stand.
        overwrite: whether the caller may delete what stands there.
        permission: how the caller's user gives ``overwrite``, for the message.
    """
    if not path.exists():
        return
    if not path.is_dir():
        raise NotReplaceableError(f"{path} exists and is not a directory")
    if path.is_mount():
        reason = f"{path} is a mount point, which nothing can replace"
        raise NotReplaceableError(reason, "name a directory in it")
    is_directory = {entry.name: entry.is_dir() for entry in path.iterdir()}
    if not is_directory:
        return
    if not overwrite:
        reason = f"{path} exists and is not empty"
        raise NotReplaceableError(reason, f"name another directory, or pass {permission}")
    if inner := sorted(filter(is_directory.__getitem__, is_directory)):
        reason = f"{path} holds the directory {inner[0]}, which overwriting would delete"
        raise NotReplaceableError(reason, "name another")
    if not is_directory.keys() & set(CONFIGURATIONS):
        reason = f"{path} holds no {' or '.join(CONFIGURATIONS)}, so it is no model or delta to overwrite"
        raise NotReplaceableError(reason, "name another")
    if foreign := sorted(name for name in is_directory if not is_model_file(name)):
        reason = f"{path} holds {foreign[0]}, which is no file of a model and which overwriting would delete"
        raise NotReplaceableError(reason, "name another")
