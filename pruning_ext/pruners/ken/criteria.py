"""Selection of the entries that stay, by any of the registered criteria."""

from __future__ import annotations

import torch
from torch import Tensor

from pruning_ext.choices.criteria import CRITERIA, Rows


def reads_base(criterion: str, on: str) -> bool:
    """Whether rows are scored by their difference from the pretrained ones."""
    return on == "delta" or CRITERIA[criterion].of_delta


def select_entries(
    weight: Tensor,
    pretrained: Tensor,
    k: int,
    *,
    criterion: str,
    on: str = "weight",
    keep_ties: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Bool ``[R, N]``: the entries of each row to keep, exactly ``k`` (all if ``k >= N``).

    Args:
        weight: fine-tuned rows ``[R, N]``, finite.
        pretrained: their counterparts ``[R, N]``.
        k: entries kept per row.
        criterion: one of :data:`pruning_ext.choices.criteria.CRITERIA`.
        on: score the ``weight`` itself or its ``delta`` from the pretrained value; the criteria ``delta`` and
            ``random`` do not depend on it.
        keep_ties: with ``ken``, keep every entry equal to a kept one too.
        generator: the source of ``random``.

    Equal scores keep the earlier entry.
    """
    if k >= weight.shape[1]:
        return torch.ones_like(weight, dtype=torch.bool)
    scored = weight
    if reads_base(criterion, on):
        wide = torch.promote_types(weight.dtype, torch.float32)
        scored = weight.to(wide) - pretrained.to(wide)
    return CRITERIA[criterion].keep(Rows(scored, k, keep_ties, generator))
