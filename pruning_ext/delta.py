"""A fine-tuned model on disk as what differs from its base.

The directory holds ``delta_config.json`` (what it is, and a sha256 of every base tensor it builds on),
``delta_model.safetensors`` (per tensor the values that differ and where they go, see
:mod:`pruning_ext.encoding`), and a ``README.md`` card. After KEN only the kept entries differ, so the delta
*is* the subnetwork; a kept entry that equals its pretrained value takes no space, because the base holds it
already.
"""

from __future__ import annotations

import copy
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor, nn

from pruning_ext import __version__
from pruning_ext.delta_base import check_sources, find_sources, tensor_sha256
from pruning_ext.delta_card import write_card
from pruning_ext.delta_file import CONFIG_NAME, FORMAT, FORMAT_VERSION, WEIGHTS_NAME, DeltaFile, checksum
from pruning_ext.encoding import WHOLE, decode, encode
from pruning_ext.files import atomic_directory, file_sha256, write_json
from pruning_ext.huggingface import build_model, describe_model, same_config, set_generation_config
from pruning_ext.progress import progress
from pruning_ext.pruners.config import PruneConfig
from pruning_ext.pruners.pairing import Pair, named_state, pair_tensors


def save_delta(
    model: nn.Module,
    base: nn.Module,
    directory: str | Path,
    *,
    config: PruneConfig | None = None,
    overwrite: bool = False,
    files: Iterable[Path] = (),
    show_progress: bool = False,
) -> Path:
    """Write what ``model`` has and ``base`` has not, so that :func:`load_delta` restores it bit for bit.

    Works on any pair of models that belong together, pruned or not. Each tensor takes the smallest of:
    nothing (it equals the base), a bitmask and values, uint16 columns and values, or the whole tensor; tied
    tensors are written once.

    Args:
        model: the pruned model.
        base: the model it builds on, of the same class or its backbone, in the same dtype.
        directory: created in one step; nothing is left of it if writing fails.
        config: how the model was pruned, for the record; by default what :func:`pruning_ext.prune` left on
            it.
        overwrite: replace ``directory`` if it exists and is not empty.
        files: further files to copy into it, such as a tokenizer.
        show_progress: draw a progress bar on stderr.

    Returns:
        ``directory`` as a path.

    Raises:
        ValueError: models that do not belong together, differ in dtype or device, or lie on the meta device.
        FileExistsError: ``directory`` exists, is not empty, and ``overwrite`` is false.
    """
    config = config or getattr(model, "pruning_config", None)
    with atomic_directory(directory, overwrite=overwrite) as temporary:
        pairs = pair_tensors(model, base, "base")
        weights: dict[str, Tensor] = {}
        tensors: dict[str, dict[str, Any]] = {}
        for pair in progress(pairs, "write", show_progress):
            tensors[pair.name], parts = _encode_pair(pair)
            weights |= {pair.name + suffix: part for suffix, part in parts.items()}
        safetensors.torch.save_file(weights, temporary / WEIGHTS_NAME, metadata={"format": "pt"})
        document = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "library_version": __version__,
            "method": config.method if config else None,
            "config": config.to_dict() if config else None,
            **describe_model(model, base),
            "weights_sha256": file_sha256(temporary / WEIGHTS_NAME),
            "tensors": tensors,
        }
        document["checksum"] = checksum(document)
        write_json(temporary / CONFIG_NAME, document)
        write_card(temporary, document, sum(p.nbytes for p in model.parameters()))
        for file in files:
            shutil.copyfile(file, temporary / file.name)
    return Path(directory)


def load_delta(
    base: nn.Module, directory: str | Path, *, inplace: bool = False, show_progress: bool = False
) -> nn.Module:
    """The model that :func:`save_delta` wrote, rebuilt on ``base``, bit for bit.

    Everything is checked before anything is built: the files against their sha256, each base tensor against
    the sha256 it had, each encoding against its tensor.

    Args:
        base: the model the delta was made from (or one with the same tensors); it may lack a head that the
            result has, the result's class and configuration are stored in the delta.
        directory: a directory written by :func:`save_delta`.
        inplace: build the result in the memory of ``base``, which must not be used afterwards. Without it
            ``base`` stays as it is and the result is a second model.
        show_progress: draw a progress bar on stderr.

    Raises:
        FileNotFoundError: not a delta directory. ValueError: another base, a base tensor that is missing,
            files that are truncated or altered, a version this library does not read. ``base`` is then
            unchanged, also with ``inplace``.
    """
    with DeltaFile(directory) as delta:
        state = named_state(base, "base")
        tensors = {other: tensor for name, (tied, tensor) in state.items() for other in (name, *tied)}
        sources = find_sources(delta, tensors, base)
        check_sources(delta, sources, show_progress)
        for name in delta.tensors:
            delta.check(name)
        if _is_same_shape_of_model(delta, base, state):
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


def _encode_pair(pair: Pair) -> tuple[dict[str, Any], dict[str, Tensor]]:
    encoded = encode(pair.tensor, pair.base)
    needs_base = pair.base is not None and encoded.encoding != WHOLE
    entry = {
        "shape": list(pair.tensor.shape),
        "dtype": str(pair.tensor.dtype).removeprefix("torch."),
        "encoding": encoded.encoding,
        "changed": encoded.changed,
        "parts": sorted(encoded.parts),
        "tied": list(pair.tied),
        "base": pair.base_name if needs_base else None,
        "base_sha256": tensor_sha256(pair.base) if needs_base and pair.base is not None else None,
    }
    return entry, dict(encoded.parts)


def _is_same_shape_of_model(
    delta: DeltaFile, base: nn.Module, state: dict[str, tuple[tuple[str, ...], Tensor]]
) -> bool:
    ours = {name: (entry.tied, tuple(entry.shape), entry.dtype) for name, entry in delta.tensors.items()}
    theirs = {name: (tied, tuple(tensor.shape), tensor.dtype) for name, (tied, tensor) in state.items()}
    return (
        type(base).__name__ == delta.document["architecture"]
        and ours == theirs
        and same_config(base, delta.document["model_config"])
    )
