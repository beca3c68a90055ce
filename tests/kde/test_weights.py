"""Weights, and leaving a point's own sample out."""

import math

import pytest
import torch

from pruning_ext import gaussian_kde, reference

RTOLS = (None, 1e-9, 0.0)


def _normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _weights(kind, rows, count):
    generator = torch.Generator().manual_seed(5)
    uniform = torch.rand(rows, count, generator=generator, dtype=torch.float64)
    if kind == "half zero":
        return uniform * (uniform > 0.5)
    if kind == "one only":
        return torch.eye(count, dtype=torch.float64)[torch.arange(rows) % count]
    if kind == "nine decades":
        return 10 ** (-9 * uniform)
    if kind == "sum 1e30":
        return 1e30 * uniform
    if kind == "sum 1e-30":
        return 1e-30 * uniform
    if kind == "sums overflow":
        return 1e308 * (0.1 + uniform)
    if kind == "squares underflow":
        return 1e-300 * uniform
    if kind == "least number":
        return torch.full((rows, count), 5e-324, dtype=torch.float64)
    return uniform


KINDS = (
    "uniform",
    "half zero",
    "one only",
    "nine decades",
    "sum 1e30",
    "sum 1e-30",
    "sums overflow",
    "squares underflow",
    "least number",
)


@pytest.mark.parametrize("rtol", RTOLS)
@pytest.mark.parametrize("kind", KINDS)
def test_weights(kind, rtol, device, assert_density):
    samples, points, weights = _normal(5, 129), 3 * _normal(5, 70, seed=1), _weights(kind, 5, 129)
    found = gaussian_kde(samples.to(device), points.to(device), 0.1, weights=weights.to(device), rtol=rtol)
    shares = weights / weights.amax(1, keepdim=True)  # the definition's own sums are to be numbers
    assert_density(found, samples, points, 0.1, rtol, weights=shares, what=kind)


def test_weights_of_every_dtype(dtype, device, assert_density):
    samples, points = _normal(3, 50), _normal(3, 20, seed=1)
    weights = _weights("uniform", 3, 50).to(dtype)
    found = gaussian_kde(samples.to(device), points.to(device), 0.1, weights=weights.to(device))
    assert_density(found, samples, points, 0.1, weights=weights)


def test_weights_of_one_row_serve_all(device):
    samples, points = _normal(3, 50).to(device), _normal(3, 20, seed=1).to(device)
    weights = _weights("uniform", 1, 50)[0].to(device)
    shared = gaussian_kde(samples, points, 0.1, weights=weights)
    assert torch.equal(shared, gaussian_kde(samples, points, 0.1, weights=weights.repeat(3, 1)))


def test_equal_weights_are_no_weights(device):
    samples, points = _normal(3, 50).to(device), _normal(3, 20, seed=1).to(device)
    weighted = gaussian_kde(samples, points, 0.1, weights=torch.full((50,), 7.0, device=device))
    torch.testing.assert_close(weighted, gaussian_kde(samples, points, 0.1), rtol=2e-12, atol=0)


@pytest.mark.parametrize("rtol", RTOLS)
def test_zero_weight_removes_a_sample(rtol, device, assert_density):
    """Even where it would be the only one near: far samples of weight zero leave no trace."""
    samples = torch.cat([_normal(2, 60), torch.tensor([[40.0, -1e7], [1e12, 55.0]], dtype=torch.float64)], 1)
    weights = torch.cat([torch.ones(60), torch.zeros(2)]).double()
    points = torch.cat([samples, samples[:, -2:] + 0.5], 1)
    found = gaussian_kde(samples.to(device), points.to(device), 0.2, weights=weights.to(device), rtol=rtol)
    assert_density(found, samples[:, :60], points, 0.2, rtol)


@pytest.mark.parametrize("rtol", RTOLS)
def test_light_sample_beside_a_heavy_one(rtol, device, assert_density):
    """At 1e-11 of the weight a sample's own peak is still above 1e-12 of the row's, hence to be exact."""
    samples = torch.tensor([[0.0, 9.0, 30.0, 31.0]], dtype=torch.float64)
    weights = torch.tensor([1.0, 1e-11, 2e-11, 0.0], dtype=torch.float64)
    points = torch.linspace(-12, 45, 300, dtype=torch.float64)[None]
    found = gaussian_kde(samples.to(device), points.to(device), 1.0, weights=weights.to(device), rtol=rtol)
    assert_density(found, samples, points, 1.0, rtol, weights=weights)


