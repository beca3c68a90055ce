"""Importance and redundancy together.

In a linear least-squares sense a neuron ``i`` adds ``|w_i|^2 E[z_i^2]`` to the block's output. If another
neuron ``j`` stays whose squared correlation with it is ``rho^2``, the down projection can take over all but
the share ``1 - rho^2`` of that; between Gaussian variables ``1 - rho^2 = exp(-2 I(z_i; z_j))``. So the part
of its contribution that only ``i`` can make is ``importance_i exp(-max_j I_ij)`` in amplitude.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning_ext.choices.selections import SELECTIONS, Candidates, Ranking, Selection
from pruning_ext.choices.selections.elimination import eliminate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pruning_ext.choices.selections import Indices, Information


def rank(candidates: Candidates) -> Ranking:
    """The least ``importance_i exp(-max_j I_ij)`` over the neurons ``j`` that are left, one by one."""
    import numpy as np

    importance = candidates.importance

    def choose(best: Information, partner: Indices, alive: NDArray[np.bool_]) -> tuple[int, float]:
        unshared = np.where(alive, importance * np.exp(-np.maximum(best, 0)), np.inf)
        lowest = int(unshared.argmin())
        return lowest, float(unshared[lowest])

    return eliminate(candidates.information, candidates.count, choose)


SELECTIONS.add(
    Selection(
        "joint",
        "the least importance that no neuron left shares",
        rank,
        pairwise=True,
        weighs_importance=True,
    )
)
