"""Redundancy first: of the most redundant pair the less important neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning_ext.choices.selections import SELECTIONS, Candidates, Ranking, Selection
from pruning_ext.choices.selections.elimination import eliminate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pruning_ext.choices.selections import Indices, Information


def rank(candidates: Candidates) -> Ranking:
    """Of the most redundant pair that is left, the less important neuron, one by one."""
    import numpy as np

    importance = candidates.importance

    def choose(best: Information, partner: Indices, alive: NDArray[np.bool_]) -> tuple[int, float]:
        first = int(np.where(alive, best, -np.inf).argmax())
        second = int(partner[first])
        return (first if importance[first] < importance[second] else second), -float(best[first])

    return eliminate(candidates.information, candidates.count, choose)


SELECTIONS.add(
    Selection(
        "greedy",
        "of the most redundant pair the less important",
        rank,
        pairwise=True,
        weighs_importance=True,
    )
)
