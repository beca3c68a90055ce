"""The entries of largest absolute value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning_ext.choices.criteria import CRITERIA, Criterion, Rows

if TYPE_CHECKING:
    from torch import Tensor


def keep_largest(rows: Rows) -> Tensor:
    """The ``k`` entries of each row that are furthest from zero."""
    from pruning_ext.choices.criteria.largest import largest

    return largest(rows.scored.abs(), rows.k)


CRITERIA.add(Criterion("magnitude", "the largest in absolute value", keep_largest))
