"""Gaussian KDE by KeOps: the table of differences as a symbolic tensor, never made. As in :mod:`~.kde_torch`.

KeOps compiles the formula at first use, which takes a C++ compiler (on CUDA: NVRTC) and some seconds.
"""

from __future__ import annotations

import math

from pykeops.torch import LazyTensor
from torch import Tensor


def keops(samples: Tensor, points: Tensor, bandwidth: Tensor) -> Tensor:
    """One batched reduction ``[R, K, N] -> [R, K]`` of scaled differences."""
    scale = (math.sqrt(0.5) / bandwidth)[:, None]
    at = LazyTensor((points * scale)[:, :, None, None])  # [R, K, 1, 1]
    x = LazyTensor((samples * scale)[:, None, :, None])  # [R, 1, N, 1]
    sums = (-((at - x) ** 2).sum(-1)).exp().sum(dim=2)  # [R, K, 1]
    return sums[..., 0] / (samples.shape[1] * math.sqrt(2 * math.pi) * bandwidth[:, None])
