"""Recognition of the base that a delta was made from, by its tensors, never by its name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from pruning_ext._progress import progress
from pruning_ext.delta.file import DeltaFile
from pruning_ext.models.pairing import Pair, base_prefixes, find_counterpart, named_state
from pruning_ext.storage.tensor_file import tensor_bytes
from pruning_ext.storage.threads import in_threads

State = dict[str, tuple[tuple[str, ...], Tensor]]
"""Names and tensors of a model, as :func:`~pruning_ext.models.pairing.named_state` has them."""


def tensor_sha256(tensor: Tensor) -> str:
    """Hexadecimal sha256 of a tensor's bytes in storage order (rows first)."""
    return hashlib.sha256(tensor_bytes(tensor).data).hexdigest()


def base_sha256(pair: Pair) -> str | None:
    """:func:`tensor_sha256` of a tensor's counterpart, if it has one."""
    return None if pair.base is None else tensor_sha256(pair.base)


def checked_sources(
    delta: DeltaFile, base: nn.Module, show_progress: bool = False
) -> tuple[State, dict[str, Tensor | None]]:
    """The tensors of ``base``, and by the name of each of the delta's the one it builds on, if any.

    Everything is checked before anything is built: each base tensor against the sha256 that it had, each
    encoding against its tensor.

    Raises:
        ValueError: another base, or a tensor of the delta that cannot be decoded.
    """
    state = named_state(base, "base")
    tensors = {other: tensor for name, (tied, tensor) in state.items() for other in (name, *tied)}
    sources = find_sources(delta, tensors, base)
    check_sources(delta, sources, show_progress)
    for name in delta.tensors:
        delta.check(name)
    return state, sources


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
        counterpart = find_counterpart((entry.base, name, *entry.tied), entry.shape, tensors, prefixes)
        if counterpart is None:
            absent.append(f"{entry.base} of shape {list(entry.shape)}")
        else:
            sources[name] = tensors[counterpart]
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
    checked = progress(zip(needed, digests, strict=True), "verify", show_progress, total=len(needed))
    different = [str(entry.base) for (entry, _), digest in checked if digest != entry.base_sha256]
    if different:
        why = f"the sha256 of {listed(different)} differs"
        raise ValueError(not_the_base(delta.directory, delta.document, why))


def not_the_base(directory: str | Path, document: dict[str, Any], why: str) -> str:
    """The sentence for a base that is not the one of the delta in ``directory``."""
    origin = document["base_model_name_or_path"]
    named = f" (that was {origin})" if origin else ""
    return f"base is not the one that the delta in {directory} was made from{named}: {why}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
