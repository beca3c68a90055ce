"""Gaussian KDE by statsmodels: binning and an FFT, one row at a time. Arguments and result as in
:mod:`~.kde_torch`.
"""

from __future__ import annotations

import numpy as np
import torch
from statsmodels.nonparametric.kde import KDEUnivariate
from torch import Tensor

BINS = 2048


def statsmodels_fft(samples: Tensor, points: Tensor, bandwidth: Tensor) -> Tensor:
    """``KDEUnivariate(fft=True)`` on a grid of its own, interpolated linearly."""
    density = np.empty(points.shape)
    rows = zip(samples.double().numpy(), points.double().numpy(), bandwidth.tolist(), strict=True)
    for index, (row, at, h) in enumerate(rows):
        estimate = KDEUnivariate(row)
        estimate.fit(kernel="gau", bw=h, fft=True, gridsize=BINS, cut=4)
        density[index] = np.interp(at, estimate.support, estimate.density)
    return torch.from_numpy(density)
