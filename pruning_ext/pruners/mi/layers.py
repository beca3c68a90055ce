"""A block's part of an MI plan, made of a decision and read again; and the pruned block before it is one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from pruning_ext.calibration.statistics import Replacement
from pruning_ext.choices.selections import Ranking
from pruning_ext.models.ffn import FFNBlock
from pruning_ext.pruners.mi.decision import Decision
from pruning_ext.pruners.mi.details import BlockDetails, removed_neurons, to_ranges
from pruning_ext.pruners.mi.selection import kept_neurons
from pruning_ext.pruners.plan import LayerPlan


def describe_layer(decision: Decision) -> tuple[LayerPlan, dict[str, Tensor]]:
    """The plan's entry for a block, and the tensors that go with it."""
    block, ranking, fit = decision.block, decision.ranking, decision.refit
    width, removed = block.width, len(ranking.order)
    parameters = sum(parameter.numel() for parameter in block.parameters())
    kept = parameters - removed * block.parameters_per_neuron()
    item = block.down_weight.element_size()
    details = BlockDetails(
        width,
        kept_width=width - removed,
        dead=int(np.isneginf(ranking.cost).sum()),
        removed=to_ranges(np.sort(ranking.order)),
        threshold=ranking.threshold,
        output_error=None if fit is None else fit.error,
        output_error_uncompensated=None if fit is None else fit.uncompensated,
    )
    tensors: dict[str, Tensor] = {}
    if fit is not None:
        tensors[f"{block.down_name}.weight"] = fit.weight.to(block.down_weight).contiguous()
        if fit.bias is not None:
            tensors[f"{block.down_name}.bias"] = fit.bias.to(block.down_weight)
    return LayerPlan(block.name, parameters, kept, parameters * item, kept * item, details.to_dict()), tensors


def kept_of(layer: LayerPlan, block: FFNBlock) -> Tensor:
    """Ascending indices of the neurons that ``layer`` leaves to ``block``.

    Raises:
        ValueError: the plan's details do not fit the block.
    """
    return kept_neurons(Ranking(removed_neurons(layer, block), np.empty(0)), block.width)


def new_down_projection(
    layer: LayerPlan, block: FFNBlock, keep: Tensor, tensors: Mapping[str, Tensor]
) -> tuple[Tensor | None, Tensor | None]:
    """The weight and bias that the plan has for ``block``, or ``None`` for each that it leaves alone.

    Raises:
        ValueError: tensors that do not fit the neurons kept.
    """
    weight, bias = (tensors.get(f"{block.down_name}.{name}") for name in ("weight", "bias"))
    hidden = block.down_weight.shape[0]
    if weight is not None and weight.shape != (hidden, len(keep)):
        raise ValueError(
            f"the plan's tensor {block.down_name}.weight has shape {list(weight.shape)}, and `removed` for "
            f"FFN block {layer.name} asks for {[hidden, len(keep)]}"
        )
    if bias is not None and (bias.shape != (hidden,) or block.down_bias is None):
        raise ValueError(f"the plan's tensor {block.down_name}.bias does not fit FFN block {layer.name}")
    return weight, bias


def replacement(decision: Decision) -> Replacement:
    """What the pruned block's down projection will compute from the dense block's activations."""
    block, fit = decision.block, decision.refit
    weight = block.down_weight
    keep = decision.keep.to(weight.device)
    narrow_weight = weight[:, keep] if fit is None else fit.weight.to(weight)
    bias = block.down_bias if fit is None or fit.bias is None else fit.bias.to(weight)

    def down(activations: Tensor) -> Tensor:
        return torch.nn.functional.linear(activations[..., keep], narrow_weight, bias)

    return down
