"""How much the model's predictions feel each column of a down projection.

The norm of a column says how far its neuron moves the block's output, but not whether anything after the
block looks in that direction. The Fisher metric does: with ``g`` the gradient of the model's own
log-likelihood at the block's output, ``E (g . w_i)^2`` is the curvature of the KL divergence between the
predictions with and without a small step along the column ``w_i``. No labels: the likelihood is of labels
drawn from the model's predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pruning_ext._progress import progress
from pruning_ext.calibration.batches import Batch, count_tokens
from pruning_ext.calibration.likelihood import draw_slope, predictions
from pruning_ext.calibration.statistics import evaluating, run_forward, why_not_finite
from pruning_ext.models.ffn import FFNBlock
from pruning_ext.ops._precision import full_precision

TOKENS = 8192
"""Gradients are taken on the first sequences that have this many tokens together."""

PART = 512
"""Tokens, with padding, that go through the model at once: what a backward pass keeps grows with them."""


class Sensitivity:
    """``sqrt(E (g . w_i)^2)`` of each neuron of each block, added up over the batches that are observed.

    A model with logits is judged by them, one without by its hidden states
    (:mod:`pruning_ext.calibration.likelihood`). The draws are the
    same however the sequences are batched and padded. Memory is that of a forward and a backward pass over
    one batch; :func:`split` cuts them to :data:`PART` tokens. No gradient of a parameter is made.

    Args:
        seed: of the labels that are drawn.
    """

    def __init__(self, model: nn.Module, blocks: Sequence[FFNBlock], *, seed: int) -> None:
        self._model = model
        self._blocks = blocks
        self._seed = seed
        self._generators: list[np.random.Generator] = []  # one for each output, or batching would mix them
        self._tokens = 0
        self._squares = [
            torch.zeros(block.width, dtype=torch.float64, device=block.down_weight.device) for block in blocks
        ]

    def observe(self, batch: Batch) -> None:
        """Take ``batch`` through the model, in evaluation mode, and back.

        The forward pass runs to its end, and whoever has hooks on it may use it too.
        """
        outputs: dict[int, Tensor] = {}
        with ExitStack() as stack:
            # a parameter that wants a gradient has its inputs kept for it, more than all the rest
            stack.enter_context(_frozen(self._model))
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
            for number, block in enumerate(self._blocks):
                stack.callback(block.down.register_forward_hook(_recorder(outputs, number)).remove)
            predicted = predictions(self._model, run_forward(self._model, batch), batch)
            wanted = [outputs.pop(number) for number in range(len(self._blocks))]
            stack.enter_context(full_precision(self._squares[0].device))
            generators = self._generators_for(len(predicted))
            slopes = [draw_slope(each, batch, g) for each, g in zip(predicted, generators, strict=True)]
            gradients = torch.autograd.grad([each.values for each in predicted], wanted, slopes)
        mask = None if batch.mask is None or batch.mask.all() else batch.mask.flatten()
        for block, gradient, square in zip(self._blocks, gradients, self._squares, strict=True):
            rows = gradient.reshape(-1, gradient.shape[-1])
            if mask is not None:
                rows = rows[mask.to(rows.device)]
            with full_precision(rows.device):
                square += (rows.float() @ block.down_weight.float()).square().sum(0)
        self._tokens += count_tokens([batch])

    def _generators_for(self, outputs: int) -> list[np.random.Generator]:
        for number in range(len(self._generators), outputs):
            self._generators.append(np.random.default_rng((self._seed, number) if number else self._seed))
        return self._generators[:outputs]

    def columns(self, number: int) -> Tensor:
        """Of block ``number``, float64 ``[N]``, over the tokens that counted.

        Raises:
            ValueError: gradients that were not finite, or all 0.
        """
        found = (self._squares[number] / self._tokens).sqrt_()
        if not found.isfinite().all():
            raise ValueError(
                f"gradients at FFN block {self._blocks[number].name} are not finite: "
                f"{why_not_finite(self._model)}"
            )
        if not found.any():
            raise ValueError(
                f"no prediction of {type(self._model).__name__} depends on FFN block "
                f"{self._blocks[number].name}, so the Fisher metric cannot rank its neurons: leave it out "
                "(ignore), or give metric 'norm'"
            )
        return found


def column_sensitivity(
    model: nn.Module,
    blocks: Sequence[FFNBlock],
    batches: Sequence[Batch],
    *,
    seed: int,
    show_progress: bool = False,
) -> list[Tensor]:
    """:meth:`Sensitivity.columns` of each block, over the first :data:`TOKENS` tokens of ``batches``.

    Raises:
        ValueError: gradients that are not finite.
    """
    found = Sensitivity(model, blocks, seed=seed)
    with evaluating(model):
        for part in progress(split(batches)[0], "sensitivity", show_progress):
            found.observe(part)
    return [found.columns(number) for number in range(len(blocks))]


def split(batches: Sequence[Batch]) -> tuple[list[Batch], list[Batch]]:
    """The first sequences with :data:`TOKENS` tokens, at most :data:`PART` at a time; and the rest."""
    parts: list[Batch] = []
    rest: list[Batch] = []
    left = TOKENS
    for batch in batches:
        items = _items(batch)
        length = 256 if batch.mask is None else batch.mask[0].numel()  # an image has about as many patches
        whole = any(len(value) != items for value in batch.inputs.values())  # one for all: not to be cut
        step = items if whole else max(1, PART // max(length, 1))
        start = 0
        while start < items and left > 0:
            part = batch if whole else _cut(batch, start, start + step)
            if not whole:
                counts = (
                    torch.ones(_items(part), device="cpu")
                    if part.mask is None
                    else part.mask.flatten(1).sum(1)
                )
                part = _cut(part, 0, int((counts.cumsum(0) < left).sum()) + 1)
            left -= count_tokens([part])
            start += items if whole else _items(part)
            parts.append(part)
        if start < items:
            rest.append(_cut(batch, start, items) if start else batch)
    return parts, rest


def _items(batch: Batch) -> int:
    return len(next(iter(batch.inputs.values())))


@contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """No parameter wants a gradient inside; outside each does again that did before."""
    wanting = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        for parameter in wanting:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in wanting:
            parameter.requires_grad_()


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
