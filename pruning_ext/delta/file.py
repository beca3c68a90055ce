"""Writing of the files of a delta directory, and reading, for which all of them are checked first."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, TracebackType
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from pruning_ext.storage.encoding import check_parts
from pruning_ext.storage.files import file_sha256, read_json
from pruning_ext.storage.model_files import DELTA_CONFIG

CONFIG_NAME = DELTA_CONFIG
WEIGHTS_NAME = "delta_model.safetensors"
FORMAT = "pruning_ext delta"
FORMAT_VERSION = 1


# What a configuration has beside its format, version and checksum: the types of JSON.
_FIELDS: dict[str, tuple[type, ...]] = {
    "architecture": (str,),
    "base_architecture": (str,),
    "base_model_name_or_path": (str, NoneType),
    "base_model_prefixes": (list,),
    "dtype": (str,),
    "files": (dict,),
    "generation_config": (dict, NoneType),
    "model_config": (dict, NoneType),
    "tensors": (dict,),
}


def checksum(document: dict[str, Any]) -> str:
    """sha256 of the configuration without its ``checksum``; it guards against damage, not against malice."""
    rest = {key: value for key, value in document.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class DeltaTensor:
    """One entry of ``tensors`` in ``delta_config.json``."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    encoding: str
    changed: int
    parts: tuple[str, ...]
    tied: tuple[str, ...]
    base: str | None
    base_sha256: str | None


class ShardWriter:
    """Tensors into as few safetensors files as a limit allows; holds no more than one file's in memory.

    Attributes:
        bytes: what has been written.
    """

    def __init__(self, directory: Path, max_shard_size: int) -> None:
        if max_shard_size < 1:
            raise ValueError(f"max_shard_size is {max_shard_size}, expected a positive number of bytes")
        self.bytes = 0
        self._directory, self._limit = directory, max_shard_size
        self._waiting: dict[str, Tensor] = {}
        self._paths: list[Path] = []

    def add(self, tensors: dict[str, Tensor]) -> None:
        """Take the parts of one tensor; they stay together, even where they alone exceed the limit."""
        size = sum(tensor.nbytes for tensor in tensors.values())
        if self._waiting and size + sum(tensor.nbytes for tensor in self._waiting.values()) > self._limit:
            self._flush()
        self._waiting |= tensors

    def close(self) -> dict[str, str]:
        """Write the rest, give the files their names, and return the sha256 of each by name."""
        if self._waiting or not self._paths:
            self._flush()
        if len(self._paths) == 1:
            names = [WEIGHTS_NAME]
        else:
            stem, count = Path(WEIGHTS_NAME).stem, len(self._paths)
            names = [f"{stem}-{i:05}-of-{count:05}.safetensors" for i in range(1, count + 1)]
        self._paths = [
            path.rename(path.with_name(name)) for path, name in zip(self._paths, names, strict=True)
        ]
        return {path.name: file_sha256(path) for path in self._paths}

    def _flush(self) -> None:
        path = self._directory / f"{len(self._paths)}.tmp"
        safetensors.torch.save_file(self._waiting, path, metadata={"format": "pt"})
        self.bytes += path.stat().st_size
        self._paths.append(path)
        self._waiting = {}


