"""Pruning by KEN straight into a delta, tensor by tensor, without the pruned model."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pruning_ext._progress import progress
from pruning_ext.config.ken import KENConfig
from pruning_ext.delta.writing import MAX_SHARD_SIZE, DeltaWriter
from pruning_ext.pruners.ken.apply import Resetting
from pruning_ext.pruners.ken.plan import paired
from pruning_ext.pruners.method import given_models, plan_for, timed
from pruning_ext.pruners.plan import Plan


@dataclass(frozen=True)
class DeltaResult:
    """The place of a delta, the bytes of its tensors, the plan that was followed, and a JSON-ready report."""

    directory: Path
    bytes: int
    plan: Plan
    report: dict[str, Any]


def prune_to_delta(
    model: nn.Module,
    config: KENConfig | Plan,
    directory: str | Path,
    *,
    pretrained: nn.Module,
    device: torch.device | str | None = None,
    overwrite: bool = False,
    tokenizer: Any = None,
    files: Iterable[str | Path] = (),
    max_shard_size: int | str = MAX_SHARD_SIZE,
    show_progress: bool = False,
) -> DeltaResult:
    """Prune by KEN and write the delta in one go, without ever holding the pruned model.

    The directory is the one that :func:`pruning_ext.prune` and :func:`pruning_ext.save_delta` make. Neither
    model is altered. Beside them memory is needed for one tensor at a time and one file of the delta; where
    both were loaded by ``from_pretrained`` from safetensors onto the CPU, in the dtype they are stored in,
    they are mapped from their files, and may be larger than the memory there is.

    Args:
        model: the fine-tuned model.
        config: what to keep, or a :class:`Plan` of this model.
        directory: created in one step; nothing is left of it if pruning or writing fails.
        pretrained: the model that ``model`` was fine-tuned from.
        device: where rows are scored, some at a time; by default where they are. The models stay there.
        overwrite: replace ``directory`` if it exists and is not empty.
        tokenizer: saved beside the delta, where the command ``pruning-ext apply`` finds it.
        files: further files to copy into it, such as a tokenizer's.
        max_shard_size: bytes, or a text such as ``5GB``, beyond which another file is begun.
        show_progress: draw a progress bar on stderr.

    Raises:
        TypeError: a configuration of another method, or a model that is not a ``torch.nn.Module``.
        ValueError, FileExistsError, FileNotFoundError: as :func:`pruning_ext.prune` and
            :func:`pruning_ext.save_delta`; a ``device`` that torch cannot use here.
    """
    started = time.perf_counter()
    kind = type(config.config if isinstance(config, Plan) else config)
    if kind is not KENConfig:
        raise TypeError(f"config is a {kind.__name__}, expected a KENConfig: only KEN keeps a model's shape")
    model, base = given_models(model, pretrained)
    writer = DeltaWriter(
        directory,
        base,
        overwrite=overwrite,
        tokenizer=tokenizer,
        files=files,
        max_shard_size=max_shard_size,
    )
    _check_device(device)
    with writer:
        pairs = paired(model, base)
        made = plan_for(model, config, pairs, show_progress=show_progress)
        resetting = Resetting(pairs, made, device=device)
        pruned = progress(resetting.pruned(), resetting.config.criterion, show_progress, total=len(pairs))
        writer.write_tensors(pairs, pruned)
        writer.finish(made.config)
    return DeltaResult(writer.path, writer.bytes, made, timed(made, resetting.report(), started))


def _check_device(device: torch.device | str | None) -> None:
    if device is None:
        return
    try:
        torch.empty(1, device=device).cpu()
    except Exception as error:  # torch has a kind of its own for each way in which a device can be missing
        reason = str(error).splitlines()[0]
        raise ValueError(f"device is {device!r}, which torch cannot use here: {reason}") from error
