"""Which neurons of one feed-forward block to remove, and in what order.

Every selection gives a :class:`Ranking`: the neurons in the order they go, each with what its removal costs.
Neurons that never contribute go first, whatever the selection: their activations are binned as constants, so
they share no information with anything and no pairwise rule would find them.

The joint rule. In a linear least-squares sense a neuron ``i`` adds ``|w_i|^2 E[z_i^2]`` to the block's
output. If another neuron ``j`` stays whose squared correlation with it is ``rho^2``, the down projection can
take over all but the share ``1 - rho^2`` of that; between Gaussian variables ``1 - rho^2 = exp(-2 I(z_i;
z_j))``. So the part of its contribution that only ``i`` can make is ``importance_i exp(-max_j I_ij)`` in
amplitude.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pruning_ext.config.choices import PAIRWISE, SELECTIONS

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

ROUNDS = 64
"""Random perfect matchings that ``random_pairs`` draws: each neuron meets at most this many others."""


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


class Ranking(NamedTuple):
    """Neurons in the order they are removed, ``order`` int64 ``[n]``, and what each costs, ``cost`` ``[n]``.

    ``cost`` never decreases. ``threshold`` is the mutual information above which a pair counted as redundant.
    """

    order: Indices
    cost: Floats
    threshold: float | None = None


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
        selection: one of :data:`SELECTIONS`.

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
    """
    importance = statistics.importance.double().cpu().numpy()
    dead = np.flatnonzero(importance == 0)[:count]
    alive = np.setdiff1d(np.arange(len(importance)), dead) if len(dead) else np.arange(len(importance))
    rest = count - len(dead)
    information = None
    if statistics.information is not None and selection in PAIRWISE:
        information = statistics.information.float().cpu().numpy()
        information = information[np.ix_(alive, alive)] if len(dead) else information.copy()
        np.fill_diagonal(information, -1.0)  # below every information: a neuron is no partner of its own
    found = _rank_alive(
        selection, importance[alive], information, rest, np.random.default_rng(seed), threshold
    )
    order = np.concatenate([dead, alive[found.order]])
    cost = np.concatenate([np.full(len(dead), -np.inf), found.cost])
    return Ranking(order, np.maximum.accumulate(cost), found.threshold)


def _rank_alive(
    selection: str,
    importance: Floats,
    information: NDArray[np.float32] | None,
    count: int,
    generator: np.random.Generator,
    threshold: float | None,
) -> Ranking:
    if selection == "importance":
        order = importance.argsort(kind="stable")[:count]
        return Ranking(order, importance[order])
    if selection == "random":
        order = generator.permutation(len(importance))[:count]
        return Ranking(order, np.zeros(len(order)))
    if information is None:
        raise ValueError(f"selection {selection!r} needs the mutual information of all pairs")
    if selection == "random_pairs":
        return _random_pairs(information, count, generator, threshold)
    if selection == "greedy":
        return _eliminate(information, count, _weaker_of_most_redundant(importance))
    if selection == "joint":
        return _eliminate(information, count, _least_unshared(importance))
    raise ValueError(f"selection must be one of {', '.join(SELECTIONS)}, got {selection!r}")


Choose = Callable[[NDArray[np.float32], Indices, NDArray[np.bool_]], tuple[int, float]]


def _weaker_of_most_redundant(importance: Floats) -> Choose:
    def choose(best: NDArray[np.float32], partner: Indices, alive: NDArray[np.bool_]) -> tuple[int, float]:
        first = int(np.where(alive, best, -np.inf).argmax())
        second = int(partner[first])
        return (first if importance[first] < importance[second] else second), -float(best[first])

    return choose


def _least_unshared(importance: Floats) -> Choose:
    def choose(best: NDArray[np.float32], partner: Indices, alive: NDArray[np.bool_]) -> tuple[int, float]:
        unshared = np.where(alive, importance * np.exp(-np.maximum(best, 0)), np.inf)
        lowest = int(unshared.argmin())
        return lowest, float(unshared[lowest])

    return choose


def _eliminate(information: NDArray[np.float32], count: int, choose: Choose) -> Ranking:
    """Remove neurons one by one; each row keeps its best partner, and only rows that lose it look again."""
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


def _random_pairs(
    information: NDArray[np.float32], count: int, generator: np.random.Generator, threshold: float | None
) -> Ranking:
    seed = int(generator.integers(2**62))  # every threshold tried sees the same draws
    if threshold is not None:
        order = _drop_pairs(information, count, seed, threshold)
        return Ranking(order, np.zeros(len(order)), threshold)
    low, high = (
        -1.0,
        float(information.max(initial=0.0)),
    )  # below every information all pairs count: always enough
    order = _drop_pairs(information, count, seed, low)
    for _ in range(40):
        middle = (low + high) / 2
        dropped = _drop_pairs(information, count, seed, middle)
        if len(dropped) == count:
            low, order = middle, dropped
        else:
            high = middle
    return Ranking(order, np.zeros(len(order)), low)


def _drop_pairs(information: NDArray[np.float32], count: int, seed: int, threshold: float) -> Indices:
    """At most ``count`` neurons, each the second of a random pair of living ones above ``threshold``."""
    generator = np.random.default_rng(seed)
    alive = np.arange(len(information))
    dropped: list[Indices] = []
    missing = count
    for _ in range(ROUNDS):
        shuffled = generator.permutation(alive)
        half = len(shuffled) // 2
        first, second = shuffled[:half], shuffled[half : 2 * half]
        over = second[information[first, second] > threshold][:missing]
        dropped.append(over)
        missing -= len(over)
        alive = np.setdiff1d(alive, over, assume_unique=True)
        if not missing:
            break
    return np.concatenate(dropped) if dropped else np.empty(0, dtype=np.int64)


def kept_neurons(ranking: Ranking, width: int) -> Tensor:
    """Ascending int64 indices of the neurons that are not in ``ranking``, of ``width`` in all."""
    keep = np.ones(width, dtype=np.bool_)
    keep[ranking.order] = False
    return torch.from_numpy(np.flatnonzero(keep))


def allocate(costs: list[Floats], total: int, step: int) -> list[int]:
    """How many neurons each block gives, if ``total`` go where they cost least; multiples of ``step``.

    ``costs[b]`` is the non-decreasing cost of block ``b``'s ranking. Groups of ``step`` neurons compete by
    the cost of their last one, so that widths stay multiples of ``step`` and no block gives more than it
    ranked.
    """
    groups = [cost[step - 1 :: step] for cost in costs]
    owner = np.concatenate([np.full(len(group), block) for block, group in enumerate(groups)])
    cheapest = np.concatenate(groups).argsort(kind="stable")[: round(total / step)]
    return [int((owner[cheapest] == block).sum()) * step for block in range(len(costs))]
