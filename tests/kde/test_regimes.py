"""Densities against float64 brute force on every kind of row that has its own way to go wrong."""

import math

import pytest
import torch

from pruning_ext import gaussian_kde

# 1e-5 and 1e-12 are the defaults, 0 the direct sum; the others lie on either side of where methods change.
RTOLS = (None, 1e-3, 1e-5, 1e-9, 1e-12, 0.0)


def _normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _around(samples, h, count=61, reach=12.0, seed=1):
    """Points among the samples, and out to ``reach`` bandwidths about each of a few of them."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randint(samples.shape[1], (len(samples), count), generator=generator)
    steps = torch.linspace(-reach, reach, count, dtype=torch.float64)
    return samples.gather(1, chosen) + steps * torch.as_tensor(h, dtype=torch.float64).reshape(-1, 1)


def _gaps():
    """Clusters with nothing between them; points walk through every gap bandwidth by bandwidth."""
    centres = torch.tensor([0.0, 15.0, 33.0, 1e3, 1e6], dtype=torch.float64)
    samples = (centres[:, None] + 0.3 * _normal(5, 9)).reshape(1, -1)
    walk = torch.linspace(-14, 14, 113, dtype=torch.float64)
    return samples, (centres[:, None] + walk).reshape(1, -1), 1.0


def _outlier():
    samples = 0.02 * _normal(3, 200)
    samples[:, 77] = torch.tensor([1e2, -1e4, 1e6], dtype=torch.float64)
    return samples, _around(samples, 0.01), 0.01


def _outlier_under_a_rule():
    """The outlier decides the bandwidth: all others then lie in one box."""
    samples = 0.02 * _normal(3, 200)
    samples[:, 77] = torch.tensor([1e2, -1e4, 1e6], dtype=torch.float64)
    h = 1.06 * samples.std(1, correction=0) * 200**-0.2
    return samples, _around(samples, h), h


def _bandwidth_per_row():
    """Eighteen decades of bandwidth in one call: a row must not borrow its neighbour's."""
    samples = _normal(19, 50)
    h = torch.logspace(-12, 6, 19, dtype=torch.float64)
    return samples, _around(samples, h), h


def _commensurate(spacing):
    """Samples and points on, and half way between, multiples of a part of the bandwidth."""
    samples = torch.arange(-40, 41, dtype=torch.float64)[None] * spacing
    points = torch.arange(-200, 201, dtype=torch.float64)[None] * (spacing / 2)
    return samples, points, 1.0


def _duplicates():
    samples = _normal(2, 7).repeat_interleave(40, dim=1)
    return samples, _around(samples, 0.1), 0.1


def _offset():
    """1000 standard deviations from zero: squares expanded as p^2 - 2px + x^2 would lose everything."""
    samples = 1000 + _normal(3, 150)
    return samples, _around(samples, 0.3), 0.3


def _far_points():
    samples = _normal(2, 64)
    far = torch.tensor([9.4, 9.6, 12.0, 50.0, 1e4, 1e9, 1e30], dtype=torch.float64)
    points = torch.cat([-far.flip(0), torch.zeros(1, dtype=torch.float64), far])
    return samples, points, 1.0


def _skewed_tail():
    """A dense cluster and single samples so far that density there is near 1e-12 of the peak."""
    samples = torch.cat([0.01 * _normal(1, 2000), torch.linspace(4, 9, 11, dtype=torch.float64)[None]], 1)
    return samples, torch.linspace(-9, 18, 400, dtype=torch.float64)[None], 0.9


def _cauchy():
    samples = torch.tan(math.pi * (torch.linspace(0.0005, 0.9995, 999, dtype=torch.float64) - 0.5))[None]
    return samples, torch.cat([_around(samples, 0.4, 301), samples[:, ::7]], 1), 0.4


REGIMES = {
    "plain": lambda: (_normal(4, 300), _normal(4, 130, seed=2), 0.25),
    "std 1e-5": lambda: (1e-5 * _normal(2, 200), 1e-5 * _normal(2, 90, seed=2), 3e-6),
    "std 10": lambda: (10 * _normal(2, 200), 10 * _normal(2, 90, seed=2), 3.0),
    "std 1e-30": lambda: (1e-30 * _normal(2, 99), 1e-30 * _normal(2, 33, seed=2), 3e-31),
    "std 1e30": lambda: (1e30 * _normal(2, 99), 1e30 * _normal(2, 33, seed=2), 3e29),
    "constant rows": lambda: (
        torch.full((2, 40), 0.7).double(),
        torch.linspace(-1, 2, 61)[None].repeat(2, 1),
        0.1,
    ),
    "all zero": lambda: (torch.zeros(1, 33).double(), torch.linspace(-12, 12, 97)[None], 1.0),
    "mostly zero": lambda: (_normal(2, 300).clamp_min(0.6), _normal(2, 90, seed=3).clamp_min(0), 0.05),
    "duplicates": _duplicates,
    "gaps": _gaps,
    "outlier": _outlier,
    "outlier under a rule": _outlier_under_a_rule,
    "offset": _offset,
    "bandwidth per row": _bandwidth_per_row,
    "islands": lambda: (_normal(3, 120), _around(_normal(3, 120), 1e-7), 1e-7),
    "islands below resolution": lambda: (_normal(3, 120), _around(_normal(3, 120), 1e-15), 1e-15),
    "huge bandwidth": lambda: (_normal(3, 120), 5 * _normal(3, 60, seed=2), 1e3),
    "bandwidth 1e9 ranges": lambda: (_normal(3, 120), 5e9 * _normal(3, 60, seed=2), 1e9),
    "far points": _far_points,
    "tail of a cluster": _skewed_tail,
    "cauchy": _cauchy,
    "on eighths": lambda: _commensurate(0.125),
    "on quarters": lambda: _commensurate(0.25),
    "on sixteenths off by one": lambda: _commensurate(0.0625 * (1 + 2**-40)),
    "on halves": lambda: _commensurate(0.5),
}


