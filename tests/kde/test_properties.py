"""What is true of every Gaussian density, for rows that hypothesis chooses."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning_ext import gaussian_kde

RTOL = {torch.float64: 1e-12, torch.float32: 1e-5 + 2e-7}
# Multiples of 1/64 up to 512: exact in float32, and so are their sums with whole numbers.
grains = st.integers(-(2**15), 2**15).map(lambda i: i / 64)
rows = st.lists(grains, min_size=1, max_size=150)
bandwidths = st.sampled_from([1 / 64, 0.3, 1.0, 7.0, 300.0])
dtypes = st.sampled_from([torch.float64, torch.float32])
examples = settings(max_examples=120, deadline=None)


def _close(found, expected, rtol):
    """Two densities, each within ``rtol`` of one truth, or of 1e-12 of the peak where it is less."""
    floor = 1e-12 * expected.amax(1, keepdim=True)
    excess = (found - expected).abs() - 2.1 * rtol * torch.maximum(expected, floor)
    assert (excess <= 0).all(), f"worst excess {excess.max().item():.3g}"


def _row(values, dtype):
    return torch.tensor([values], dtype=dtype)


def _points(row):
    return torch.cat([row, row + 1, row[:, :1] - 3, row.mean(1, keepdim=True).floor()], 1)


@examples
@given(rows, bandwidths, dtypes)
def test_integrates_to_one(values, h, dtype):
    """By the trapezoidal rule at half a bandwidth, which for Gaussians errs by e^-79."""
    row, step = _row(values, dtype), h / 2
    nodes = (row.double() / step).floor().unique()[:, None] + torch.arange(-24, 26)
    density = gaussian_kde(row, nodes.unique()[None] * step, h)
    assert density.double().sum().item() * step == pytest.approx(1, rel=2 * RTOL[dtype])


@examples
@given(rows, bandwidths, dtypes, st.integers(-1000, 1000))
def test_moves_with_its_samples(values, h, dtype, shift):
    row = _row(values, dtype)
    _close(
        gaussian_kde(row + shift, _points(row) + shift, h).double(),
        gaussian_kde(row, _points(row), h).double(),
        RTOL[dtype],
    )


@examples
@given(rows, bandwidths, dtypes, st.integers(-60, 60))
def test_scales_inversely(values, h, dtype, power):
    """By powers of two nothing is rounded: f(s x, s p; s h) = f(x, p; h) / s."""
    row, scale = _row(values, dtype), 2.0**power
    found = gaussian_kde(row * scale, _points(row) * scale, h * scale).double() * scale
    _close(found, gaussian_kde(row, _points(row), h).double(), RTOL[dtype])


@examples
@given(rows, bandwidths, dtypes)
def test_mirrors(values, h, dtype):
    row = _row(values, dtype)
    _close(
        gaussian_kde(-row, -_points(row), h).double(),
        gaussian_kde(row, _points(row), h).double(),
        RTOL[dtype],
    )


@examples
@given(rows, bandwidths, dtypes, st.randoms(use_true_random=False))
def test_does_not_depend_on_the_order_of_samples(values, h, dtype, random):
    shuffled = random.sample(values, len(values))
    points = _points(_row(values, dtype))
    found = gaussian_kde(_row(shuffled, dtype), points, h).double()
    _close(found, gaussian_kde(_row(values, dtype), points, h).double(), RTOL[dtype])


@examples
@given(rows, rows, bandwidths)
def test_is_a_mixture(left, right, h):
    """The density of two rows together is their mean, each weighted by its number of samples."""
    a, b = _row(left, torch.float64), _row(right, torch.float64)
    both = torch.cat([a, b], 1)
    points = _points(both)
    parts = len(left) * gaussian_kde(a, points, h) + len(right) * gaussian_kde(b, points, h)
    _close(gaussian_kde(both, points, h), parts / (len(left) + len(right)), RTOL[torch.float64])


@examples
@given(rows, bandwidths, st.data())
def test_whole_weights_are_repetitions(values, h, data):
    counts = data.draw(st.lists(st.integers(0, 4), min_size=len(values), max_size=len(values)).filter(any))
    row, repeats = _row(values, torch.float64), torch.tensor(counts)
    points = _points(row)
    found = gaussian_kde(row, points, h, weights=repeats.double())
    _close(found, gaussian_kde(row.repeat_interleave(repeats, 1), points, h), RTOL[torch.float64])


@examples
@given(rows, bandwidths)
def test_kernels_are_positive_definite(values, h):
    """The densities at the samples add up to a squared norm, no less than that of the samples apart."""
    row = _row(values, torch.float64)
    peak = 1 / (h * (2 * torch.pi) ** 0.5)
    total = gaussian_kde(row, row, h).mean().item()
    assert peak / len(values) * (1 - 1e-11) <= total <= peak * (1 + 1e-11)


@examples
@given(rows, bandwidths)
def test_leave_one_out_is_the_density_without_the_own_kernel(values, h):
    """N f(x_j) = (N - 1) f_-j(x_j) + K(0); read in the direction in which nothing cancels."""
    row = _row(values, torch.float64)
    count, own = len(values), 1 / (h * (2 * torch.pi) ** 0.5)
    whole = ((count - 1) * gaussian_kde(row, row, h, leave_one_out=True) + own) / count
    _close(whole, gaussian_kde(row, row, h), RTOL[torch.float64])


@examples
@given(rows, bandwidths, st.sampled_from([1e-3, 1e-5, 1e-9, 1e-12]))
def test_any_tolerance_is_kept(values, h, rtol):
    row = _row(values, torch.float64)
    points = _points(row)
    exact = gaussian_kde(row, points, h, rtol=0)
    _close(gaussian_kde(row, points, h, rtol=rtol), exact, rtol)
