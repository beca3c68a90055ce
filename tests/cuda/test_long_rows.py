"""Rows that several blocks share, and whose points do not fit into one launch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from pruning_ext import gaussian_kde

OPS = torch.ops.pruning_ext


@pytest.mark.parametrize("count", [16_384, 16_385, 1_000_003])
@pytest.mark.parametrize("rule", ["scott", "ken"])
def test_bandwidth(device: torch.device, dtype: torch.dtype, count: int, rule: str) -> None:
    samples = (3 + torch.randn(2, count, generator=torch.Generator().manual_seed(count))).to(dtype)
    found = OPS.kde_bandwidth(samples.to(device), None, rule).cpu()
    torch.testing.assert_close(found, OPS.kde_bandwidth(samples, None, rule), rtol=1e-12, atol=0)
    again = OPS.kde_bandwidth(samples.to(device), None, rule).cpu()
    assert torch.equal(found, again)


def test_a_fault_in_the_last_piece(device: torch.device) -> None:
    samples = torch.randn(3, 50_000)
    samples[1, -1] = float("inf")
    with pytest.raises(ValueError, match="row 1"):
        gaussian_kde(samples.to(device), torch.zeros(1, device=device), 0.3)


def test_points_in_parts(device: torch.device, assert_within: Callable[..., None]) -> None:
    """245 segments of samples by 200,000 points: 390 MB of sums, where there are 256."""
    generator = torch.Generator().manual_seed(0)
    samples, points = (torch.randn(1, n, generator=generator) for n in (1_000_000, 200_000))
    truth = gaussian_kde(samples, points, 0.01)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
    found = gaussian_kde(samples.to(device), points.to(device), 0.01)
    if device.type == "cuda":
        inputs = samples.nbytes + points.nbytes
        assert torch.cuda.max_memory_allocated(device) - before < (256 << 20) + 4 * inputs
    assert_within(found, truth, 2.2e-5 * truth.clamp_min(1e-12 * float(truth.max())))
