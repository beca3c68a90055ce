"""SciPy and scikit-learn, which share no line with the package, as judges of the same densities."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.neighbors import KernelDensity

from pruning_ext import gaussian_kde, gaussian_kde_grid, reference

RNG = np.random.default_rng(0)
ROWS = {
    "normal": RNG.standard_normal(400),
    "two modes": np.concatenate([RNG.normal(-4, 0.5, 150), RNG.normal(3, 1.5, 250)]),
    "heavy tails": RNG.standard_t(2, 400),
    "std 1e-5": 1e-5 * RNG.standard_normal(400),
    "std 10": 10 * RNG.standard_normal(400),
    "offset": 1000 + RNG.standard_normal(400),
    "outlier": np.append(0.02 * RNG.standard_normal(399), 50.0),
    "duplicates": RNG.integers(-5, 6, 400).astype(float),
    "relu": np.maximum(RNG.standard_normal(400), 0),
}


def _points(row):
    """Within the range, and one and a half of it outside on either side."""
    low, high = row.min(), row.max()
    return np.linspace(low - 1.5 * (high - low), high + 1.5 * (high - low), 301)


@pytest.mark.parametrize("name", ROWS)
def test_scipy(name, device, assert_within):
    row = ROWS[name]
    kde, points = stats.gaussian_kde(row), _points(row)
    truth = torch.from_numpy(kde(points))[None]
    samples = torch.from_numpy(row)[None].to(device)
    found = gaussian_kde(samples, torch.from_numpy(points).to(device))
    # 1e-12 are ours; SciPy forms the bandwidth, and scales by it, in its own way.
    allowed = 4e-12 * truth.clamp_min(1e-12 * kde(row).max())
    assert_within(found, truth, allowed, name)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("h", [0.05, 0.5])
@pytest.mark.parametrize("name", ROWS)
def test_scikit_learn(name, h, log, device, assert_within):
    """Both in plain and in logarithm, the latter far below what a float64 density can hold."""
    row = ROWS[name]
    h = h * row.std()
    points = _points(row)
    # One leaf: through a tree scikit-learn's log density is off by up to 0.3 in the gap to an outlier.
    judge = KernelDensity(bandwidth=h, rtol=0, atol=0, leaf_size=len(row)).fit(row[:, None])
    log_truth = torch.from_numpy(judge.score_samples(points[:, None]))[None]
    samples, on_device = torch.from_numpy(row)[None].to(device), torch.from_numpy(points).to(device)
    found = gaussian_kde(samples, on_device, h, log=log)
    if log:
        assert_within(found, log_truth, 1e-10 + 1e-14 * log_truth.abs(), name)
    else:
        truth = log_truth.exp()
        peak = np.exp(judge.score_samples(row[:, None]).max())
        assert_within(found, truth, 2e-12 * truth.clamp_min(1e-12 * peak), name)


@pytest.mark.parametrize("name", ROWS)
def test_scipy_with_weights(name, device, assert_within):
    row = ROWS[name]
    weights = np.random.default_rng(1).uniform(0, 1, len(row)) * (np.arange(len(row)) % 4 > 0)
    kde, points = stats.gaussian_kde(row, "silverman", weights=weights), _points(row)
    truth = torch.from_numpy(kde(points))[None]
    found = gaussian_kde(
        torch.from_numpy(row)[None].to(device),
        torch.from_numpy(points).to(device),
        "silverman",
        weights=torch.from_numpy(weights).to(device),
    )
    assert_within(found, truth, 4e-12 * truth.clamp_min(1e-12 * kde(row).max()), name)


@pytest.mark.parametrize("name", ROWS)
def test_scipy_on_a_grid(name, device, assert_within):
    row = ROWS[name]
    grid, density = gaussian_kde_grid(torch.from_numpy(row)[None].to(device), 257, "silverman")
    kde = stats.gaussian_kde(row, "silverman")
    truth = torch.from_numpy(kde(grid[0].cpu().numpy()))[None]
    assert_within(density, truth, 4e-12 * truth.clamp_min(1e-12 * kde(row).max()), name)


def test_direct_sum_in_extended_precision(device, assert_within):
    """At rtol = 0 nothing but float64's own rounding is left: 64-bit mantissas of long double show it."""
    row, points, h = ROWS["heavy tails"], _points(ROWS["heavy tails"])[::5], 0.3
    z = (points.astype(np.longdouble)[:, None] - row) / np.longdouble(h)
    terms = np.exp(-(z**2) / 2).mean(1) / (np.longdouble(h) * np.sqrt(2 * np.pi * np.longdouble(1)))
    truth = torch.from_numpy(terms.astype(np.float64))[None]
    samples = torch.from_numpy(row)[None].to(device)
    found = gaussian_kde(samples, torch.from_numpy(points).to(device), h, rtol=0)
    assert_within(found, truth, 5e-14 * truth.clamp_min(1e-12 * truth.max()))


@pytest.mark.parametrize("name", ROWS)
def test_the_reference_itself(name, assert_within):
    """Whoever trusts ``reference.gaussian_kde`` as truth, as these tests do elsewhere, may."""
    row = ROWS[name]
    samples, points = torch.from_numpy(row)[None], torch.from_numpy(_points(row))
    kde = stats.gaussian_kde(row, "scott")
    h = reference.kde_bandwidth(samples, "scott")
    assert h.item() == pytest.approx(np.sqrt(kde.covariance[0, 0]), rel=1e-13)
    truth = torch.from_numpy(kde(points.numpy()))[None]
    # SciPy divides by the bandwidth before it subtracts: far from zero that costs its tails digits.
    allowed = 2e-12 * truth.clamp_min(1e-12 * kde(row).max())
    assert_within(reference.gaussian_kde(samples, points, h), truth, allowed, name)
