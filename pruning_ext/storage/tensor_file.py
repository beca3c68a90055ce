"""A safetensors file written tensor by tensor, where safetensors itself wants all of a file's in memory.

The format: the length of the header as 8 bytes, little-endian; the header, JSON that says of each tensor its
dtype, shape and place; the tensors one after the other, without gaps. So all places are known beforehand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from pruning_ext.storage.refusals import refusals_named


def tensor_bytes(tensor: Tensor) -> np.ndarray:
    """The bytes of a tensor in storage order (rows first), uint8; a copy only where they do not lie so."""
    flat = tensor.detach().cpu().contiguous().view(-1)
    return np.asarray(flat.view(torch.uint8).numpy())


class TensorFile:
    """An open file of known layout that takes its tensors in any order; use it in a ``with`` block.

    Args:
        path: the file, made with its header at once.
        tensors: what will be written: only dtypes and shapes count, the meta device will do.
        metadata: of the file, as for ``safetensors.torch.save_file``.

    Raises:
        OSError: naming ``path``; also by :meth:`write`. ValueError: a dtype that safetensors does not have, a
            tensor that is not as announced, or one that has not come when the block ends well.
    """

    def __init__(self, path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
        self._path = path
        self._missing = dict(tensors)
        header, self._starts, size = _header(tensors, metadata)
        with refusals_named(path, path):
            self._file = path.open("wb")
            self._file.write(header)
            self._file.truncate(size)

    def write(self, name: str, tensor: Tensor) -> None:
        """Write the values of ``name``, once."""
        expected = self._missing.pop(name, None)
        if expected is None or (tensor.dtype, tensor.shape) != (expected.dtype, expected.shape):
            raise ValueError(
                f"{self._path.name} has no place for {name}, {tensor.dtype} {list(tensor.shape)}"
            )
        with refusals_named(self._path, self._path):
            self._file.seek(self._starts[name])
            self._file.write(tensor_bytes(tensor).data)

    def __enter__(self) -> TensorFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with refusals_named(self._path, self._path):
            self._file.close()
        if error is None and self._missing:
            raise ValueError(f"{self._path.name} got no values for {next(iter(self._missing))}")


def _header(tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> tuple[bytes, dict[str, int], int]:
    """The first bytes of the file, where in it each tensor begins, and the size of the whole."""
    # The order and the names of the dtypes are the library's: it is shown the same tensors without entries.
    empty = {name: torch.empty(0, dtype=tensor.dtype) for name, tensor in tensors.items()}
    shown = safetensors.torch.save(empty, metadata)
    entries = json.loads(shown[8 : 8 + int.from_bytes(shown[:8], "little")])
    stop = 0
    places = {}
    for name, entry in entries.items():
        if name not in tensors:  # the metadata
            continue
        entry["shape"] = list(tensors[name].shape)
        places[name], stop = stop, stop + tensors[name].nbytes
        entry["data_offsets"] = [places[name], stop]
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    start = 8 + len(text)
    return (
        len(text).to_bytes(8, "little") + text,
        {name: start + place for name, place in places.items()},
        start + stop,
    )
