"""One tensor written as its difference from another: which entries differ, bit for bit, and their values.

Four encodings, and the smallest is taken (``n`` = row length, ``c`` = entries that differ):

- ``same``: nothing differs, nothing is stored.
- ``bitmask``: one bit per entry in storage order, lowest bit first, and ``c`` values:
  ``ceil(numel / 8)`` bytes + values.
- ``columns``: one uint16 column per value, rows in order, and an int32 count per row unless all rows have
  the same count: ``2 c (+ 4 rows)`` bytes + values. Only where ``n <= 65536``.
- ``whole``: all values, where that is smaller, or where there is nothing to differ from.

Entries are compared as bit patterns, so NaN payloads and -0.0 survive; an entry that equals its counterpart
needs no place, whether it was kept or reset. Rows are worked on some at a time, which stay in the cache, and
on several threads.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from pruning_ext.storage.threads import in_threads

BITMASK, COLUMNS, WHOLE, SAME = "bitmask", "columns", "whole", "same"
_CHUNK = 1 << 20  # entries
_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True)
class Encoded:
    """One tensor as written: encoding, number of entries that differ, parts by suffix (``""`` = whole)."""

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
    return compare(_bits(tensor), _bits(base), rows, n)


def is_uniform(counts: np.ndarray) -> bool:
    """Whether all rows have the same count."""
    return bool((counts == counts[:1]).all())


def encode(tensor: Tensor, base: Tensor | None) -> Encoded:
    """Write ``tensor`` as its difference from ``base`` (same shape and dtype), or whole if there is none."""
    if base is None:
        return Encoded(WHOLE, tensor.numel(), {"": tensor.detach().cpu().contiguous()})
    bits, (rows, n) = _bits(tensor), row_shape(tensor.shape)
    packed = np.empty(-(-rows * n // 8), np.uint8)  # a bit for each entry, so that none is compared twice
    counts = compare(bits, _bits(base), rows, n, packed)
    changed = int(counts.sum())
    uniform = is_uniform(counts)
    sizes = encoded_bytes(tensor.shape, tensor.element_size(), changed, uniform)
    encoding = min(sizes, key=sizes.__getitem__)
    if encoding == SAME:
        return Encoded(SAME, 0, {})
    if encoding == WHOLE:
        return Encoded(WHOLE, changed, {"": tensor.detach().cpu().contiguous()})
    values = np.empty(changed, bits.dtype)
    columns = np.empty(changed if encoding == COLUMNS else 0, np.uint16)
    first = np.concatenate([[0], counts.cumsum()])  # of each row among the values

    def write(part: slice) -> None:
        places = np.flatnonzero(_unpacked(packed, part, n))  # no branch for each entry, as bools would have
        own = slice(first[part.start], first[part.stop])
        bits[part.start * n : part.stop * n].take(places, out=values[own], mode="clip")
        if encoding == COLUMNS:
            columns[own] = places % n

    list(in_threads(write, _row_parts(rows, n)))
    parts = {".values": torch.from_numpy(values).view(tensor.dtype)}
    if encoding == BITMASK:
        parts[".bitmask"] = torch.from_numpy(packed)
    else:
        parts[".columns"] = torch.from_numpy(columns)
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
    bits, values = _bits(result), _bits(parts[".values"])  # `bits` shares the memory of `result`
    rows, n = row_shape(base.shape)
    places = _places(encoding, parts, rows, n)

    def write(place: _Places) -> None:
        bits[place.rows.start * n : place.rows.stop * n][place.entries()] = values[place.values]

    list(in_threads(write, places))
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
        places = _places(encoding, parts, *row_shape(shape))
        deque(in_threads(_check_entries, places), maxlen=0)
        count = places[-1].values.stop
        if count != values.numel():
            raise ValueError(f"{values.numel()} values for {count} places")


def _check_entries(place: _Places) -> None:
    place.entries()  # raises where they cannot be; returned, those of a few places would fill the memory


@dataclass(frozen=True)
class _Places:
    """The places of the values of some rows.

    Attributes:
        rows: the rows.
        values: which of all values are theirs.
        entries: the rows' entries that take them; raises ``ValueError`` where what is stored cannot be so.
    """

    rows: slice
    values: slice
    entries: Callable[[], np.ndarray]


def _places(encoding: str, parts: Mapping[str, Tensor], rows: int, n: int) -> list[_Places]:
    if encoding == BITMASK:
        return _bitmask_places(parts[".bitmask"].numpy(), rows, n)
    counts = parts[".counts"].numpy() if ".counts" in parts else None
    return _column_places(parts[".columns"].numpy(), counts, rows, n)


def _bitmask_places(packed: np.ndarray, rows: int, n: int) -> list[_Places]:
    if packed.dtype != np.uint8 or packed.size != -(-rows * n // 8):
        raise ValueError(f"the bitmask has {packed.size} bytes of {packed.dtype} for {rows * n} entries")

    def entries(part: slice) -> np.ndarray:
        return np.flatnonzero(_unpacked(packed, part, n))

    chunks = _row_parts(rows, n)
    counts = list(in_threads(lambda part: int(np.count_nonzero(_unpacked(packed, part, n))), chunks))
    stops = list(itertools.accumulate(counts))
    return [
        _Places(part, slice(stop - count, stop), partial(entries, part))
        for part, count, stop in zip(chunks, counts, stops, strict=True)
    ]


def _column_places(columns: np.ndarray, counts: np.ndarray | None, rows: int, n: int) -> list[_Places]:
    counts = np.full(rows, columns.size // max(rows, 1)) if counts is None else counts.astype(np.int64)
    if counts.shape != (rows,) or (counts < 0).any() or counts.sum() != columns.size:
        raise ValueError(f"the counts do not share {columns.size} columns among {rows} rows")
    first = np.concatenate([[0], counts.cumsum()])

    def entries(part: slice) -> np.ndarray:
        own = columns[first[part.start] : first[part.stop]].astype(np.int64)
        found = np.repeat(np.arange(part.stop - part.start) * n, counts[part]) + own
        if (own >= n).any() or (np.diff(found) <= 0).any():
            raise ValueError(f"the columns do not ascend within rows of {n} entries")
        return found

    return [
        _Places(part, slice(int(first[part.start]), int(first[part.stop])), partial(entries, part))
        for part in _row_parts(rows, n)
    ]


def _row_parts(rows: int, n: int) -> list[slice]:
    """Some rows each; the entries before any of them fill whole bytes of a bitmask."""
    step = 8 * max(1, _CHUNK // (8 * max(n, 1)))
    return [slice(start, min(start + step, rows)) for start in range(0, max(rows, 1), step)]


def compare(
    bits: np.ndarray, base_bits: np.ndarray, rows: int, n: int, packed: np.ndarray | None = None
) -> np.ndarray:
    """Entries of each of ``rows`` that differ, int64.

    Args:
        bits: bit patterns, flat, ``rows * n`` of them.
        base_bits: those of the base.
        rows: number of rows.
        n: entries in a row.
        packed: takes a bit for each entry, 1 where it differs, lowest first, uint8 ``ceil(rows * n / 8)``.
    """

    def count(part: slice) -> np.ndarray:
        entries = slice(part.start * n, part.stop * n)
        differs = bits[entries] != base_bits[entries]
        if packed is not None:
            packed[entries.start // 8 : -(-entries.stop // 8)] = np.packbits(differs, bitorder="little")
        return np.asarray(np.count_nonzero(differs.reshape(part.stop - part.start, n), axis=1), np.int64)

    return np.concatenate(list(in_threads(count, _row_parts(rows, n))))


def _unpacked(packed: np.ndarray, part: slice, n: int) -> np.ndarray:
    """Bools of the entries in some rows, of which a multiple of 8 come before."""
    start, stop = part.start * n, part.stop * n
    unpacked = np.unpackbits(packed[start // 8 : -(-stop // 8)], count=stop - start, bitorder="little")
    return unpacked.view(bool)


def _integers(tensor: Tensor) -> Tensor:
    if tensor.element_size() not in _INTEGERS:
        raise ValueError(f"a tensor of {tensor.dtype} cannot be stored")
    return tensor.detach().contiguous().view(-1).view(_INTEGERS[tensor.element_size()])


def _bits(tensor: Tensor) -> np.ndarray:
    return np.asarray(_integers(tensor.cpu()).numpy())
