"""KEN's own criterion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning_ext.choices.criteria import CRITERIA, Criterion, Rows

if TYPE_CHECKING:
    from torch import Tensor


def _keep(rows: Rows) -> Tensor:
    from pruning_ext.ops import ken_mask

    return ken_mask(rows.scored, rows.k, keep_ties=rows.keep_ties)


CRITERIA.add(Criterion("ken", "those nearest to k even steps over the row's range", _keep))
