"""How much the model's predictions feel each column of a down projection.

The norm of a column says how far its neuron moves the block's output, but not whether anything after the
block looks in that direction. The Fisher metric does: with ``g`` the gradient of the model's own
log-likelihood at the block's output, ``E (g . w_i)^2`` is the curvature of the KL divergence between the
predictions with and without a small step along the column ``w_i``. No labels: the likelihood is of labels
drawn from the model's predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from pruning_ext.progress import progress
from pruning_ext.pruners.calibration import Batch, count_tokens
from pruning_ext.pruners.ffn import FFNBlock
from pruning_ext.pruners.statistics import evaluating, run_forward

TOKENS = 8192
"""Gradients are taken on the first batches that have this many tokens together."""


def column_sensitivity(
    model: nn.Module,
    blocks: Sequence[FFNBlock],
    batches: Sequence[Batch],
    *,
    seed: int,
    show_progress: bool = False,
) -> list[Tensor]:
    """``sqrt(E (g . w_i)^2)`` of each neuron of each block, float64 ``[N]``, over the tokens that count.

    A model with logits is judged by them; one without by random projections of its output. Memory is that of
    a forward and a backward pass over one batch; no gradient of a parameter is made.

    Raises:
        ValueError: gradients that are not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    squares = [
        torch.zeros(block.width, dtype=torch.float64, device=block.down_weight.device) for block in blocks
    ]
    used = _first(batches)
    outputs: dict[int, Tensor] = {}
    with ExitStack() as stack:
        stack.enter_context(evaluating(model))
        stack.enter_context(torch.enable_grad())
        for number, block in enumerate(blocks):
            stack.callback(block.down.register_forward_hook(_recorder(outputs, number)).remove)
        for batch in progress(used, "sensitivity", show_progress):
            score = _log_likelihood(run_forward(model, batch), batch, generator)
            gradients = torch.autograd.grad(score, [outputs[number] for number in range(len(blocks))])
            for block, gradient, square in zip(blocks, gradients, squares, strict=True):
                rows = gradient.reshape(-1, gradient.shape[-1])
                if batch.mask is not None:
                    rows = rows[batch.mask.flatten().to(rows.device)]
                square += (rows.float() @ block.down_weight.float()).square().sum(0, dtype=torch.float64)
    for block, square in zip(blocks, squares, strict=True):
        if not square.isfinite().all():
            raise ValueError(f"gradients at FFN block {block.name} are not finite (NaN or infinity)")
    return [square.div_(count_tokens(used)).sqrt_() for square in squares]


def _first(batches: Sequence[Batch]) -> list[Batch]:
    used: list[Batch] = []
    for batch in batches:
        used.append(batch)
        if count_tokens(used) >= TOKENS:
            break
    return used


def _recorder(outputs: dict[int, Tensor], number: int) -> Callable[..., Tensor]:
    def record(module: nn.Module, args: Any, output: Tensor) -> Tensor:
        if number == 0:  # the graph begins here: nothing before it is needed
            output = output.detach().requires_grad_()
        outputs[number] = output
        return output

    return record


def _log_likelihood(output: Any, batch: Batch, generator: torch.Generator) -> Tensor:
    """Of labels drawn from the predictions, summed over the positions that count."""
    logits = getattr(output, "logits", None)
    values = (output[0] if logits is None else logits).float()
    if logits is None:
        score = values * torch.randn(values.shape, generator=generator).to(values.device)
    else:
        log_p = values.log_softmax(-1)
        flat = log_p.detach().exp().reshape(-1, log_p.shape[-1]).cpu()
        drawn = torch.multinomial(flat, 1, generator=generator).view(*log_p.shape[:-1], 1)
        score = log_p.gather(-1, drawn.to(log_p.device))
    if batch.mask is not None and score.shape[: batch.mask.dim()] == batch.mask.shape:
        score = score[batch.mask.to(score.device)]
    return score.sum()
