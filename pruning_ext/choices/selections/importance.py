"""Importance alone: the least important, whatever they share with others."""

from __future__ import annotations

from pruning_ext.choices.selections import SELECTIONS, Candidates, Ranking, Selection


def rank(candidates: Candidates) -> Ranking:
    """The least important neurons."""
    order = candidates.importance.argsort(kind="stable")[: candidates.count]
    return Ranking(order, candidates.importance[order])


SELECTIONS.add(Selection("importance", "the least important", rank, weighs_importance=True))
