"""Reading and writing files so that a killed run leaves the old file or none, never half of one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from pruning_ext.storage.model_files import CONFIGURATIONS, is_model_file

# What a write meets that an open file cannot take any more; Python's error then names no file.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

# Temporary names begin with a mark of the host, since another's locks may not be seen from here.
_HOST = hashlib.sha256(os.uname().nodename.encode()).hexdigest()[:6]
_SECONDS_TO_LOCK = 60  # how long a new temporary directory may be without its lock, and more


def file_sha256(path: str | Path) -> str:
    """Hexadecimal sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def read_json(path: str | Path) -> dict[str, Any]:
    """The JSON object in ``path``; ``ValueError`` naming the file if it is not one."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise ValueError(f"{path} holds {type(document).__name__}, expected a JSON object")
    return document


def write_json(path: str | Path, document: dict[str, Any]) -> None:
    """Write ``document`` to ``path``, indented, in one atomic step."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file; ``ValueError`` naming the file if it is damaged."""
    try:
        return safetensors.torch.load_file(path)
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is not a complete safetensors file: {error}") from error


def write_tensors(path: str | Path, tensors: dict[str, Tensor]) -> None:
    """Write ``tensors`` to ``path`` as safetensors, in one atomic step."""
    with atomic_file(path) as temporary:
        safetensors.torch.save_file({name: t.contiguous() for name, t in tensors.items()}, temporary)


@contextlib.contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """The name of a sibling of ``path`` to write; it takes the place of ``path`` if the block ends well.

    Raises:
        OSError: naming ``path``, whichever library met it, a full disk say. What was there stays.
    """
    path = Path(path).resolve()
    temporary = _sibling(path, "tmp")
    with refusals_named(temporary, path):
        temporary.touch()
        mode = temporary.stat().st_mode
        try:
            yield temporary
            temporary.chmod(mode)  # as any new file: safetensors makes its own readable by nobody else
            _flush(temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_directory(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A new sibling directory to fill; it becomes ``path`` if the block ends well and is deleted if not.

    With ``overwrite`` an existing directory of a model or a delta is moved aside, replaced, and deleted only
    once the new one stands; should the process die between the renames, the old one is whole beside it as
    ``.<name>.*.old``. A link to a directory stays, and what it points to is replaced. What killed processes
    left beside ``path`` on their way to it is removed.

    Raises:
        FileExistsError: ``path`` exists and ``overwrite`` is false, it is not a directory, or it holds what
            neither a model nor a delta does. If that came about while the block ran, the new directory is
            kept, and the sentence says where.
        OSError: naming ``path`` or the file in it, whichever library met it, a full disk say. What was there
            stays, and where only the last step failed, for want of moving directories, the new one too.
    """
    path = Path(path).resolve()
    check_replaceable(path, overwrite)
    _remove_abandoned(path)
    temporary = _sibling(path, "tmp")
    with refusals_named(temporary, path), contextlib.ExitStack() as at_the_end:
        temporary.mkdir(parents=True)
        at_the_end.callback(shutil.rmtree, temporary, ignore_errors=True)
        at_the_end.enter_context(_locked(temporary))
        yield temporary
        mode = temporary.stat().st_mode & 0o666
        for file in temporary.rglob("*"):
            if file.is_file():
                file.chmod(mode)  # as any new file: safetensors makes its own readable by nobody else
                _flush(file)
        try:
            _take_place(temporary, path, overwrite)
        except OSError as error:
            kept = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}")
            os.rename(temporary, kept)
            if isinstance(error, FileExistsError) and error.errno is None:
                said = str(error).partition(": name another")[0]
                raise FileExistsError(
                    f"{said}; it was not so at the start, and the result is in {kept}"
                ) from error
            raise OSError(f"{path} cannot be replaced ({error.strerror}); the result is in {kept}") from error


@contextlib.contextmanager
def refusals_named(written: Path, path: Path) -> Iterator[None]:
    """What the operating system refuses while ``written`` is filled, as an ``OSError`` that names ``path``.

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
    """What ``error`` refuses, by its final name; ``None`` if it lies elsewhere."""
    for name in (error.filename, error.filename2):
        if isinstance(name, (str, Path)) and Path(name).is_relative_to(written):
            return path / Path(name).relative_to(written)
    return path if error.filename is None and error.errno in _NO_ROOM else None


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


def check_writable(path: Path) -> None:
    """Raise ``OSError`` unless a directory can be written at ``path``, with a name of this length."""
    probe = _sibling(path, "tmp")
    above = next(above for above in path.parents if above.exists())
    (above / probe.name).mkdir()
    (above / probe.name).rmdir()


def _take_place(new: Path, path: Path, overwrite: bool) -> None:
    """Make ``new`` stand at ``path``, whatever has happened there since it was looked at first."""
    check_replaceable(path, overwrite)
    try:
        os.rename(
            new, path
        )  # also onto an empty directory, which may have come to hold something this instant
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        if not overwrite:
            raise FileExistsError(f"{path} exists and is not empty") from error
    aside = _sibling(path, "old")
    os.rename(path, aside)
    try:
        os.rename(new, path)
    except OSError:
        os.rename(aside, path)
        raise
    shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold a lock on ``directory``, which the system lets go of when this process ends in whatever way.

    Where the file system has no locks nothing is held.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _remove_abandoned(path: Path) -> None:
    """Delete the temporary directories beside ``path`` that this host made and no living process holds."""
    name = re.compile(re.escape(f".{path.name}.{_HOST}") + r"[0-9a-f]{12}\.tmp")
    for entry in path.parent.iterdir() if path.parent.is_dir() else ():
        # another's is unlocked for the moment between its making and its locking
        if name.fullmatch(entry.name) and time.time() - entry.stat().st_mtime > _SECONDS_TO_LOCK:
            descriptor = os.open(entry, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # held, or no locks here
                continue
            else:
                shutil.rmtree(entry, ignore_errors=True)
            finally:
                os.close(descriptor)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        try:
            os.fsync(file.fileno())
        except OSError as error:  # where the system wrote later than it said, a full disk shows only here
            error.filename = str(path)
            raise


def _sibling(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}.{_HOST}{uuid.uuid4().hex[:12]}.{suffix}")
