"""Gaussian KDE of many rows in plain PyTorch, as well as a competent user would write it.

All take ``samples [R, N]``, ``points [R, K]`` and ``bandwidth [R]``, float32, and give the density
``[R, K]``; on a CUDA device, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

Kde = Callable[[Tensor, Tensor, Tensor], Tensor]

TABLE_BYTES = 8 << 20  # the eager table of differences; larger ones leave the cache and are slower
BINS = 2048


def _direct(samples: Tensor, points: Tensor, bandwidth: Tensor) -> Tensor:
    # Scaling rows first costs N + K divisions instead of N * K; compiled, it is one fused loop over exp.
    scale = (math.sqrt(0.5) / bandwidth)[:, None]
    z = (points * scale)[:, :, None] - (samples * scale)[:, None, :]
    return (-z * z).exp().sum(2) / (samples.shape[1] * math.sqrt(2 * math.pi) * bandwidth[:, None])


def broadcast(samples: Tensor, points: Tensor, bandwidth: Tensor) -> Tensor:
    """The formula by broadcasting, in chunks of rows and of points that keep the table in cache."""
    columns = max(1, TABLE_BYTES // (4 * samples.shape[1]))
    rows = max(1, columns // points.shape[1])
    chunks = zip(samples.split(rows), points.split(rows), bandwidth.split(rows), strict=True)
    return torch.cat([torch.cat([_direct(x, p, h) for p in at.split(columns, 1)], 1) for x, at, h in chunks])


@cache
def broadcast_compiled(threads: int) -> Kde:
    """The formula under ``torch.compile``: one fused loop, no table; the generated code fixes its threads.

    Tried at 768 x 384 and 4096 x 2048 on AVX-512: reducing over samples or over points first, ``exp2``,
    clamping the exponent, ``max-autotune``, unsafe mathematics. None beat this form by more than 2 %.
    """
    return torch.compile(_direct, fullgraph=True, dynamic=False, options={"cpp.threads": threads})


def binned_rfft(samples: Tensor, points: Tensor, bandwidth: Tensor, *, bins: int = BINS) -> Tensor:
    """Linear binning, convolution by a real FFT, linear interpolation: ``O(N + K + bins log bins)`` per row.

    The grid reaches 6 bandwidths past the range, so that what the cyclic convolution wraps around is below
    2e-8 of the peak; the Gaussian's transform is taken in closed form.
    """
    low, high = samples.aminmax(dim=1, keepdim=True)
    first, last = points.aminmax(dim=1, keepdim=True)
    low, high = torch.minimum(low, first), torch.maximum(high, last)
    h = bandwidth[:, None]
    step = (high - low + 6 * h) / bins
    place = (samples - low) / step
    cell = place.floor()
    upper = place - cell
    index = cell.long()
    counts = torch.zeros(len(samples), bins + 1, device=samples.device)
    counts.scatter_add_(1, index, 1 - upper).scatter_add_(1, index + 1, upper)
    frequency = torch.arange(bins // 2 + 1, device=samples.device) * (2 * math.pi / bins)
    transfer = (-0.5 * (frequency * (h / step)).square()).exp() / (samples.shape[1] * step)
    density = torch.fft.irfft(torch.fft.rfft(counts[:, :bins]) * transfer, n=bins)
    place = (points - low) / step
    index = place.long()
    left, right = density.gather(1, index), density.gather(1, (index + 1).clamp_(max=bins - 1))
    return torch.lerp(left, right, place - index)
