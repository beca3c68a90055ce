"""How much the model's predictions feel each column of a down projection.

The norm of a column says how far its neuron moves the block's output, but not whether anything after the
block looks in that direction. The Fisher metric does: with ``g`` the gradient of the model's own
log-likelihood at the block's output, ``E (g . w_i)^2`` is the curvature of the KL divergence between the
predictions with and without a small step along the column ``w_i``. No labels: the likelihood is of labels
drawn from the model's predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pruning_ext.progress import progress
from pruning_ext.pruners.calibration import Batch, count_tokens
from pruning_ext.pruners.ffn import FFNBlock
from pruning_ext.pruners.statistics import evaluating, run_forward, why_not_finite

TOKENS = 8192
"""Gradients are taken on the first sequences that have this many tokens together."""

PART = 1024
"""Tokens, with padding, that go through the model at once: what a backward pass keeps grows with them."""


def column_sensitivity(
    model: nn.Module,
    blocks: Sequence[FFNBlock],
    batches: Sequence[Batch],
    *,
    seed: int,
    show_progress: bool = False,
) -> list[Tensor]:
    """``sqrt(E (g . w_i)^2)`` of each neuron of each block, float64 ``[N]``, over the tokens that count.

    A model with logits is judged by them; one without by random projections of its output. The draws are the
    same however the sequences are batched and padded. Memory is that of a forward and a backward pass over
    :data:`PART` tokens (or one sequence, if it is longer); no gradient of a parameter is made.

    Raises:
        ValueError: gradients that are not finite.
    """
    generator = np.random.default_rng(seed)
    squares = [
        torch.zeros(block.width, dtype=torch.float64, device=block.down_weight.device) for block in blocks
    ]
    used = list(_first(batches))
    outputs: dict[int, Tensor] = {}
    with ExitStack() as stack:
        stack.enter_context(evaluating(model))
        stack.enter_context(torch.enable_grad())
        for number, block in enumerate(blocks):
            stack.callback(block.down.register_forward_hook(_recorder(outputs, number)).remove)
        for batch in progress(used, "sensitivity", show_progress):
            values, slope = _likelihood_slope(run_forward(model, batch), batch, generator)
            wanted = [outputs[number] for number in range(len(blocks))]
            for block, gradient, square in zip(
                blocks, torch.autograd.grad(values, wanted, slope), squares, strict=True
            ):
                rows = gradient.reshape(-1, gradient.shape[-1])
                if batch.mask is not None:
                    rows = rows[batch.mask.flatten().to(rows.device)]
                square += (rows.float() @ block.down_weight.float()).square().sum(0)
    for block, square in zip(blocks, squares, strict=True):
        if not square.isfinite().all():
            raise ValueError(f"gradients at FFN block {block.name} are not finite: {why_not_finite(model)}")
    return [square.div_(count_tokens(used)).sqrt_() for square in squares]


def _first(batches: Sequence[Batch]) -> Iterator[Batch]:
    """The first sequences with :data:`TOKENS` tokens, at most :data:`PART` tokens at a time."""
    left = TOKENS
    for batch in batches:
        items = len(next(iter(batch.inputs.values())))
        length = 256 if batch.mask is None else batch.mask.shape[1]  # an image has about as many patches
        whole = any(len(value) != items for value in batch.inputs.values())  # one for all: not to be cut
        step = items if whole else max(1, PART // max(length, 1))
        for start in range(0, items, step):
            if left <= 0:
                return
            part = _cut(batch, start, start + step)
            counts = torch.ones(items) if part.mask is None else part.mask.sum(1)
            enough = int((counts.cumsum(0) < left).sum()) + 1
            part = part if whole else _cut(part, 0, enough)
            left -= count_tokens([part])
            yield part


def _cut(batch: Batch, start: int, end: int) -> Batch:
    inputs = {name: value[start:end] for name, value in batch.inputs.items()}
    return Batch(inputs, None if batch.mask is None else batch.mask[start:end])


def _recorder(outputs: dict[int, Tensor], number: int) -> Callable[..., Tensor]:
    def record(module: nn.Module, args: Any, output: Tensor) -> Tensor:
        if number == 0:  # the graph begins here: nothing before it is needed
            output = output.detach().requires_grad_()
        outputs[number] = output
        return output

    return record


def _likelihood_slope(output: Any, batch: Batch, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    """The model's logits, and the gradient there of the log-likelihood of labels drawn from them.

    Positions that do not count have none. Without logits: the output, and a random direction in it.
    """
    logits: Tensor | None = getattr(output, "logits", None)
    values: Tensor = output[0] if logits is None else logits
    rows = values.detach().flatten(0, -2)
    if batch.mask is not None and values.shape[:-1] == batch.mask.shape:
        counting = batch.mask.flatten().nonzero()[:, 0].to(rows.device)
    else:
        counting = torch.arange(len(rows), device=rows.device)
    if logits is None:
        drawn = torch.from_numpy(generator.standard_normal((len(counting), rows.shape[1])))
        slope = drawn.to(rows)
    else:
        p = rows[counting].float().softmax(-1)
        steps = p.cumsum(-1)
        # the label is where the cumulated probability first exceeds a uniform number
        uniform = torch.from_numpy(generator.random(len(counting))).to(steps)[:, None] * steps[:, -1:]
        label = torch.searchsorted(steps, uniform, right=True).clamp_max_(p.shape[1] - 1)
        slope = p.neg_().scatter_add_(1, label, torch.ones_like(uniform))
    whole = torch.zeros_like(rows).index_copy_(0, counting, slope.to(rows))
    return values, whole.view(values.shape)
