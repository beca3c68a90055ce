"""Estimators: mutual information of all pairs of neurons, from their activations on sampled tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pruning_ext.choices.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Estimator:
    """One way to estimate information.

    Attributes:
        estimate: ``estimate(samples [T, N], *, bins, strategy, stage) -> [N, N]`` nats, on the device of the
            samples; ``stage`` runs each step of it, see :class:`pruning_ext._progress.Stage`.
        default_tokens: T, where a configuration does not say.
    """

    name: str
    help: str
    estimate: Callable[..., Tensor]
    default_tokens: int


ESTIMATORS: Registry[Estimator] = Registry(__name__, first=("histogram", "renyi"))
