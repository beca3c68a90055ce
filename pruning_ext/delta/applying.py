"""Restoring a pruned model from its base and its delta into files, tensor by tensor."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub import split_torch_state_dict_into_shards
from torch import Tensor, nn

from pruning_ext._progress import progress
from pruning_ext.delta.base import checked_sources
from pruning_ext.delta.building import build_model
from pruning_ext.delta.file import DeltaFile
from pruning_ext.delta.loading import is_same_kind
from pruning_ext.delta.stored_form import parts, stored_form, stored_names, stored_outline
from pruning_ext.models.huggingface import (
    given_model,
    save_configuration,
    set_generation_config,
    shallow_copy,
)
from pruning_ext.storage.atomic import atomic_directory
from pruning_ext.storage.encoding import WHOLE, decode
from pruning_ext.storage.files import write_json
from pruning_ext.storage.sidecars import MODEL_NAMES, named_sidecars, write_sidecars
from pruning_ext.storage.sizes import size_of
from pruning_ext.storage.tensor_file import TensorFile

_PATTERN = "model{suffix}.safetensors"
_INDEX_NAME = "model.safetensors.index.json"


def apply_delta(
    base: nn.Module,
    delta: str | Path,
    output: str | Path,
    *,
    overwrite: bool = False,
    files: Iterable[str | Path] = (),
    max_shard_size: int | str | None = None,
    show_progress: bool = False,
) -> Path:
    """Write the model that :func:`load_delta` rebuilds, as its ``save_pretrained`` would, without holding it.

    ``base`` is not altered. Beside it memory is needed for one tensor at a time (for a layer, where a model
    stores several tensors as one). A base that was loaded by ``from_pretrained`` from safetensors onto the
    CPU, in the dtype it is stored in, is mapped from its files, and may be larger than the memory there is.

    Args:
        base: as for :func:`load_delta`; a transformers model.
        delta: a directory written by :func:`save_delta` or :func:`prune_to_delta`.
        output: created in one step, for ``from_pretrained``; nothing is left of it if writing fails.
        overwrite: replace ``output`` if it exists and is not empty.
        files: further files to copy into it, such as a tokenizer's.
        max_shard_size: bytes, or a text such as ``5GB``, beyond which another file of weights is begun; by
            default what ``save_pretrained`` takes.
        show_progress: draw a progress bar on stderr.

    Returns:
        ``output`` as a path.

    Raises:
        TypeError: ``base`` is no transformers model. FileExistsError: ``output`` exists, is not empty, and
            ``overwrite`` is false. FileNotFoundError, TypeError, ValueError: as :func:`load_delta`; a
            ``max_shard_size`` that is none; ``files`` that are not there, or would take the place of others.
        OSError: ``output`` cannot be written, on a full disk say; what was there stays.
    """
    base = given_model("base", base)
    if not isinstance(base, transformers.PreTrainedModel):
        raise TypeError(
            f"base is a {type(base).__name__}, expected a transformers model: load_delta restores any other"
        )
    limit = _shard_limit(max_shard_size)
    sidecars = named_sidecars(files, MODEL_NAMES)
    with atomic_directory(output, overwrite=overwrite) as temporary, DeltaFile(delta) as opened:
        state, sources = checked_sources(opened, base, show_progress)
        if is_same_kind(opened, base, state):
            model = shallow_copy(base)
        else:  # what it is made of has the values of the base, or lies in the files of the delta
            stand_ins = {
                other: _value(opened, name, None) if source is None else source
                for name, source in sources.items()
                for other in (name, *opened.tensors[name].tied)
            }
            model = build_model(opened.document, stand_ins, base)
        set_generation_config(model, opened.document)
        save_configuration(model, temporary)
        _write_weights(temporary, model, opened, sources, limit, show_progress)
        write_sidecars(sidecars, None, temporary)
    return Path(output)


def _shard_limit(given: int | str | None) -> int:
    parameters = inspect.signature(transformers.PreTrainedModel.save_pretrained).parameters
    return size_of("max_shard_size", parameters["max_shard_size"].default if given is None else given)


def _write_weights(
    directory: Path,
    model: Any,
    delta: DeltaFile,
    sources: dict[str, Tensor | None],
    limit: int,
    show_progress: bool,
) -> None:
    owners = {other: name for name, entry in delta.tensors.items() for other in (name, *entry.tied)}
    names = stored_names(model, [(name, *entry.tied) for name, entry in delta.tensors.items()])
    outline = {name: _outline(delta, owners[name]) for name in names}
    stored = stored_outline(model, outline)
    split = split_torch_state_dict_into_shards(stored, filename_pattern=_PATTERN, max_shard_size=limit)
    with contextlib.ExitStack() as opened:
        files = {
            file: opened.enter_context(
                TensorFile(directory / file, {name: stored[name] for name in inside}, {"format": "pt"})
            )
            for file, inside in split.filename_to_tensors.items()
        }
        for part in progress(parts(model, outline), "apply", show_progress):
            _write_part(files, split.tensor_to_filename, model, delta, sources, {n: owners[n] for n in part})
    if split.is_sharded:
        metadata = {"total_parameters": model.num_parameters(), **split.metadata}
        weight_map = dict(sorted(split.tensor_to_filename.items()))
        write_json(directory / _INDEX_NAME, {"metadata": metadata, "weight_map": weight_map})


def _write_part(
    files: dict[str, TensorFile],
    homes: dict[str, str],
    model: Any,
    delta: DeltaFile,
    sources: dict[str, Tensor | None],
    part: dict[str, str],
) -> None:
    """Decode and write a few tensors, which are gone when this returns."""
    state = {name: _value(delta, owner, sources[owner]) for name, owner in part.items()}
    for name, tensor in stored_form(model, state).items():
        files[homes[name]].write(name, tensor)


def _outline(delta: DeltaFile, name: str) -> Tensor:
    entry = delta.tensors[name]
    return torch.empty(entry.shape, dtype=entry.dtype, device="meta")


def _value(delta: DeltaFile, name: str, source: Tensor | None) -> Tensor:
    """A restored tensor; it is mapped from a file where one has it as it is."""
    entry = delta.tensors[name]
    if entry.encoding == WHOLE:
        return delta.parts(name)[""]
    if source is not None and not entry.parts:
        return source
    return decode(entry.encoding, delta.parts(name), source)
