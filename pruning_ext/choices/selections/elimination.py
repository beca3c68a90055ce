"""Elimination one by one: the loop that the selections by pairs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pruning_ext.choices.selections import Ranking

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pruning_ext.choices.selections import Indices, Information

    Choose = Callable[[Information, Indices, NDArray[np.bool_]], tuple[int, float]]
    """Who goes and at what cost, of the information with each best partner, that partner, and who is left."""


def eliminate(information: Information, count: int, choose: Choose) -> Ranking:
    """Remove neurons one by one; each row keeps its best partner, and only rows that lose it look again."""
    import numpy as np

    alive = np.ones(len(information), dtype=np.bool_)
    partner = information.argmax(1)
    best = np.take_along_axis(information, partner[:, None], 1)[:, 0]
    order = np.empty(count, dtype=np.int64)
    cost = np.empty(count)
    for step in range(count):
        gone, cost[step] = choose(best, partner, alive)
        order[step] = gone
        alive[gone] = False
        information[:, gone] = -1.0
        bereft = np.flatnonzero((partner == gone) & alive)
        if len(bereft):
            rows = information[bereft]
            partner[bereft] = rows.argmax(1)
            best[bereft] = rows.max(1)
    return Ranking(order, cost)