@pytest.mark.parametrize("log", [False, True])
def test_leave_one_out_where_nothing_is_left(log, device):
    """One sample, or all weight on one: a density of 0, in the reference too."""
    samples = torch.tensor([[0.5, 2.0, 0.25]], dtype=torch.float64)
    heavy, h = torch.tensor([[0.0, 3.0, 0.0]], dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    for x, w in ((samples[:, :1], None), (samples, heavy)):
        own = w.to(device) if w is not None else None
        found = gaussian_kde(x.to(device), x.to(device), 1.0, weights=own, log=log, leave_one_out=True).cpu()
        defined = reference.gaussian_kde(x, x, h, w, log, leave_one_out=True)
        nothing = -math.inf if log else 0.0
        left = 0 if w is None else 1
        assert found[0, left] == defined[0, left] == nothing
        torch.testing.assert_close(found, defined, rtol=1e-12, atol=0)


@pytest.mark.parametrize("rtol", [None, 1e-3, 1e-9, 1e-12, 0.0])
@pytest.mark.parametrize("count", [2, 3, 31, 33, 129, 250])
@pytest.mark.parametrize("h", [1e-4, 0.1, 50.0])
def test_leave_one_out(count, h, rtol, dtype, device, assert_density):
    """At 1e-4 most samples stand alone; without its own kernel nothing may remain of what was subtracted."""
    samples = _normal(3, count, seed=count).to(dtype)
    found = gaussian_kde(samples.to(device), samples.to(device), h, leave_one_out=True, rtol=rtol)
    assert_density(found, samples, samples, h, rtol, leave_one_out=True)


@pytest.mark.parametrize("rtol", RTOLS)
def test_leave_one_out_at_points_that_are_not_the_samples(rtol, device, assert_density):
    """Sample j is left out at point j, wherever that point is."""
    samples, points = _normal(3, 80), 2 * _normal(3, 80, seed=1)
    found = gaussian_kde(samples.to(device), points.to(device), 0.3, leave_one_out=True, rtol=rtol)
    assert_density(found, samples, points, 0.3, rtol, leave_one_out=True)


@pytest.mark.parametrize("rtol", RTOLS)
def test_leave_one_out_in_the_tail_of_the_others(rtol, device, assert_density):
    """A lonely sample's own kernel is up to 1e11 times what the others leave there: no subtracting it."""
    cluster = 0.1 * _normal(1, 40)
    lonely = torch.tensor([[3.0, 4.5, 6.0, -5.0, -6.9]], dtype=torch.float64)
    samples = torch.cat([cluster, lonely], 1)
    found = gaussian_kde(samples.to(device), samples.to(device), 1.0, leave_one_out=True, rtol=rtol)
    assert_density(found, samples, samples, 1.0, rtol, leave_one_out=True)


@pytest.mark.parametrize("rtol", RTOLS)
@pytest.mark.parametrize("kind", ["uniform", "half zero", "nine decades"])
def test_leave_one_out_with_weights(kind, rtol, device, assert_density):
    """The others' weights are scaled to sum to 1 without the one left out."""
    samples, weights = _normal(3, 90), _weights(kind, 3, 90)
    on_device = samples.to(device)
    found = gaussian_kde(on_device, on_device, 0.3, weights=weights.to(device), leave_one_out=True, rtol=rtol)
    assert_density(found, samples, samples, 0.3, rtol, weights=weights, leave_one_out=True)


@pytest.mark.parametrize("rtol", RTOLS)
@pytest.mark.parametrize("heavy", [1e3, 1e7, 1e10])
def test_leave_the_heaviest_out(heavy, rtol, device, kde_truth, assert_within):
    """Nearly all of the weight goes: what is left must come from a sum, not from a difference."""
    samples = _normal(1, 30)
    weights = torch.ones(1, 30, dtype=torch.float64)
    weights[0, 11] = heavy
    on_device = samples.to(device)
    found = gaussian_kde(on_device, on_device, 0.5, weights=weights.to(device), leave_one_out=True, rtol=rtol)
    truth = kde_truth(samples, samples, 0.5, weights, leave_one_out=True)
    allowed = {None: 1e-12, 1e-9: 1e-9, 0.0: 0.0}[rtol] + 1e-13
    assert_within(found[:, 11], truth[:, 11], allowed * truth[:, 11], f"weight {heavy}")


def test_leave_one_out_duplicates(device, assert_density):
    """Only the sample goes, not its twins."""
    samples = torch.tensor([[0.0, 0.0, 0.0, 5.0, 5.0, 100.0]], dtype=torch.float64)
    found = gaussian_kde(samples.to(device), samples.to(device), 0.5, leave_one_out=True)
    assert_density(found, samples, samples, 0.5, leave_one_out=True)


def test_leave_out_all_there_is(device):
    """Nothing left: density 0, and its logarithm, in words of IEEE, minus infinity; never NaN."""
    one = torch.ones(2, 1, device=device)
    assert (gaussian_kde(one, one, 1.0, leave_one_out=True) == 0).all()
    assert (gaussian_kde(one, one, 1.0, leave_one_out=True, log=True) == -torch.inf).all()
    samples, weights = (
        torch.tensor([[0.0, 1.0, 2.0]], device=device),
        torch.tensor([1.0, 0.0, 0.0], device=device),
    )
    found = gaussian_kde(samples, samples, 1.0, weights=weights, leave_one_out=True)
    assert found[0, 0] == 0
    assert (found[0, 1:] > 0).all()
