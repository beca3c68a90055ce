"""Following an MI plan: the blocks become narrower, in place."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from pruning_ext.models.ffn import FFNBlock, find_blocks
from pruning_ext.models.resizing import narrow, record_widths
from pruning_ext.pruners.mi.layers import kept_of, new_down_projection
from pruning_ext.pruners.plan import Plan


@torch.inference_mode(False)
def apply_plan(
    model: nn.Module,
    plan: Plan,
    *,
    pretrained: nn.Module | None = None,
    calibration: Any = None,
    show_progress: bool = False,
) -> dict[str, Any]:
    """Make ``model`` narrower in place as ``plan`` says; needs neither calibration nor randomness.

    Returns:
        A report: parameters and bytes before and after, widths before and after per block, what the plan
        was calibrated on.
    """
    blocks = find_blocks(model)
    named = {block.name: block for block in blocks}
    steps: list[tuple[FFNBlock, Tensor, tuple[Tensor | None, Tensor | None]]] = []
    for layer in plan.layers:  # all is checked before anything is changed
        if layer.name not in named:
            raise ValueError(
                f"the plan names an FFN block {layer.name}, which {type(model).__name__} does not have"
            )
        block = named[layer.name]
        keep = kept_of(layer, block)
        if len(keep) < block.width:
            steps.append((block, keep, new_down_projection(layer, block, keep, plan.tensors)))
    widths = {block.name: [block.width, len(keep)] for block, keep, _ in steps}
    for block, keep, (weight, bias) in steps:
        narrow(block, keep, weight, bias)
    record_widths(model, blocks)
    parameters = list(model.parameters())
    return {
        "parameters": [plan.model.parameters, sum(parameter.numel() for parameter in parameters)],
        "bytes": [plan.model.bytes, sum(parameter.nbytes for parameter in parameters)],
        "widths": widths,
        **plan.calibration,
    }
