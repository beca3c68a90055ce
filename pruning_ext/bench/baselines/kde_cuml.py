"""Gaussian KDE by cuML, on a CUDA device, row by row. Arguments and result as in :mod:`~.kde_torch`."""

from __future__ import annotations

import torch
from cuml.neighbors import KernelDensity
from torch import Tensor


def cuml_kde(samples: Tensor, points: Tensor, bandwidth: Tensor) -> Tensor:
    """``cuml.neighbors.KernelDensity``; tensors are handed over where they lie."""
    rows = []
    for row, at, h in zip(samples, points, bandwidth.tolist(), strict=True):
        estimate = KernelDensity(kernel="gaussian", bandwidth=h, output_type="cupy").fit(row[:, None])
        rows.append(torch.as_tensor(estimate.score_samples(at[:, None]), device=samples.device).exp())
    return torch.stack(rows)
