"""``log=True``: finite and exact however far a point lies from every sample."""

import math

import pytest
import torch

from pruning_ext import gaussian_kde

DISTANCES = (0.0, 1.0, 5.0, 7.4, 9.4, 9.5, 9.6, 10.9, 11.1, 13.2, 25.0, 38.0, 39.0, 50.0, 200.0, 1e4, 1e8)
RTOLS = (None, 1e-3, 1e-9, 1e-12, 0.0)


def _normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _check(found, truth, dtype, assert_within, what=""):
    assert found.isfinite().all()
    wide = dtype == torch.float64
    assert found.dtype == (torch.float64 if wide else torch.float32)
    # The promise, and the rounding of a number as large as the truth.
    allowed = (1e-10 if wide else 1e-4) + 2 * torch.finfo(found.dtype).eps * truth.abs()
    assert_within(found, truth, allowed, what)


@pytest.mark.parametrize("rtol", RTOLS)
@pytest.mark.parametrize("h", [1e-4, 0.1, 30.0])
def test_away_from_all_samples(h, rtol, dtype, device, kde_truth, assert_within):
    samples = _normal(3, 100).to(dtype)
    steps = torch.tensor(DISTANCES, dtype=torch.float64) * h
    low, high = samples.double().aminmax(dim=1, keepdim=True)
    points = torch.cat([low - steps, high + steps], 1)  # float64: no dtype of 16 bits goes so far
    found = gaussian_kde(samples.to(device), points.to(device), h, log=True, rtol=rtol)
    tolerance = {None: 0.0, 1e-3: 1e-3}.get(rtol, 0.0)
    truth = kde_truth(samples, points, h, log=True)
    if tolerance:  # the tolerance asked for is wider than the default's promise
        assert found.isfinite().all()
        assert_within(found, truth, 2 * tolerance + torch.finfo(found.dtype).eps * truth.abs())
    else:
        _check(found, truth, dtype, assert_within, f"h = {h}")


@pytest.mark.parametrize("rtol", [None, 0.0])
def test_between_samples_far_apart(rtol, dtype, device, kde_truth, assert_within):
    """Gaps of 16 to 60,000 bandwidths; the point in the middle hears both sides alike."""
    samples = torch.tensor([[0.0, 16.0, 18.0, 118.0, 1118.0, 61118.0]]).to(dtype)
    middle = (samples[:, 1:] + samples[:, :-1]).double() / 2
    points = torch.cat([middle, middle + 0.01, middle - 7], 1)
    found = gaussian_kde(samples.to(device), points.to(device), 1.0, log=True, rtol=rtol)
    _check(found, kde_truth(samples, points, 1.0, log=True), dtype, assert_within)


@pytest.mark.parametrize("rtol", [None, 0.0])
def test_with_weights(rtol, dtype, device, kde_truth, assert_within):
    """Nearest is not heaviest: a light sample nearby against heavy ones behind it, and zeros in front."""
    samples = torch.tensor([[0.0, 1.0, 2.0, 3.0, 3.5]], dtype=torch.float64)
    weights = torch.tensor([1.0, 1e-8, 1e-20, 1e-35, 0.0], dtype=torch.float64)
    points = torch.linspace(-60, 60, 97, dtype=torch.float64)[None]
    found = gaussian_kde(
        samples.to(device, dtype), points.to(device), 1.0, weights=weights.to(device), log=True, rtol=rtol
    )
    _check(found, kde_truth(samples, points, 1.0, weights, log=True), dtype, assert_within)


@pytest.mark.parametrize("rtol", [None, 0.0])
def test_far_samples_of_weight_zero_do_not_count(rtol, device, kde_truth, assert_within):
    samples = torch.tensor([[0.0, 0.5, 80.0, 200.0]], dtype=torch.float64)
    weights = torch.tensor([1.0, 2.0, 0.0, 0.0], dtype=torch.float64)
    points = torch.tensor([[79.0, 80.0, 81.0, 140.0, 500.0]], dtype=torch.float64)
    found = gaussian_kde(
        samples.to(device), points.to(device), 1.0, weights=weights.to(device), log=True, rtol=rtol
    )
    truth = kde_truth(samples[:, :2], points, 1.0, weights[:2], log=True)
    _check(found, truth, torch.float64, assert_within)


