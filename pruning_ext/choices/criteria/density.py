"""The entries where the row's own density is largest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning_ext.choices.criteria import CRITERIA, Criterion, Rows

if TYPE_CHECKING:
    from torch import Tensor


def _keep(rows: Rows) -> Tensor:
    from pruning_ext.choices.criteria.largest import largest

    return largest(_own_density(rows.scored), rows.k)


def _own_density(rows: Tensor) -> Tensor:
    import torch

    from pruning_ext.ops import gaussian_kde

    # A constant row has no bandwidth; its entries are equally dense, so the earliest are kept.
    low, high = rows.aminmax(dim=1)
    varied = low < high
    density = torch.zeros(
        rows.shape, dtype=torch.promote_types(rows.dtype, torch.float32), device=rows.device
    )
    if bool(varied.any()):
        samples = rows[varied]
        density[varied] = gaussian_kde(samples, samples, "ken")
    return density


CRITERIA.add(Criterion("density", "the densest, by a Gaussian kernel with KEN's bandwidth", _keep))
