"""KEN: keep k entries in each row of a fine-tuned weight matrix, reset the others to their pretrained values.

Mastromattei & Zanzotto, "Less is KEN: a Universal and Simple Non-Parametric Pruning Algorithm for Large
Language Models", 2024. Which entries of a row stay is decided by :func:`pruning_ext.ops.ken_mask`; the other
criteria are its neighbours, for comparison.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from pruning_ext._progress import progress
from pruning_ext.config.ken import KENConfig
from pruning_ext.models.pairing import Pair, pair_tensors
from pruning_ext.models.targets import nothing_left, select_names
from pruning_ext.pruners.ken.apply import (
    AS_FINE_TUNED,
    NEW,
    ROWS,
    Resetting,
    check_pair,
    check_writable,
    required,
)
from pruning_ext.pruners.method import Method, register_method, warn
from pruning_ext.pruners.plan import LayerPlan, ModelSummary, Plan
from pruning_ext.storage.encoding import count_changed, encoded_bytes, is_uniform, row_shape

_DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def plan_ken(
    model: nn.Module,
    config: KENConfig,
    *,
    pretrained: nn.Module | None,
    calibration: Any,
    show_progress: bool,
) -> Plan:
    """Entries kept and bytes of the delta, tensor by tensor; both models are read once, no row is selected.

    The bytes are those that :func:`pruning_ext.delta.save_delta` writes, without its header, if every kept
    entry differs from the base (in a row where fewer than k differ: if all of those are kept). Buffers, which
    are rarely different, are not counted.
    """
    if calibration is not None:
        raise ValueError("calibration is not used by KEN, which looks at weights only")
    pairs = pair_tensors(model, required(pretrained))
    selected = _selected(pairs, config)
    _check_k(config, {pair.name: row_shape(pair.tensor.shape)[1] for pair in pairs if pair.name in selected})
    parameters = [pair for pair in pairs if pair.is_parameter]
    layers = [
        _plan_pair(pair, config, pair.name in selected)
        for pair in progress(parameters, "plan", show_progress)
    ]
    if doubt := _doubt(layers):
        warn(doubt)
    return Plan(config, ModelSummary.of(model), tuple(layers))


def _doubt(layers: list[LayerPlan]) -> str | None:
    """What to tell someone whose fine-tuning left every matrix as it was, ``None`` for everyone else."""
    if any(layer.details["changed"] for layer in layers if layer.details["action"] == ROWS):
        return None
    rest = sum(layer.details["action"] == NEW or layer.details["changed"] > 0 for layer in layers)
    if not rest:
        return (
            "model and pretrained are equal, so the delta stores nothing of use: give the model as it was "
            "before fine-tuning for pretrained"
        )
    return (
        f"no weight that KEN would prune differs between model and pretrained, so there is nothing to choose "
        f"from; the {rest} tensors that differ are kept as fine-tuned"
    )


def apply_ken(
    model: nn.Module,
    plan: Plan,
    *,
    pretrained: nn.Module | None,
    calibration: Any,
    show_progress: bool,
) -> dict[str, Any]:
    """Reset what the plan does not keep, in place; nothing is altered if that cannot be done everywhere."""
    resetting = Resetting(model, plan, required(pretrained))
    pairs = [pair for pair in resetting.pairs if resetting.prunes(pair)]
    for pair in pairs:
        check_writable(pair)
        check_pair(pair, resetting.config)
    for pair in progress(pairs, resetting.config.criterion, show_progress):
        resetting.reset(pair)
    return resetting.report()


def most_changed(config: KENConfig, pairs: list[Pair]) -> dict[str, int]:
    """By name of each tensor that ``config`` prunes, how many entries may differ from the base afterwards.

    With ``keep_ties`` nothing bounds that, so none is named.

    Raises:
        ValueError: ``targets`` and ``ignore`` do not fit the tensors.
    """
    if config.keep_ties:
        return {}
    selected = _selected(pairs, config)
    shapes = {pair.name: row_shape(pair.tensor.shape) for pair in pairs if pair.name in selected}
    return {name: rows * config.entries_kept(n) for name, (rows, n) in shapes.items()}


def _is_rows(pair: Pair) -> bool:
    tensor = pair.tensor
    return pair.is_parameter and pair.base is not None and tensor.dtype in _DTYPES and tensor.dim() >= 2


def _check_k(config: KENConfig, row_lengths: dict[str, int]) -> None:
    longest = max(row_lengths, key=row_lengths.__getitem__)
    if config.k is not None and config.k > row_lengths[longest]:
        raise ValueError(
            f"k is {config.k} and the longest row has {row_lengths[longest]} entries ({longest}): nothing "
            "would be pruned"
        )


def _selected(pairs: list[Pair], config: KENConfig) -> set[str]:
    # Any name of a tied tensor selects it, and any name of it ignores it.
    first_name = {name: pair.name for pair in pairs for name in (pair.name, *pair.tied)}
    rows = [name for pair in pairs if _is_rows(pair) for name in (pair.name, *pair.tied)]
    what = "weight matrix that KEN can prune"
    chosen = select_names(rows, config.targets, known=first_name, what=what)
    left = select_names(rows, None, config.ignore, known=first_name, what=what)
    ignored = {first_name[name] for name in set(rows).difference(left)}
    selected = {first_name[name] for name in chosen} - ignored
    if not selected:
        raise nothing_left(what)
    return selected


def _plan_pair(pair: Pair, config: KENConfig, selected: bool) -> LayerPlan:
    tensor, base = pair.tensor, pair.base
    rows, n = row_shape(tensor.shape)
    details: dict[str, Any] = {"shape": list(tensor.shape), "tied": list(pair.tied)}
    if base is None:
        kept, size, details["action"] = tensor.numel(), tensor.nbytes, NEW
    else:
        stored = count_changed(tensor, base)
        kept = tensor.numel()
        details |= {"action": AS_FINE_TUNED, "changed": int(stored.sum())}
        if selected:
            check_pair(pair, config)
            k = config.entries_kept(n)
            kept, stored = rows * k, stored.clip(max=k)
            details |= {"action": ROWS, "k": k}
        sizes = encoded_bytes(tensor.shape, tensor.element_size(), int(stored.sum()), is_uniform(stored))
        size = min(sizes.values())
    return LayerPlan(pair.name, tensor.numel(), kept, tensor.nbytes, size, details)


register_method(KENConfig, Method(plan_ken, apply_ken))
