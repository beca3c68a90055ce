"""The largest scores of each row."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def largest(scores: Tensor, k: int) -> Tensor:
    """Bool mask of the ``k`` largest scores of each row ``[R, N]``; of equal ones the earlier is taken."""
    import torch

    if k == 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    threshold = scores.topk(k, dim=1, sorted=False).values.amin(1, keepdim=True)
    mask = scores >= threshold
    crowded = mask.sum(1) > k
    if bool(crowded.any()):
        ties = scores[crowded] == threshold[crowded]
        above = mask[crowded] & ~ties
        room = k - above.sum(1, keepdim=True)
        mask[crowded] = above | (ties & (ties.cumsum(1) <= room))
    return mask
