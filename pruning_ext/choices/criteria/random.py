"""Entries at random: a control."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning_ext.choices.criteria import CRITERIA, Criterion, Rows

if TYPE_CHECKING:
    from torch import Tensor


def _keep(rows: Rows) -> Tensor:
    import torch

    from pruning_ext.choices.criteria.largest import largest

    # Drawn where the generator is, whatever the default device, so that every device gets the same.
    place = "cpu" if rows.generator is None else rows.generator.device
    scores = torch.empty(rows.scored.shape, dtype=torch.int32, device=place).random_(generator=rows.generator)
    return largest(scores.to(rows.scored.device), rows.k)


CRITERIA.add(Criterion("random", "any, by the seed", _keep))
