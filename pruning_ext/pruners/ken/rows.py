"""Parts of the rows of a weight matrix, and a seed for each matrix."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch

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
