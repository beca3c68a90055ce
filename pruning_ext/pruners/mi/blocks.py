"""The blocks that a configuration names, and how many neurons each may lose."""

from __future__ import annotations

from torch import nn

from pruning_ext.choices.allocations import ALLOCATIONS
from pruning_ext.config.mi import MIConfig
from pruning_ext.models.ffn import FFNBlock, find_blocks
from pruning_ext.models.huggingface import check_not_quantized
from pruning_ext.models.targets import select_names


def targeted_blocks(model: nn.Module, config: MIConfig) -> list[FFNBlock]:
    """The FFN blocks that ``config`` names, checked for being there in full."""
    check_not_quantized(getattr(model, "config", None), "model")
    blocks = find_blocks(model)
    for name, parameter in model.named_parameters():
        if parameter.is_meta:
            raise ValueError(f"tensor {name} is on the meta device: load the model's weights first")
        if parameter.is_inference() and config.needs_gradients:
            raise ValueError(
                f"tensor {name} was made under torch.inference_mode(), where no gradient can pass: load the "
                "model outside of it, or give metric 'norm'"
            )
    known = [name for name, _ in model.named_modules() if name]
    names = select_names(
        [b.name for b in blocks], config.targets, config.ignore, known=known, what="FFN block"
    )
    return [block for block in blocks if block.name in names]


def removal_limit(config: MIConfig, block: FFNBlock) -> int:
    """Neurons to remove from ``block``; with a threshold or a shared allocation the most that may go."""
    width = block.width
    if config.width is not None:
        if config.width >= width:
            raise ValueError(
                f"width is {config.width}: FFN block {block.name} has {width} neurons, so none would go"
            )
        return width - config.width
    smallest = width - config.round_to
    if smallest < 1:
        raise ValueError(f"round_to is {config.round_to}: FFN block {block.name} has only {width} neurons")
    if config.ratio is None or ALLOCATIONS[config.allocation].share:
        return smallest
    keep = round(width * (1 - config.ratio) / config.round_to) * config.round_to
    if keep >= width or keep < 1:
        what = "0" if keep >= width else f"all {width}"
        raise ValueError(
            f"ratio is {config.ratio}: it rounds to {what} neurons of FFN block {block.name} "
            f"(width {width}, round_to {config.round_to})"
        )
    return width - keep
