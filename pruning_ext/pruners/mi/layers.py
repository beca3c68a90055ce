"""A block's part of an MI plan: which neurons go, written so that a person can read it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pruning_ext.calibration.statistics import Replacement
from pruning_ext.choices.selections import Ranking
from pruning_ext.models.ffn import FFNBlock
from pruning_ext.pruners.mi.decision import Decision
from pruning_ext.pruners.mi.selection import kept_neurons
from pruning_ext.pruners.plan import LayerPlan


def describe_layer(decision: Decision) -> tuple[LayerPlan, dict[str, Tensor]]:
    """The plan's entry for a block, and the tensors that go with it."""
    block, ranking, fit = decision.block, decision.ranking, decision.refit
    width, removed = block.width, len(ranking.order)
    parameters = sum(parameter.numel() for parameter in block.parameters())
    kept = parameters - removed * block.parameters_per_neuron()
    item = block.down_weight.element_size()
    details: dict[str, object] = {
        "width": width,
        "kept_width": width - removed,
        "dead": int(np.isneginf(ranking.cost).sum()),
        "removed": to_ranges(np.sort(ranking.order)),
    }
    if ranking.threshold is not None:
        details["threshold"] = ranking.threshold
    tensors: dict[str, Tensor] = {}
    if fit is not None:
        details["output_error"] = fit.error
        details["output_error_uncompensated"] = fit.uncompensated
        tensors[f"{block.down_name}.weight"] = fit.weight.to(block.down_weight).contiguous()
        if fit.bias is not None:
            tensors[f"{block.down_name}.bias"] = fit.bias.to(block.down_weight)
    return LayerPlan(block.name, parameters, kept, parameters * item, kept * item, details), tensors


def kept_of(layer: LayerPlan, block: FFNBlock) -> Tensor:
    """Ascending indices of the neurons that ``layer`` leaves to ``block``.

    Raises:
        ValueError: ranges that cannot be read, or that do not fit the block.
    """
    removed = from_ranges(str(layer.details.get("removed")))
    width = block.width
    if (
        removed is None
        or len(removed) >= width
        or (len(removed) and not 0 <= removed[0] <= removed[-1] < width)
    ):
        raise ValueError(f"the plan's `removed` for FFN block {layer.name} does not fit its {width} neurons")
    return kept_neurons(Ranking(removed, np.empty(0)), width)


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


def to_ranges(indices: NDArray[np.int64]) -> str:
    """Ascending indices as text: ``"0-3, 7, 9-10"``."""
    runs = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)
    return ", ".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else str(r[0]) for r in runs if len(r))


def from_ranges(text: str) -> NDArray[np.int64] | None:
    """The inverse of :func:`to_ranges`; ``None`` if ``text`` is not strictly ascending ranges."""
    indices: list[int] = []
    for part in filter(None, text.split(", ")):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal() or int(last or first) < int(first):
            return None
        indices.extend(range(int(first), int(last or first) + 1))
    found = np.array(indices, dtype=np.int64)
    return found if (np.diff(found) > 0).all() else None
