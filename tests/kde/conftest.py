"""The truth of a density, and the contract's bound around it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pruning_ext.ops import reference

TERMS = 2_000_000  # kernels in memory at once: 16 MB in float64


@pytest.fixture(scope="session")
def kde_truth() -> Callable[..., Tensor]:
    """``kde_truth(samples, points, h, weights=None, log=False, leave_one_out=False)``, in float64."""
    return _truth


@pytest.fixture(scope="session")
def assert_density(assert_within: Callable[..., None]) -> Callable[..., None]:
    """``assert_density(found, samples, points, h, rtol, ...)``: design.md's bound, and the output's dtype."""

    def check(
        found: Tensor,
        samples: Tensor,
        points: Tensor,
        h: Tensor | float,
        rtol: float | None = None,
        weights: Tensor | None = None,
        leave_one_out: bool = False,
        what: str = "",
    ) -> None:
        wide = samples.dtype == torch.float64
        assert found.dtype == (torch.float64 if wide else torch.float32)
        if rtol is None:
            rtol = 1e-12 if wide else 1e-5
        truth = _truth(samples, points, h, weights, leave_one_out=leave_one_out)
        # 1e-13: what float64 brute force itself may be off by, which matters from rtol = 1e-12 on.
        relative = rtol + (1e-13 if wide else torch.finfo(torch.float32).eps)
        floor = 1e-12 * _peak(samples, h, weights, truth)
        smallest = torch.finfo(found.dtype).smallest_normal
        assert_within(found, truth, relative * torch.maximum(truth, floor) + smallest, what)

    return check


def _truth(
    samples: Tensor,
    points: Tensor,
    bandwidth: Tensor | float,
    weights: Tensor | None = None,
    log: bool = False,
    leave_one_out: bool = False,
) -> Tensor:
    samples, points = samples.detach().cpu().double(), points.detach().cpu().double()
    rows, count = samples.shape
    points = points.expand(rows, -1)
    h = torch.as_tensor(bandwidth, dtype=torch.float64).cpu().expand(rows)
    w = None if weights is None else weights.detach().cpu().double().expand(rows, -1)
    result = samples.new_empty(points.shape)
    for r in range(rows):
        if leave_one_out:  # by its definition: a row without sample j for each point j
            others = torch.arange(count - 1).expand(count, -1)
            others = others + (others >= torch.arange(count)[:, None])
            kept = None if w is None else w[r][others]
            result[r] = reference.gaussian_kde(
                samples[r][others], points[r, :, None], h[r].expand(count), kept, log
            )[:, 0]
            continue
        row, row_w = samples[r : r + 1], None if w is None else w[r : r + 1]
        for begin in range(0, points.shape[1], step := max(1, TERMS // max(1, count))):
            chunk = points[r : r + 1, begin : begin + step]
            result[r, begin : begin + step] = reference.gaussian_kde(row, chunk, h[r : r + 1], row_w, log)[0]
    return result


def _peak(samples: Tensor, h: Tensor | float, weights: Tensor | None, truth: Tensor) -> Tensor:
    """A row's largest density ``[R, 1]``, sought at its samples (512 of a long row) and its points."""
    count = samples.shape[1]
    places = samples.double().sort(dim=1).values[:, :: -(-count // 512)]
    if weights is not None:  # the heaviest sample
        heaviest = weights.double().expand(samples.shape).argmax(1, keepdim=True)
        places = torch.cat([places, samples.double().gather(1, heaviest)], 1)
    density = torch.cat([_truth(samples, places, h, weights), truth], 1)
    return density.nan_to_num(nan=0).amax(1, keepdim=True)
