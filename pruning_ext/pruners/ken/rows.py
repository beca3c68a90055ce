"""Rows of a weight matrix: cut into parts, and checked; a seed for each."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor

# Rows in flight: small enough to stay near the cache on a CPU, large enough to fill a GPU.
_CHUNK_ENTRIES = {"cpu": 1 << 22}
_CHUNK_ENTRIES_DEVICE = 1 << 26


def row_chunks(rows: int, n: int, device: torch.device) -> Iterator[slice]:
    """Slices of whole rows that bound the memory in flight."""
    step = max(1, _CHUNK_ENTRIES.get(device.type, _CHUNK_ENTRIES_DEVICE) // max(n, 1))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def tensor_generator(seed: int, name: str) -> torch.Generator:
    """A CPU generator for one tensor, so that its random choice depends on ``seed`` and its name alone."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return torch.Generator("cpu").manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def check_finite(tensor: Tensor, name: str, role: str) -> float:
    """The largest absolute value of a tensor of rows.

    Raises:
        ValueError: a value is NaN or infinite; the sentence names the tensor, the first bad row and column.
    """
    if not tensor.numel():
        return 0.0
    low, high = (float(bound) for bound in tensor.aminmax())  # NaN propagates; one pass, no temporary
    if math.isfinite(low) and math.isfinite(high):
        return max(-low, high)
    rows = tensor.reshape(tensor.shape[0], -1)
    row, column = (~rows.isfinite()).nonzero()[0].tolist()
    raise ValueError(f"{role}: tensor {name} holds {rows[row, column].item()} in row {row}, column {column}")
