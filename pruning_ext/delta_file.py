"""Reading a delta directory: nothing of it is used before all of it has been checked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import safetensors
import torch
from torch import Tensor

from pruning_ext.encoding import check_parts
from pruning_ext.files import file_sha256, read_json

CONFIG_NAME = "delta_config.json"
WEIGHTS_NAME = "delta_model.safetensors"
FORMAT = "pruning_ext delta"
FORMAT_VERSION = 1


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
        path = self.directory / WEIGHTS_NAME
        if not path.is_file():
            raise FileNotFoundError(f"{self.directory} has no {WEIGHTS_NAME}")
        if file_sha256(path) != self.document["weights_sha256"]:
            raise ValueError(f"{path} is truncated or altered: its sha256 is not the one in {CONFIG_NAME}")
        try:
            self._file = safetensors.safe_open(path, framework="pt")
        except safetensors.SafetensorError as error:
            raise ValueError(f"{path} is not a safetensors file: {error}") from error

    def __enter__(self) -> DeltaFile:
        self._file.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.__exit__(kind, error, trace)

    @property
    def prefixes(self) -> list[str]:
        """Prefixes, dot included, of the models the delta was made from."""
        return [f"{prefix}." for prefix in self.document["base_model_prefixes"]]

    def parts(self, name: str) -> dict[str, Tensor]:
        """What is stored for one tensor, by suffix."""
        return {suffix: self._file.get_tensor(name + suffix) for suffix in self.tensors[name].parts}

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
    return document


def _tensor(name: str, entry: dict[str, Any]) -> DeltaTensor:
    dtype = getattr(torch, str(entry.get("dtype")), None)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"tensor {name} has dtype {entry.get('dtype')!r}, which this torch does not know")
    try:
        return DeltaTensor(
            **entry
            | {
                "shape": tuple(entry["shape"]),
                "dtype": dtype,
                "parts": tuple(entry["parts"]),
                "tied": tuple(entry["tied"]),
            }
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"tensor {name} is not described completely: {error}") from error
