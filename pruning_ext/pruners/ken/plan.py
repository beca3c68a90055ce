"""Planning of KEN: keep k entries in each row of a fine-tuned matrix, reset the others to pretrained values.

Mastromattei & Zanzotto, "Less is KEN: a Universal and Simple Non-Parametric Pruning Algorithm for Large
Language Models", 2024. Which entries of a row stay is decided by :func:`pruning_ext.ops.ken_mask`; the other
criteria are its neighbours, for comparison.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from pruning_ext._progress import progress
from pruning_ext.config.ken import KENConfig
from pruning_ext.models.matrices import select_matrices
from pruning_ext.models.pairing import Pair
from pruning_ext.models.pairs import Pairs
from pruning_ext.pruners.ken.apply import apply_plan
from pruning_ext.pruners.ken.criteria import reads_base
from pruning_ext.pruners.ken.details import TensorDetails
from pruning_ext.pruners.method import Method, register_method, warn
from pruning_ext.pruners.plan import LayerPlan, ModelSummary, Plan
from pruning_ext.storage.encoding import encoded_bytes, is_uniform, row_shape


def paired(model: nn.Module, pretrained: nn.Module | None) -> Pairs:
    """The tensors of ``model`` with those of ``pretrained``, which KEN cannot do without."""
    if pretrained is None:
        raise ValueError("pretrained is missing: KEN resets weights to the values they were tuned from")
    return Pairs(model, pretrained)


def make_plan(
    model: nn.Module,
    config: KENConfig,
    *,
    pretrained: Pairs,
    calibration: Any = None,
    show_progress: bool = False,
) -> Plan:
    """Entries kept and bytes of the delta, tensor by tensor; both models are read once, no row is selected.

    The bytes are those that :func:`pruning_ext.delta.save_delta` writes, without its header, if every kept
    entry differs from the base (in a row where fewer than k differ: if all of those are kept). Buffers, which
    are rarely different, are not counted.
    """
    if calibration is not None:
        raise ValueError("calibration is not used by KEN, which looks at weights only")
    matrices = select_matrices(pretrained, config.targets, config.ignore)
    _check_k(config, {name: n for name, (_, n) in matrices.items()})
    parameters = [pair for pair in pretrained if pair.is_parameter]
    layers = [
        _plan_pair(pair, pretrained, config, pair.name in matrices)
        for pair in progress(parameters, "plan", show_progress)
    ]
    _warn_if_nothing_to_choose([TensorDetails.of(layer) for layer in layers])
    return Plan(config, ModelSummary.of(model), tuple(layers))


def _warn_if_nothing_to_choose(details: list[TensorDetails]) -> None:
    """Warn someone whose fine-tuning left every matrix as it was."""
    if any(each.changed for each in details if each.action == "rows"):
        return
    differing = sum(each.action == "new" or bool(each.changed) for each in details)
    if differing:
        warn(
            f"no weight that KEN would prune differs between model and pretrained, so there is nothing to "
            f"choose from; the {differing} tensors that differ are kept as fine-tuned"
        )
    else:
        warn(
            "model and pretrained are equal, so the delta stores nothing of use: give the model as it was "
            "before fine-tuning for pretrained"
        )


def _check_k(config: KENConfig, row_lengths: dict[str, int]) -> None:
    longest = max(row_lengths, key=row_lengths.__getitem__)
    if config.k is not None and config.k > row_lengths[longest]:
        raise ValueError(
            f"k is {config.k} and the longest row has {row_lengths[longest]} entries ({longest}): nothing "
            "would be pruned"
        )


def _plan_pair(pair: Pair, pairs: Pairs, config: KENConfig, selected: bool) -> LayerPlan:
    tensor = pair.tensor
    size, shape, kept = tensor.nbytes, tuple(tensor.shape), tensor.numel()
    if pair.base is None:
        details = TensorDetails(shape, pair.tied, "new")
    else:
        if selected:
            pairs.check_values(pair.name, subtracted=reads_base(config.criterion, config.on))
        stored = pairs.changed(pair.name)
        changed = int(stored.sum())
        details = TensorDetails(shape, pair.tied, "as fine-tuned", changed)
        if selected:
            rows, n = row_shape(shape)
            k = config.entries_kept(n)
            kept, stored = rows * k, stored.clip(max=k)
            details = TensorDetails(shape, pair.tied, "rows", changed, k)
        size = min(
            encoded_bytes(shape, tensor.element_size(), int(stored.sum()), is_uniform(stored)).values()
        )
    return LayerPlan(pair.name, tensor.numel(), kept, tensor.nbytes, size, details.to_dict())


register_method(KENConfig, Method(make_plan, apply_plan, paired))
