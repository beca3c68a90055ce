"""What each argument of ``gaussian_kde`` means: points, bandwidth, dtypes, strides, the grid."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from pruning_ext import gaussian_kde, gaussian_kde_grid


def _normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_points_of_one_row_serve_all(device):
    samples, points = _normal(6, 50).to(device), _normal(21, seed=1).to(device)
    shared = gaussian_kde(samples, points, 0.3)
    assert shared.shape == (6, 21)
    torch.testing.assert_close(shared, gaussian_kde(samples, points.repeat(6, 1), 0.3), rtol=0, atol=0)


def test_order_of_points_does_not_matter(device):
    samples, points = _normal(3, 50).to(device), _normal(3, 40, seed=1).to(device)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(2)).to(device)
    found = gaussian_kde(samples, points, 0.3)[:, order]
    torch.testing.assert_close(gaussian_kde(samples, points[:, order], 0.3), found, rtol=2e-12, atol=0)


@pytest.mark.parametrize("rule", ["scott", "silverman"])
@pytest.mark.parametrize("weighted", [False, True])
def test_rules_are_scipys(rule, weighted, device, assert_density):
    """Both by SciPy's own bandwidth (unbiased covariance, effective number of samples) and by its density."""
    samples, points = _normal(4, 101), _normal(4, 40, seed=1)
    weights = _normal(4, 101, seed=2).abs() if weighted else None
    if weighted:
        weights[:, ::5] = 0
    on_device = None if weights is None else weights.to(device)
    found = gaussian_kde(samples.to(device), points.to(device), rule, weights=on_device).cpu()
    for r in range(4):
        row_weights = None if weights is None else weights[r].numpy()
        kde = stats.gaussian_kde(samples[r].numpy(), rule, weights=row_weights)
        np.testing.assert_allclose(found[r], kde(points[r].numpy()), rtol=2e-12)
        h = float(np.sqrt(kde.covariance[0, 0]))
        narrowed = None if weights is None else weights[r : r + 1]
        assert_density(found[r : r + 1], samples[r : r + 1], points[r : r + 1], h, weights=narrowed)


def test_ken_rule(device, assert_density):
    samples, points = 0.05 * _normal(3, 300), 0.05 * _normal(3, 40, seed=1)
    h = 1.06 * samples.std(1, correction=0) * 300**-0.2
    assert_density(gaussian_kde(samples.to(device), points.to(device), "ken"), samples, points, h)


def test_default_rule_is_scott(device):
    samples, points = _normal(2, 30).to(device), _normal(2, 9, seed=1).to(device)
    assert torch.equal(gaussian_kde(samples, points), gaussian_kde(samples, points, "scott"))


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_rules_far_from_zero(offset, device, assert_density):
    """A variance taken as the mean of squares less the squared mean would be noise at 1e6 deviations."""
    samples = offset + _normal(2, 200)
    h = torch.from_numpy(samples.numpy().std(1, ddof=1) * 200**-0.2)
    assert_density(
        gaussian_kde(samples.to(device), samples[:, :50].to(device)), samples, samples[:, :50], h, 1e-10
    )


def test_rules_in_bfloat16_are_those_of_the_rounded_samples(device, assert_density):
    samples = _normal(2, 500).to(torch.bfloat16)
    h = samples.double().std(1) * 500**-0.2
    assert_density(gaussian_kde(samples.to(device), samples[:, :50].to(device)), samples, samples[:, :50], h)


def test_bandwidth_as_number_tensor_and_scalar_tensor(device):
    samples, points = _normal(3, 50).to(device), _normal(3, 21, seed=1).to(device)
    expected = gaussian_kde(samples, points, 0.25)  # 0.25 is exact in every dtype
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        for bandwidth in (torch.tensor(0.25), torch.full((3,), 0.25), torch.tensor([0.25]).expand(3)):
            assert torch.equal(gaussian_kde(samples, points, bandwidth.to(device, dtype)), expected)
    assert torch.equal(gaussian_kde(samples, points / 0.25, 1), gaussian_kde(samples, points / 0.25, 1.0))


def test_bandwidth_belongs_to_its_row(device):
    samples, points, h = _normal(3, 50).to(device), _normal(21, seed=1).to(device), [0.1, 0.5, 2.0]
    together = gaussian_kde(samples, points, torch.tensor(h, device=device))
    for r in range(3):
        alone = gaussian_kde(samples[r : r + 1], points, torch.tensor([h[r]], device=device))
        torch.testing.assert_close(together[r : r + 1], alone, rtol=2e-12, atol=0)


