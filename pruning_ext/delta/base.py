"""Is this the base that a delta was made from? Told by its tensors, never by its name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pruning_ext.delta.file import DeltaFile
from pruning_ext.parallel import in_threads
from pruning_ext.progress import progress
from pruning_ext.pruners.pairing import base_prefixes, find_counterpart


def tensor_sha256(tensor: Tensor) -> str:
    """Hexadecimal sha256 of a tensor's bytes in storage order (rows first)."""
    flat = tensor.detach().cpu().contiguous().view(-1)
    return hashlib.sha256(flat.view(torch.uint8).numpy().data).hexdigest()


def find_sources(delta: DeltaFile, tensors: dict[str, Tensor], base: nn.Module) -> dict[str, Tensor | None]:
    """By the name of each of the delta's tensors the base tensor it builds on, ``None`` where there is none.

    Raises:
        ValueError: the base lacks tensors of these names and shapes.
    """
    prefixes = [*base_prefixes(base), *delta.prefixes]
    sources: dict[str, Tensor | None] = {}
    absent: list[str] = []
    for name, entry in delta.tensors.items():
        sources[name] = None
        if entry.base is None:
            continue
        found = find_counterpart((entry.base, name, *entry.tied), entry.shape, tensors, prefixes)
        if found is None:
            absent.append(f"{entry.base} of shape {list(entry.shape)}")
        else:
            sources[name] = tensors[found]
    if absent:
        why = f"{type(base).__name__} without {listed(absent)}"
        raise ValueError(not_the_base(delta.directory, delta.document, why))
    return sources


def check_sources(delta: DeltaFile, sources: dict[str, Tensor | None], show_progress: bool = False) -> None:
    """Compare every base tensor with the sha256 that it had when the delta was made.

    Raises:
        ValueError: another dtype, or other values, in any of them; the first are named.
    """
    needed = [
        (entry, source) for name, entry in delta.tensors.items() if (source := sources[name]) is not None
    ]
    for entry, source in needed:
        if source.dtype != entry.dtype:
            raise ValueError(
                f"base tensor {entry.base} is {source.dtype}, the delta was made for {entry.dtype}: "
                "load the base in that dtype"
            )
    digests = in_threads(lambda each: tensor_sha256(each[1]), needed)
    found = progress(zip(needed, digests, strict=True), "verify", show_progress, total=len(needed))
    different = [str(entry.base) for (entry, _), digest in found if digest != entry.base_sha256]
    if different:
        why = f"the sha256 of {listed(different)} differs"
        raise ValueError(not_the_base(delta.directory, delta.document, why))


def not_the_base(directory: str | Path, document: dict[str, Any], why: str) -> str:
    """The sentence for a base that is not the one of the delta in ``directory``."""
    origin = document["base_model_name_or_path"]
    told = f" (that was {origin})" if origin else ""
    return f"base is not the one that the delta in {directory} was made from{told}: {why}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
