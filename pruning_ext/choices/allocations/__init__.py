"""Allocations: how many neurons each block gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pruning_ext.choices.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Allocation:
    """One way to share out.

    Attributes:
        share: ``share(costs, total, step)``: how many neurons each block gives, if ``total`` go, in multiples
            of ``step``; ``costs[b]`` is the non-decreasing cost of block ``b``'s ranking. ``None``: every
            block gives the same share, and no block needs to know of the others.
    """

    name: str
    help: str
    share: Callable[[Sequence[Floats], int, int], list[int]] | None


ALLOCATIONS: Registry[Allocation] = Registry(__name__, first=("uniform", "global"))
