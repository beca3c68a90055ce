"""Criteria: the entries of each row of a weight matrix that stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pruning_ext.choices.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """Rows to choose from.

    Attributes:
        scored: ``[R, N]``, finite: the weights, or their change by fine-tuning.
        k: entries to keep per row, fewer than N.
        keep_ties: keep every entry equal to a kept one too, for a criterion that can.
        generator: the source of a random choice.
    """

    scored: Tensor
    k: int
    keep_ties: bool = False
    generator: torch.Generator | None = None


@dataclass(frozen=True)
class Criterion:
    """One way to choose the entries of each row that stay.

    Attributes:
        keep: from the rows, the bool mask ``[R, N]`` of exactly k entries per row (but for ties).
        of_delta: look at the change by fine-tuning, whatever the configuration says.
    """

    name: str
    help: str
    keep: Callable[[Rows], Tensor]
    of_delta: bool = False


CRITERIA: Registry[Criterion] = Registry(__name__, first=("ken", "density", "magnitude", "delta", "random"))
