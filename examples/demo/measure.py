"""Measuring classifiers on the same reviews: logits, accuracy, KL divergence, intervals; a plain table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from demo.inputs import Review
from pruning_ext.bench.numbers import aligned, interval

RESAMPLES = 2000
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean over reviews with its 95 % percentile-bootstrap interval."""

    value: float
    low: float
    high: float

    def text(self, digits: int, *, signed: bool = False) -> str:
        style = f"{'+' if signed else ''}.{digits}f"
        return interval(self.value, self.low, self.high, style)


class ReviewTest:
    """The reviews every arm is measured on, tokenised once and batched by length.

    All arms see the same reviews and the same resamples of them, so the differences between arms are paired.
    """

    def __init__(
        self, tokenizer: Any, reviews: Sequence[Review], *, batch_size: int = 32, max_tokens: int = 56
    ) -> None:
        if not reviews:
            raise ValueError("reviews is empty: there is nothing to measure on")
        encoded = tokenizer([review.text for review in reviews], truncation=True, max_length=max_tokens)
        order = sorted(range(len(reviews)), key=lambda index: len(encoded["input_ids"][index]))
        self.labels = np.array([reviews[index].label for index in order])
        self.batches: list[dict[str, Tensor]] = []
        for start in range(0, len(order), batch_size):
            rows = [{"input_ids": encoded["input_ids"][index]} for index in order[start : start + batch_size]]
            self.batches.append(dict(tokenizer.pad(rows, return_tensors="pt")))
        generator = np.random.default_rng(0)
        self._resamples = generator.integers(len(order), size=(RESAMPLES, len(order)))

    @torch.inference_mode()
    def logits(self, model: torch.nn.Module) -> Array:
        """Logits ``[reviews, classes]`` in float64, in the order of :attr:`labels`."""
        model.eval()
        return torch.cat([model(**batch).logits for batch in self.batches]).double().numpy()

    def correct(self, logits: Array) -> Array:
        """1 where the larger logit is the label's, ``[reviews]``."""
        return (logits.argmax(1) == self.labels).astype(np.float64)

    def estimate(self, values: Array) -> Estimate:
        """Mean of ``values [reviews]`` and its interval."""
        low, high = np.quantile(values[self._resamples].mean(1), [0.025, 0.975])
        return Estimate(float(values.mean()), float(low), float(high))


def kl_divergence(reference: Array, other: Array) -> Array:
    """KL(reference || other) of the classes in nats, ``[reviews]``, from logits ``[reviews, classes]``."""
    log_p, log_q = _log_softmax(reference), _log_softmax(other)
    return (np.exp(log_p) * (log_p - log_q)).sum(1)


def _log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Plain text, the first column aligned left, the others right; an empty row draws a rule."""
    head, *lines = aligned([header, *filter(None, rows)], left=1)
    following = iter(lines)
    rule = "-" * max(map(len, [head, *lines]))
    return "\n".join([head, rule, *(next(following) if row else rule for row in rows)])
