"""The plug-in over a histogram, Miller-Madow corrected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning_ext.choices.estimators import ESTIMATORS, Estimator

if TYPE_CHECKING:
    from torch import Tensor

    from pruning_ext._arguments import Strategy
    from pruning_ext._progress import Stage


def estimate(samples: Tensor, *, bins: int, strategy: Strategy, stage: Stage) -> Tensor:
    """From ``bins`` x ``bins`` cells, see :func:`pruning_ext.ops.mi.mutual_information`."""
    from pruning_ext.ops.mi import discretize, mutual_information_from_codes

    codes, _ = stage("discretising", discretize, samples, bins, strategy)
    return stage("information", mutual_information_from_codes, codes, bins=bins, correction="miller-madow")


ESTIMATORS.add(Estimator("histogram", "of bins, corrected for their number", estimate, default_tokens=8192))
