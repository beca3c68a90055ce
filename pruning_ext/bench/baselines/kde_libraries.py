"""Gaussian KDE of many rows by the libraries that have it for one: SciPy and scikit-learn, in float64.

Arguments and result as in :mod:`~.kde_torch`.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import gaussian_kde
from sklearn.neighbors import KernelDensity
from torch import Tensor


def scipy_kde(samples: Tensor, points: Tensor, bandwidth: Tensor) -> Tensor:
    """``scipy.stats.gaussian_kde``, whose bandwidth is a factor of the sample standard deviation."""
    density = np.empty(points.shape)
    rows = zip(samples.double().numpy(), points.double().numpy(), bandwidth.tolist(), strict=True)
    for index, (row, at, h) in enumerate(rows):
        density[index] = gaussian_kde(row, bw_method=h / row.std(ddof=1))(at)
    return torch.from_numpy(density)


def sklearn_kde(samples: Tensor, points: Tensor, bandwidth: Tensor) -> Tensor:
    """``sklearn.neighbors.KernelDensity``, exact (its tolerances are 0 by default)."""
    density = np.empty(points.shape)
    rows = zip(samples.double().numpy(), points.double().numpy(), bandwidth.tolist(), strict=True)
    for index, (row, at, h) in enumerate(rows):
        estimator = KernelDensity(kernel="gaussian", bandwidth=h).fit(row[:, None])
        density[index] = np.exp(estimator.score_samples(at[:, None]))
    return torch.from_numpy(density)