@pytest.mark.parametrize("rtol", [None, 0.0])
def test_leave_one_out_of_isolated_samples(rtol, dtype, device, kde_truth, assert_within):
    """Each sample's only neighbours are up to 50,000 bandwidths away."""
    samples = torch.tensor([[0.0, 0.3, 12.0, 62.0, 1000.0, 50_000.0]]).to(dtype)
    on_device = samples.to(device)
    found = gaussian_kde(on_device, on_device, 1.0, log=True, leave_one_out=True, rtol=rtol)
    _check(found, kde_truth(samples, samples, 1.0, log=True, leave_one_out=True), dtype, assert_within)


@pytest.mark.parametrize("rtol", [None, 0.0])
def test_leave_one_out_with_weights(rtol, device, kde_truth, assert_within):
    samples, weights = 20 * _normal(2, 70), _normal(2, 70, seed=1).abs()
    on_device = samples.to(device)
    found = gaussian_kde(
        on_device, on_device, 0.1, weights=weights.to(device), log=True, leave_one_out=True, rtol=rtol
    )
    truth = kde_truth(samples, samples, 0.1, weights, log=True, leave_one_out=True)
    _check(found, truth, torch.float64, assert_within)


@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e3])
def test_many_samples_in_the_distance(spread, device, kde_truth, assert_within):
    """Far outside, all that counts is how many samples share the nearest place, and how others follow."""
    samples = (spread * _normal(1, 3000)).sort(dim=1).values
    points = (
        torch.tensor([[-50.0, -20.0, 15.0, 50.0, 300.0]], dtype=torch.float64)
        + samples[:, [0, 0, -1, -1, -1]]
    )
    found = gaussian_kde(samples.to(device), points.to(device), 1.0, log=True)
    _check(found, kde_truth(samples, points, 1.0, log=True), torch.float64, assert_within)


@pytest.mark.parametrize("leave_one_out", [False, True])
@pytest.mark.parametrize("crowd", ["zeros", "levels", "narrow"])
def test_crowds_in_the_distance(crowd, leave_one_out, device, kde_truth, assert_within):
    """All of a spike, or of a row that is narrow beside the bandwidth, counts at every point far outside."""
    normal = _normal(1, 2000)
    samples, h = {
        "zeros": (torch.where(_normal(1, 2000, seed=1) < 0.5, 0.0, normal.abs()), 0.05),
        "levels": (normal.round(decimals=1), 0.01),
        "narrow": (1e-3 * normal, 1.0),
    }[crowd]
    points = torch.linspace(-40, 60, 2000, dtype=torch.float64)[None]
    weights = torch.where(_normal(1, 2000, seed=2) < 0, 0.0, 1.0).double()
    for w in (None, weights):
        on_device = None if w is None else w.to(device)
        found = gaussian_kde(
            samples.to(device), points.to(device), h, weights=on_device, log=True, leave_one_out=leave_one_out
        )
        truth = kde_truth(samples, points, h, w, log=True, leave_one_out=leave_one_out)
        _check(found, truth, torch.float64, assert_within)


def test_is_the_logarithm_of_the_density(dtype, device, assert_within):
    samples, points = _normal(4, 200).to(device, dtype), _normal(4, 90, seed=1).to(device, dtype)
    log_density = gaussian_kde(samples, points, 0.2, log=True)
    allowed = 4e-12 if dtype == torch.float64 else 4e-5
    assert_within(log_density, gaussian_kde(samples, points, 0.2).log(), allowed)


def test_beyond_the_range_of_exp(device):
    """Densities of e^(5e15) and e^(-5e17), which no dtype holds, have logarithms."""
    samples = torch.zeros(1, 3, dtype=torch.float64, device=device)
    peak = gaussian_kde(samples, torch.zeros(1, 1, dtype=torch.float64, device=device), 1e-300, log=True)
    assert peak.item() == pytest.approx(300 * math.log(10) - math.log(2 * math.pi) / 2, rel=1e-14)
    far = gaussian_kde(samples, torch.full((1, 1), 1e9, dtype=torch.float64, device=device), 1.0, log=True)
    assert far.item() == pytest.approx(-5e17, rel=1e-14)
