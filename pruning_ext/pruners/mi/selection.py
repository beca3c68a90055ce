"""The neurons of one feed-forward block in the order they go, by any of the registered selections.

Neurons that never contribute go first, whatever the selection: their activations are binned as constants, so
they share no information with anything and no pairwise rule would find them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pruning_ext.choices.selections import SELECTIONS, Candidates, Ranking


@dataclass(frozen=True)
class NeuronStatistics:
    """What a selection may know of one block with ``N`` neurons.

    Attributes:
        importance: ``[N]``, root mean square of each neuron's activation times how its column of the down
            projection is read: its norm, or its sensitivity (:mod:`pruning_ext.calibration.sensitivity`).
        information: ``[N, N]`` mutual information in nats, or ``None`` if the selection does not need it.
    """

    importance: Tensor
    information: Tensor | None = None


def rank(
    selection: str,
    statistics: NeuronStatistics,
    count: int,
    *,
    seed: int | tuple[int, ...] = 0,
    threshold: float | None = None,
) -> Ranking:
    """The first ``count`` neurons to remove.

    Args:
        selection: one of :data:`pruning_ext.choices.selections.SELECTIONS`:

            * ``"joint"``: the least ``importance_i exp(-max_j I_ij)`` over the neurons ``j`` that are left.
            * ``"greedy"``: of the most redundant pair that is left, the less important neuron.
            * ``"random_pairs"``: random pairs, one of the two at random if their information exceeds a
              threshold (Huang, Song & Pao 2024); without ``threshold`` the highest one that yields ``count``.
            * ``"importance"``: the least important, whatever they share with others.
            * ``"random"``: any; a control.
        count: how many; with ``threshold`` at most how many.
        seed: for the random selections.
        threshold: mutual information in nats, for ``"random_pairs"`` only.

    Returns:
        ``count`` entries, or fewer with ``threshold``. Deterministic: equal costs go by index.

    Raises:
        ValueError: a selection by pairs without their information.
    """
    chosen = SELECTIONS[selection]
    importance = statistics.importance.double().cpu().numpy()
    dead = np.flatnonzero(importance == 0)[:count]
    alive = np.setdiff1d(np.arange(len(importance)), dead) if len(dead) else np.arange(len(importance))
    pairs = None
    if chosen.pairwise:
        if statistics.information is None:
            raise ValueError(f"selection {selection!r} needs the mutual information of all pairs")
        pairs = statistics.information.float().cpu().numpy()
        pairs = pairs[np.ix_(alive, alive)] if len(dead) else pairs.copy()
        np.fill_diagonal(pairs, -1.0)  # below every information: a neuron is no partner of its own
    generator = np.random.default_rng(seed)
    living = chosen.rank(Candidates(importance[alive], count - len(dead), generator, threshold, pairs))
    order = np.concatenate([dead, alive[living.order]])
    cost = np.concatenate([np.full(len(dead), -np.inf), living.cost])
    return Ranking(order, np.maximum.accumulate(cost), living.threshold)


def kept_neurons(ranking: Ranking, width: int) -> Tensor:
    """Ascending int64 indices of the neurons that are not in ``ranking``, of ``width`` in all."""
    keep = np.ones(width, dtype=np.bool_)
    keep[ranking.order] = False
    return torch.from_numpy(np.flatnonzero(keep))