class DeltaFile:
    """An open delta directory whose files agree with each other; use it in a ``with`` block.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the format or version is foreign, or a file is truncated or altered.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self.document = read_delta_config(self.directory)
        self.tensors = {name: _tensor(name, entry) for name, entry in self.document["tensors"].items()}
        with contextlib.ExitStack() as opened:
            self._home = {
                part: file
                for name, digest in self.document["files"].items()
                for file in [opened.enter_context(self._open(name, digest))]
                for part in file.keys()  # noqa: SIM118 (safe_open is no mapping)
            }
            self._opened = opened.pop_all()

    def _open(self, name: str, digest: str) -> Any:
        path = self.directory / name
        if path.parent != self.directory:
            raise ValueError(
                f"{self.directory / CONFIG_NAME} names a file {name!r} that does not lie beside it"
            )
        if not path.is_file():
            raise FileNotFoundError(f"{self.directory} has no {name}")
        if file_sha256(path) != digest:
            raise ValueError(f"{path} is truncated or altered: its sha256 is not the one in {CONFIG_NAME}")
        try:
            return safetensors.safe_open(path, framework="pt")
        except safetensors.SafetensorError as error:
            raise ValueError(f"{path} is not a safetensors file: {error}") from error

    def __enter__(self) -> DeltaFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    @property
    def prefixes(self) -> list[str]:
        """Prefixes, dot included, of the models the delta was made from."""
        return [f"{prefix}." for prefix in self.document["base_model_prefixes"]]

    def parts(self, name: str) -> dict[str, Tensor]:
        """The stored parts of one tensor, by suffix."""
        stored = {suffix: name + suffix for suffix in self.tensors[name].parts}
        if missing := sorted(set(stored.values()).difference(self._home)):
            raise ValueError(f"there is no {missing[0]}")
        return {suffix: self._home[part].get_tensor(part) for suffix, part in stored.items()}

    def check(self, name: str) -> None:
        """Raise ``ValueError`` unless the stored parts make a tensor of the promised shape and dtype."""
        entry = self.tensors[name]
        try:
            check_parts(entry.encoding, self.parts(name), torch.Size(entry.shape), entry.dtype)
        except (ValueError, safetensors.SafetensorError) as error:
            raise ValueError(f"{self.directory}: tensor {name} cannot be decoded: {error}") from error


def read_delta_config(directory: str | Path) -> dict[str, Any]:
    """The checked content of ``delta_config.json``.

    Raises:
        FileNotFoundError: there is none.
        ValueError: another format or version, or content that does not match its checksum.
    """
    path = Path(directory) / CONFIG_NAME
    if not path.is_file():
        raise FileNotFoundError(f"{directory} is not a delta: it has no {CONFIG_NAME}")
    document = read_json(path)
    if document.get("format") != FORMAT:
        raise ValueError(f"{path} holds format {document.get('format')!r}, expected {FORMAT!r}")
    if document.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {document.get('format_version')!r} and this library reads version "
            f"{FORMAT_VERSION}; it was written by pruning_ext {document.get('library_version', '(unknown)')}"
        )
    if document.get("checksum") != checksum(document):
        raise ValueError(f"{path} was altered after it was written: its checksum differs")
    for name, kinds in _FIELDS.items():
        if not isinstance(document.get(name, ...), kinds):
            held = _kind(type(document[name])) if name in document else "nothing"
            raise ValueError(f"{path} has {held} for {name}, expected {' or '.join(map(_kind, kinds))}")
    return document


def _kind(kind: type) -> str:
    names: dict[type, str] = {str: "a text", list: "a list", dict: "an object", NoneType: "null"}
    return names.get(kind, "a number")


def _tensor(name: str, entry: Any) -> DeltaTensor:
    if not isinstance(entry, dict):
        raise ValueError(f"tensor {name} is described by {entry!r}, expected an object")
    dtype = getattr(torch, str(entry.get("dtype")), None)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"tensor {name} has dtype {entry.get('dtype')!r}, which this torch does not know")
    try:
        shape, parts, tied = (tuple(entry[field]) for field in ("shape", "parts", "tied"))
        described = DeltaTensor(**{**entry, "shape": shape, "dtype": dtype, "parts": parts, "tied": tied})
    except (KeyError, TypeError) as error:
        raise ValueError(f"tensor {name} is not described completely: {error}") from error
    if not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"tensor {name} has shape {entry['shape']!r}, expected whole numbers")
    if not all(isinstance(text, str) for text in (*parts, *tied)):
        raise ValueError(f"tensor {name} has parts or ties that are no names")
    return described
