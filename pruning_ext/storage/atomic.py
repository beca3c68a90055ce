"""Files and directories that a killed run leaves as they were, or not at all, never half written."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from pruning_ext.storage.refusals import refusals_named
from pruning_ext.storage.replaceable import NotReplaceableError, check_replaceable

# Temporary names begin with a mark of the host, since another's locks may not be seen from here.
_HOST = hashlib.sha256(os.uname().nodename.encode()).hexdigest()[:6]
_SECONDS_TO_LOCK = 60  # how long a new temporary directory may be without its lock, and more


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
            if isinstance(error, NotReplaceableError):
                raise FileExistsError(
                    f"{error.reason}; it was not so at the start, and the result is in {kept}"
                ) from error
            raise OSError(f"{path} cannot be replaced ({error.strerror}); the result is in {kept}") from error


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
        # also onto an empty directory, which may have come to hold something this instant
        os.rename(new, path)
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        if not overwrite:
            raise NotReplaceableError(f"{path} exists and is not empty") from error
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
