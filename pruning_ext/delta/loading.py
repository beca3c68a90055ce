"""Rebuilding a model from its base and its delta."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path

from torch import Tensor, nn

from pruning_ext._progress import progress
from pruning_ext.delta.base import State, checked_sources
from pruning_ext.delta.building import build_model
from pruning_ext.delta.file import DeltaFile
from pruning_ext.models.huggingface import given_model, same_config, set_generation_config
from pruning_ext.storage.encoding import decode


def load_delta(
    base: nn.Module, directory: str | Path, *, inplace: bool = False, show_progress: bool = False
) -> nn.Module:
    """The model that :func:`save_delta` wrote, rebuilt on ``base``, bit for bit.

    Everything is checked before anything is built: the files against their sha256, each base tensor against
    the sha256 it had, each encoding against its tensor.

    Args:
        base: the model the delta was made from (or one with the same tensors); it may lack a head that the
            result has if that is of a class of transformers: which, and its configuration, are stored in the
            delta. The result is in its mode (``train`` or ``eval``); of the same class and configuration it
            has the same parameters frozen, a model built new has none frozen.
        directory: a directory written by :func:`save_delta`.
        inplace: build the result in the memory of ``base``, which must not be used afterwards. Without it
            ``base`` stays as it is and the result is a second model.
        show_progress: draw a progress bar on stderr.

    Raises:
        TypeError: ``base`` is not a ``torch.nn.Module``.
        FileNotFoundError: not a delta directory. ValueError: another base, a base tensor that is missing,
            files that are truncated or altered, a version this library does not read. ``base`` is then
            unchanged, also with ``inplace``.
    """
    base = given_model("base", base)
    with DeltaFile(directory) as delta:
        state, sources = checked_sources(delta, base, show_progress)
        if is_same_kind(delta, base, state):
            result = base if inplace else copy.deepcopy(base)
            _write_into(result, delta, sources, show_progress)
        else:
            values = _decoded(delta, sources, inplace, show_progress)
            result = build_model(delta.document, values, base)
        set_generation_config(result, delta.document)
        return result


def _write_into(
    model: nn.Module, delta: DeltaFile, sources: dict[str, Tensor | None], show_progress: bool
) -> None:
    state = model.state_dict()
    for name in progress(delta.tensors, "apply", show_progress):
        entry = delta.tensors[name]
        if entry.parts:
            state[name].copy_(decode(entry.encoding, delta.parts(name), sources[name]))


def _decoded(
    delta: DeltaFile, sources: dict[str, Tensor | None], reuse: bool, show_progress: bool
) -> dict[str, Tensor]:
    values: dict[str, Tensor] = {}
    users = Counter(id(source) for source in sources.values())  # an untied head has its embedding's base
    for name in progress(delta.tensors, "apply", show_progress):
        entry, source = delta.tensors[name], sources[name]
        if reuse and source is not None and users[id(source)] == 1:
            value = source
            if entry.parts:
                value.copy_(decode(entry.encoding, delta.parts(name), source))
        else:
            value = decode(entry.encoding, delta.parts(name), source)
        values |= dict.fromkeys((name, *entry.tied), value)
    return values


def is_same_kind(delta: DeltaFile, base: nn.Module, state: State) -> bool:
    """Whether the restored model differs from ``base`` in nothing but the values of its tensors."""
    ours = {name: (entry.tied, tuple(entry.shape), entry.dtype) for name, entry in delta.tensors.items()}
    theirs = {name: (tied, tuple(tensor.shape), tensor.dtype) for name, (tied, tensor) in state.items()}
    return (
        type(base).__name__ == delta.document["architecture"]
        and ours == theirs
        and same_config(base, delta.document["model_config"])
    )
