"""One share of all neurons, taken from the blocks where it costs least."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pruning_ext.choices.allocations import ALLOCATIONS, Allocation

if TYPE_CHECKING:
    from pruning_ext.choices.allocations import Floats


def share(costs: Sequence[Floats], total: int, step: int) -> list[int]:
    """How many neurons each block gives, if ``total`` go where they cost least; multiples of ``step``.

    Groups of ``step`` neurons compete by the cost of their last one, so that widths stay multiples of
    ``step`` and no block gives more than it ranked.
    """
    import numpy as np

    groups = [cost[step - 1 :: step] for cost in costs]
    owner = np.concatenate([np.full(len(group), block) for block, group in enumerate(groups)])
    cheapest = np.concatenate(groups).argsort(kind="stable")[: round(total / step)]
    return [int((owner[cheapest] == block).sum()) * step for block in range(len(costs))]


ALLOCATIONS.add(
    Allocation(
        "global",
        "the same share of neurons, taken where it costs least, which measured best but needs "
        "pruning_ext.load_pruned",
        share,
    )
)