@pytest.mark.parametrize("rtol", RTOLS)
@pytest.mark.parametrize("regime", REGIMES)
def test_float64(regime, rtol, device, assert_density):
    samples, points, h = REGIMES[regime]()
    on_device = h.to(device) if isinstance(h, torch.Tensor) else h
    found = gaussian_kde(samples.to(device), points.double().to(device), on_device, rtol=rtol)
    assert_density(found, samples, points, h, rtol, what=regime)


@pytest.mark.parametrize("rtol", [None, 1e-3, 0.0])
@pytest.mark.parametrize("regime", [name for name in REGIMES if "1e9" not in name and "far" not in name])
def test_narrow_dtypes(regime, rtol, dtype, device, assert_density):
    """The grids of fp16 and bf16 make ties and gaps of their own; the truth is that of the rounded inputs."""
    samples, points, h = REGIMES[regime]()
    if dtype == torch.float16:  # its range ends at 65504 and 6e-8
        largest = max(samples.abs().max().item(), points.abs().max().item())
        scale = 6e4 / largest if largest > 6e4 else 1.0 if largest > 1e-3 else 1 / largest
        samples, points, h = samples * scale, points * scale, h * scale
    samples, points = samples.to(dtype), points.to(dtype)
    on_device = h.to(device) if isinstance(h, torch.Tensor) else h
    found = gaussian_kde(samples.to(device), points.to(device), on_device, rtol=rtol)
    assert_density(found, samples, points, h, rtol, what=regime)


SIZES = (1, 2, 3, 31, 32, 33, 127, 128, 129, 1009)


@pytest.mark.parametrize("rtol", [None, 1e-9, 0.0])
@pytest.mark.parametrize("num_points", SIZES)
@pytest.mark.parametrize("count", SIZES)
def test_sizes(count, num_points, rtol, device, assert_density):
    """About vector widths and their multiples, and a prime: where remainders of loops go wrong."""
    samples, points = (
        _normal(3, count, seed=count).float(),
        _normal(3, num_points, seed=num_points + 7).float(),
    )
    found = gaussian_kde(samples.to(device), points.to(device), 0.2, rtol=rtol)
    assert_density(found, samples, points, 0.2, rtol, what=f"{count} samples, {num_points} points")


def test_more_rows_than_a_grid(device, assert_density):
    """65,535 is the most blocks that CUDA's second dimension takes, and far more than any queue of tasks."""
    samples, points = _normal(70_001, 3).float(), _normal(70_001, 2, seed=1).float()
    h = 0.1 + _normal(70_001, seed=2).abs()
    found = gaussian_kde(samples.to(device), points.to(device), h.to(device))
    some = torch.cat([torch.arange(0, 70_001, 97), torch.arange(65_530, 65_542), torch.tensor([70_000])])
    assert_density(found[some.to(device)], samples[some], points[some], h[some])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_long_row(dtype, device, assert_density):
    """200,000 samples: more than a float32 sum bears, and N x K would not fit into memory."""
    samples = _normal(1, 200_000).to(dtype)
    points = torch.cat([samples[:, :100_000], torch.linspace(-7, 7, 100_001, dtype=dtype)[None]], 1)
    found = gaussian_kde(samples.to(device), points.to(device))
    h = samples.double().std(1) * 200_000**-0.2
    some = torch.arange(0, points.shape[1], 3001)
    assert_density(found[:, some.to(device)], samples, points[:, some], h)


@pytest.mark.parametrize(("count", "num_points"), [(5, 60_000), (60_000, 5), (1, 60_000), (60_000, 1)])
@pytest.mark.parametrize("rtol", [None, 0.0])
def test_one_row_much_longer_than_the_other(count, num_points, rtol, device, assert_density):
    samples, points = _normal(2, count).float(), _normal(2, num_points, seed=1).float()
    found = gaussian_kde(samples.to(device), points.to(device), 0.01, rtol=rtol)
    assert_density(found, samples, points, 0.01, rtol)