def test_dtypes_mix_and_samples_decide(dtype, device, assert_density):
    """Points keep their own precision: a float64 point is not rounded to the samples' dtype."""
    samples = _normal(2, 60).to(dtype)
    for points_dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        points = _normal(2, 40, seed=1).to(points_dtype)
        found = gaussian_kde(samples.to(device), points.to(device), 0.01)
        assert_density(found, samples, points, 0.01, what=str(points_dtype))


def test_strides(dtype, device):
    """Transposed, strided, expanded and offset views give what their contiguous copies give."""
    wide = _normal(60, 80).to(device, dtype)
    row = wide[:1]
    for samples in (
        wide.T,
        wide[:, ::3],
        wide[5:, 7:],
        wide[::2],
        row.expand(4, -1),
        wide[:, :1].expand(-1, 9),
    ):
        points = _normal(30, 2 * len(samples), seed=1).to(device, dtype).T[::2]
        plain = gaussian_kde(samples.contiguous(), points.contiguous(), 0.5)
        assert torch.equal(gaussian_kde(samples, points, 0.5), plain)
        weights = (wide.abs() + 0.1).T[: samples.shape[1], 0] if samples.shape[1] <= 80 else None
        if weights is not None:
            plain = gaussian_kde(samples.contiguous(), points.contiguous(), 0.5, weights=weights.contiguous())
            assert torch.equal(gaussian_kde(samples, points, 0.5, weights=weights), plain)


def test_empty(dtype, device):
    for rows, points, expected in ((0, torch.ones(0, 5), (0, 5)), (3, torch.ones(3, 0), (3, 0))):
        found = gaussian_kde(torch.zeros(rows, 7, dtype=dtype, device=device), points.to(device), 1.0)
        assert found.shape == expected
        assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert gaussian_kde(torch.zeros(0, 7, device=device), torch.ones(4, device=device)).shape == (0, 4)
    grid, density = gaussian_kde_grid(torch.zeros(0, 7, device=device), 5)
    assert grid.shape == density.shape == (0, 5)


@pytest.mark.parametrize("num_points", [1, 2, 33, 384, 2049])
def test_grid(num_points, dtype, device, assert_density):
    samples = (3 + _normal(4, 129)).to(dtype)
    grid, density = gaussian_kde_grid(samples.to(device), num_points, 0.2)
    grid = grid.cpu()
    assert grid.dtype == density.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    low, high = samples.to(grid.dtype).aminmax(dim=1)
    assert torch.equal(grid[:, 0], low)
    if num_points > 1:
        assert torch.equal(grid[:, -1], high)
        assert (grid.diff(dim=1) > 0).all()
        expected = np.linspace(low.double().numpy(), high.double().numpy(), num_points, axis=1)
        torch.testing.assert_close(
            grid.double(), torch.from_numpy(expected), rtol=2 * torch.finfo(grid.dtype).eps, atol=0
        )
    assert_density(density, samples, grid, 0.2)


@pytest.mark.parametrize("rtol", [1e-3, 1e-9, 1e-12, 0.0])
def test_grid_tolerance(rtol, device, assert_density):
    samples = _normal(3, 200)
    grid, density = gaussian_kde_grid(samples.to(device), 333, "ken", rtol=rtol)
    h = 1.06 * samples.std(1, correction=0) * 200**-0.2
    assert_density(density, samples, grid, h, rtol)


def test_grid_of_outliers_and_constant_rows(device, assert_density):
    """An outlier leaves most of the grid empty; a constant row's grid is one place."""
    samples = 0.02 * _normal(3, 200)
    samples[0, 5], samples[1] = 1e3, 0.25
    grid, density = gaussian_kde_grid(samples.to(device), 384, 0.01)
    assert (grid[1] == 0.25).all()
    assert_density(density, samples, grid, 0.01)


def test_density_outside_float32_is_infinite_or_zero_not_nan(device):
    """A peak above 3.4e38 has no float32; a point 1e30 bandwidths away has density 0."""
    samples = torch.zeros(1, 4, device=device)
    peak = gaussian_kde(samples, torch.zeros(1, 1, device=device), 1e-39)
    assert peak.item() == math.inf
    assert gaussian_kde(samples, torch.full((1, 1), 1e30, device=device), 1.0).item() == 0
