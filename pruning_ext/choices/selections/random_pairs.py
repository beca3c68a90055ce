"""Random pairs: one of two redundant neurons (Huang, Song & Pao, "Large Language Model Pruning", 2024)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning_ext.choices.selections import SELECTIONS, Candidates, Ranking, Selection

if TYPE_CHECKING:
    from pruning_ext.choices.selections import Indices, Information

ROUNDS = 64
"""Random perfect matchings that are drawn: each neuron meets at most this many others."""


def rank(candidates: Candidates) -> Ranking:
    """One of a random pair, at random, if their information exceeds a threshold.

    Without ``threshold`` it is the highest one that yields ``count``.
    """
    import numpy as np

    information, count = candidates.information, candidates.count
    seed = int(candidates.generator.integers(2**62))  # every threshold tried sees the same draws
    if candidates.threshold is not None:
        order = _drop_pairs(information, count, seed, candidates.threshold)
        return Ranking(order, np.zeros(len(order)), candidates.threshold)
    # Below every information all pairs count, which is always enough.
    low, high = -1.0, float(information.max(initial=0.0))
    order = _drop_pairs(information, count, seed, low)
    for _ in range(40):
        middle = (low + high) / 2
        dropped = _drop_pairs(information, count, seed, middle)
        if len(dropped) == count:
            low, order = middle, dropped
        else:
            high = middle
    return Ranking(order, np.zeros(len(order)), low)


def _drop_pairs(information: Information, count: int, seed: int, threshold: float) -> Indices:
    """At most ``count`` neurons, each the second of a random pair of living ones above ``threshold``."""
    import numpy as np

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


SELECTIONS.add(
    Selection("random_pairs", "one of two random neurons if they are redundant", rank, pairwise=True)
)
