"""Chance, the control that every other selection must beat."""

from __future__ import annotations

from pruning_ext.choices.selections import SELECTIONS, Candidates, Ranking, Selection


def rank(candidates: Candidates) -> Ranking:
    """Any neurons."""
    import numpy as np

    order = candidates.generator.permutation(len(candidates.importance))[: candidates.count]
    return Ranking(order, np.zeros(len(order)))


SELECTIONS.add(Selection("random", "any, a control", rank))
