"""Feed-forward blocks made narrower and wider in place, and their widths in a model's configuration."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from pruning_ext.models.families import family_of
from pruning_ext.models.ffn import FFNBlock, in_dim, numbers_of

WIDTHS_KEY = "pruning_ext_ffn_widths"
"""Configuration key for widths that differ between blocks: ``{block name: width}``."""


def narrow(block: FFNBlock, keep: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> None:
    """Keep only the neurons ``keep`` (int64, ascending) of ``block``, in place.

    Args:
        weight: a new down projection ``[hidden, len(keep)]`` instead of the kept columns.
        bias: a new bias ``[hidden]`` of the down projection.
    """
    keep = keep.to(block.down_weight.device)
    width = block.width
    rows = torch.cat([keep + part * width for part in range(block.fused)])
    for module in block.inputs:
        _set(module, "weight", numbers_of(module, "weight").index_select(1 - in_dim(module), rows))
        if module.bias is not None:
            _set(module, "bias", numbers_of(module, "bias").index_select(0, rows))
    down = numbers_of(block.down, "weight").index_select(in_dim(block.down), keep)
    if weight is not None:
        down = (weight if in_dim(block.down) else weight.T).to(down).contiguous()
    _set(block.down, "weight", down)
    if bias is not None:
        _set(block.down, "bias", bias.to(numbers_of(block.down, "bias")))


def narrow_to(block: FFNBlock, width: int) -> None:
    """Give ``block`` the first ``width`` of its neurons, in place; for models whose values come later."""
    narrow(block, torch.arange(width))


def widen(block: FFNBlock, width: int) -> None:
    """Add neurons that are zero on both sides up to ``width``; what ``block`` computes stays the same."""
    extra = width - block.width
    for module in block.inputs:
        dim = 1 - in_dim(module)
        for name in ("weight", "bias") if module.bias is not None else ("weight",):
            tensor = numbers_of(module, name)
            axis = dim if name == "weight" else 0
            parts = [_padded(part, axis, extra) for part in tensor.chunk(block.fused, axis)]
            _set(module, name, torch.cat(parts, axis))
    _set(block.down, "weight", _padded(numbers_of(block.down, "weight"), in_dim(block.down), extra))


def _padded(tensor: Tensor, dim: int, extra: int) -> Tensor:
    shape = list(tensor.shape)
    shape[dim] = extra
    return torch.cat([tensor, tensor.new_zeros(shape)], dim)


def _set(module: nn.Module, name: str, value: Tensor) -> None:
    old = getattr(module, name)
    setattr(module, name, nn.Parameter(value, requires_grad=old.requires_grad))
    if name == "weight":
        outputs, inputs = value.shape if in_dim(module) else value.T.shape
        fields = ("nf", "nx") if isinstance(module, Conv1D) else ("out_features", "in_features")
        module.__dict__.update(zip(fields, (outputs, inputs), strict=True))


def record_widths(model: nn.Module, blocks: list[FFNBlock]) -> None:
    """Write the widths of ``blocks`` (all of ``model``'s) into its configuration.

    One width for all goes into the family's own field, and plain ``from_pretrained`` builds the model. Widths
    that differ, or a family without such a field, go under :data:`WIDTHS_KEY`, which
    :func:`pruning_ext.load_pruned` reads; the family's field then stays as it was, so that any other loader
    stops at the first tensor whose shape it does not expect.
    """
    config: Any = model.config
    field = family_of(model).width_field
    widths = {block.name: block.width for block in blocks}
    plain = 4 * config.hidden_size if field is None else blocks[0].width
    if set(widths.values()) == {plain}:
        if field is not None:
            setattr(config, field, plain)
        config.__dict__.pop(WIDTHS_KEY, None)
    else:
        setattr(config, WIDTHS_KEY, widths)
    for block in blocks:
        for module in model.get_submodule(block.name).modules():
            if field in module.__dict__:  # some modules remember the width as well
                module.__dict__[field] = block.width
