"""How long a forward pass takes, measured."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import torch
from torch import nn

from pruning_ext.calibration.batches import Batch
from pruning_ext.calibration.statistics import evaluating, on_device


def forward_seconds(models: Sequence[nn.Module], batch: Batch, *, repeats: int = 5) -> list[float]:
    """Median seconds of a forward pass of each model over ``batch``, without gradients.

    The models take turns, so that a machine that is busy for a while is busy for all of them; one round
    before the count warms them up.
    """
    seconds: list[list[float]] = [[] for _ in models]
    with torch.inference_mode():
        for turn in range(repeats + 1):
            for model, taken in zip(models, seconds, strict=True):
                inputs = on_device(batch.inputs, model)
                with evaluating(model):
                    _synchronize(model)
                    start = time.perf_counter()
                    model(**inputs)
                    _synchronize(model)
                    if turn:
                        taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in seconds]


def _synchronize(model: nn.Module) -> None:
    device = next(model.parameters()).device
    if device.type == "cuda":
        torch.cuda.synchronize(device)
