"""One tensor written as its difference from another: which entries differ, bit for bit, and their values.

Four encodings, and the smallest is taken (``n`` = row length, ``c`` = entries that differ):

- ``same``: nothing differs, nothing is stored.
- ``bitmask``: one bit per entry in storage order, lowest bit first, and ``c`` values:
  ``ceil(numel / 8)`` bytes + values.
- ``columns``: one uint16 column per value, rows in order, and an int32 count per row unless all rows have
  the same count: ``2 c (+ 4 rows)`` bytes + values. Only where ``n <= 65536``.
- ``whole``: all values, where that is smaller, or where there is nothing to differ from.

Entries are compared as bit patterns, so NaN payloads and -0.0 survive; an entry that equals its counterpart
needs no place, whether it was kept or reset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

BITMASK, COLUMNS, WHOLE, SAME = "bitmask", "columns", "whole", "same"
_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True)
class Encoded:
    """How one tensor was written: the encoding, entries that differ, its parts by suffix (``""`` = whole)."""

    encoding: str
    changed: int
    parts: Mapping[str, Tensor]


def row_shape(shape: torch.Size | tuple[int, ...]) -> tuple[int, int]:
    """``(rows, entries per row)``: rows lie along the first dimension; a vector or a scalar is one row."""
    if len(shape) < 2:
        return 1, int(np.prod(shape))
    return shape[0], int(np.prod(shape[1:]))


def encoded_bytes(
    shape: torch.Size | tuple[int, ...], itemsize: int, changed: int, uniform: bool
) -> dict[str, int]:
    """Bytes by encoding for ``changed`` differing entries (``uniform``: as many in each row)."""
    rows, n = row_shape(shape)
    if not changed:
        return {SAME: 0}
    sizes = {BITMASK: -(-rows * n // 8) + changed * itemsize, WHOLE: rows * n * itemsize}
    if n <= 1 << 16:
        sizes[COLUMNS] = changed * (2 + itemsize) + (0 if uniform else 4 * rows)
    return sizes


def count_changed(tensor: Tensor, base: Tensor) -> np.ndarray:
    """Entries of each row whose bit patterns differ, int64 ``[rows]``."""
    rows, n = row_shape(tensor.shape)
    if tensor.device.type != "cpu":  # count where the values are
        differs = (_integers(tensor) != _integers(base)).reshape(rows, n)
        return np.asarray(differs.sum(1).cpu().numpy())
    return _count_rows(_bits(tensor) != _bits(base), rows, n)


def is_uniform(counts: np.ndarray) -> bool:
    """Whether all rows have the same count."""
    return bool((counts == counts[:1]).all())


def encode(tensor: Tensor, base: Tensor | None) -> Encoded:
    """Write ``tensor`` as its difference from ``base`` (same shape and dtype), or whole if there is none."""
    if base is None:
        return Encoded(WHOLE, tensor.numel(), {"": tensor.detach().cpu().contiguous()})
    bits, base_bits = _bits(tensor), _bits(base)
    differs = bits != base_bits
    rows, n = row_shape(tensor.shape)
    counts = _count_rows(differs, rows, n)
    changed = int(counts.sum())
    uniform = is_uniform(counts)
    sizes = encoded_bytes(tensor.shape, tensor.element_size(), changed, uniform)
    encoding = min(sizes, key=sizes.__getitem__)
    if encoding == SAME:
        return Encoded(SAME, 0, {})
    if encoding == WHOLE:
        return Encoded(WHOLE, changed, {"": tensor.detach().cpu().contiguous()})
    parts = {".values": torch.from_numpy(bits[differs]).view(tensor.dtype)}
    if encoding == BITMASK:
        parts[".bitmask"] = torch.from_numpy(np.packbits(differs, bitorder="little"))
    else:
        parts[".columns"] = torch.from_numpy(_columns(differs.reshape(rows, n)))
        if not uniform:
            parts[".counts"] = torch.from_numpy(counts.astype(np.int32))
    return Encoded(encoding, changed, parts)


def decode(encoding: str, parts: Mapping[str, Tensor], base: Tensor | None) -> Tensor:
    """The tensor that :func:`encode` wrote, as a new one on the CPU.

    The parts must have passed :func:`check_parts`.
    """
    if encoding == WHOLE:
        return parts[""].clone()
    if base is None:
        raise ValueError(f"encoding {encoding!r} needs a base tensor, and there is none")
    result = base.detach().to("cpu", copy=True).contiguous()
    if encoding == SAME:
        return result
    bits = _bits(result)  # shares the memory of `result`
    bits[_places(encoding, parts, base.shape)] = _bits(parts[".values"])
    return result


def check_parts(encoding: str, parts: Mapping[str, Tensor], shape: torch.Size, dtype: torch.dtype) -> None:
    """Raise ``ValueError`` unless :func:`decode` can make a tensor of this shape and dtype from ``parts``."""
    expected: dict[str, list[set[str]]] = {
        SAME: [set()],
        WHOLE: [{""}],
        BITMASK: [{".values", ".bitmask"}],
        COLUMNS: [{".values", ".columns"}, {".values", ".columns", ".counts"}],
    }
    if set(parts) not in expected.get(encoding, []):
        raise ValueError(f"encoding {encoding!r} with parts {sorted(parts)}")
    if encoding == SAME:
        return
    values = parts["" if encoding == WHOLE else ".values"]
    if values.dtype != dtype or (encoding == WHOLE and values.shape != shape):
        raise ValueError(f"values are {values.dtype} {list(values.shape)}, expected {dtype} {list(shape)}")
    if encoding != WHOLE:
        places = _places(encoding, parts, shape)
        count = np.count_nonzero(places) if encoding == BITMASK else places.size
        if count != values.numel():
            raise ValueError(f"{values.numel()} values for {count} places")


def _columns(differs: np.ndarray) -> np.ndarray:
    """uint16 columns of the true entries of ``[rows, n]``, row after row; some rows at a time, for memory."""
    n = differs.shape[1]
    step = max(1, (1 << 22) // max(n, 1))
    parts = [differs[start : start + step].reshape(-1) for start in range(0, len(differs), step)]
    return np.concatenate([(np.flatnonzero(part) % n).astype(np.uint16) for part in parts])


def _places(encoding: str, parts: Mapping[str, Tensor], shape: torch.Size) -> np.ndarray:
    if encoding == BITMASK:
        return _bitmask_places(parts[".bitmask"].numpy(), row_shape(shape))
    counts = parts[".counts"].numpy() if ".counts" in parts else None
    return _column_places(parts[".columns"].numpy(), counts, row_shape(shape))


def _bitmask_places(packed: np.ndarray, row_shape: tuple[int, int]) -> np.ndarray:
    numel = row_shape[0] * row_shape[1]
    if packed.dtype != np.uint8 or packed.size != -(-numel // 8):
        raise ValueError(f"the bitmask has {packed.size} bytes of {packed.dtype} for {numel} entries")
    return np.unpackbits(packed, count=numel, bitorder="little").view(bool)


def _column_places(columns: np.ndarray, counts: np.ndarray | None, row_shape: tuple[int, int]) -> np.ndarray:
    rows, n = row_shape
    columns = columns.astype(np.int64)
    counts = np.full(rows, columns.size // max(rows, 1)) if counts is None else counts.astype(np.int64)
    if counts.shape != (rows,) or (counts < 0).any() or counts.sum() != columns.size:
        raise ValueError(f"the counts do not share {columns.size} columns among {rows} rows")
    places = np.repeat(np.arange(rows) * n, counts) + columns
    if (columns >= n).any() or (np.diff(places) <= 0).any():
        raise ValueError(f"the columns do not ascend within rows of {n} entries")
    return places


def _count_rows(differs: np.ndarray, rows: int, n: int) -> np.ndarray:
    return np.asarray(np.count_nonzero(differs.reshape(rows, n), axis=1), np.int64)


def _integers(tensor: Tensor) -> Tensor:
    if tensor.element_size() not in _INTEGERS:
        raise ValueError(f"a tensor of {tensor.dtype} cannot be stored")
    return tensor.detach().contiguous().view(-1).view(_INTEGERS[tensor.element_size()])


def _bits(tensor: Tensor) -> np.ndarray:
    return np.asarray(_integers(tensor.cpu()).numpy())
