"""Bad input gets one sentence that names the argument, and the row where there is one."""

import math
import re

import pytest
import torch

from pruning_ext import gaussian_kde, gaussian_kde_grid
from pruning_ext import numpy as arrays


def _samples(device, dtype=torch.float32):
    return torch.randn(5, 20, generator=torch.Generator().manual_seed(0)).to(device, dtype)


def _says(error, exception, *words):
    """One sentence, nothing of C++ in it."""
    message = str(error.value)
    assert type(error.value) is exception
    assert "\n" not in message
    assert len(message) < 250
    for word in words:
        assert re.search(word, message), f"{word!r} is not in {message!r}"
    assert not re.search(r"csrc/|\.cpp|\.h:|Exception raised", message)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 4), (4, 19)])
def test_not_finite(bad, row, column, dtype, device):
    good, broken = _samples(device, dtype), _samples(device, dtype)
    broken[row, column] = bad
    for call in (
        lambda: gaussian_kde(broken, good, 1.0),
        lambda: gaussian_kde(broken, good, 1.0, rtol=0),
        lambda: gaussian_kde(broken, good, 1.0, log=True),
        lambda: gaussian_kde(broken, good, 1.0, leave_one_out=True),
        lambda: gaussian_kde(broken, good),
        lambda: gaussian_kde_grid(broken, 9),
        lambda: gaussian_kde_grid(broken, 9, 1.0),
    ):
        with pytest.raises(ValueError) as error:
            call()
        _says(error, ValueError, "^samples ", "NaN or infinity", rf"row {row}\b")
    for rtol in (None, 0.0):
        with pytest.raises(ValueError) as error:
            gaussian_kde(good, broken, 1.0, rtol=rtol)
        _says(error, ValueError, "^points ", "NaN or infinity", rf"row {row}\b")


def test_not_finite_in_shared_points(device):
    with pytest.raises(ValueError) as error:
        gaussian_kde(_samples(device), torch.tensor([0.0, math.nan], device=device), 1.0)
    _says(error, ValueError, "^points ", "NaN or infinity")


def test_not_finite_deep_in_a_long_row(device):
    """Where blocks of vectors are summed, and after a row that is fine."""
    samples = torch.zeros(2, 100_003, device=device)
    samples[1, 99_999] = math.nan
    with pytest.raises(ValueError) as error:
        gaussian_kde(samples, torch.zeros(3, device=device), 1.0)
    _says(error, ValueError, "^samples ", r"row 1\b")


@pytest.mark.parametrize("bandwidth", [0, 0.0, -1.0, math.nan, math.inf])
def test_bandwidth_out_of_range(bandwidth, device):
    samples = _samples(device)
    calls = [lambda h: gaussian_kde(samples, samples, h), lambda h: gaussian_kde_grid(samples, 9, h)]
    for call in calls:
        with pytest.raises(ValueError) as error:
            call(bandwidth)
        _says(error, ValueError, "^bandwidth ", "positive and finite")
        per_row = torch.ones(5, device=device)
        per_row[2] = bandwidth
        with pytest.raises(ValueError) as error:
            call(per_row)
        _says(error, ValueError, "^bandwidth ", "positive and finite", r"row 2\b")


def test_bandwidth_of_a_wrong_kind(device):
    samples = _samples(device)
    for bandwidth, exception, words in (
        ("botev", ValueError, ["scott", "silverman", "ken", "'botev'"]),
        ("", ValueError, ["scott"]),
        (None, TypeError, ["NoneType"]),
        (True, TypeError, ["bool"]),
        ([1.0] * 5, TypeError, ["list"]),
        (torch.ones(4, device=device), ValueError, [r"\[5\]", r"\(4,\)"]),
        (torch.ones(1, device=device), ValueError, [r"\[5\]", r"\(1,\)"]),
        (torch.ones(5, 1, device=device), ValueError, [r"\[5\]", r"\(5, 1\)"]),
        (torch.ones(5, dtype=torch.int64, device=device), TypeError, ["int64"]),
    ):
        for call in (gaussian_kde, gaussian_kde_grid):
            second = samples if call is gaussian_kde else 9
            with pytest.raises(exception) as error:
                call(samples, second, bandwidth)
            _says(error, exception, "^bandwidth ", *words)


@pytest.mark.parametrize("rule", ["scott", "silverman", "ken"])
def test_constant_row_has_no_bandwidth(rule, dtype, device):
    samples = _samples(device, dtype)
    samples[3] = 0.1  # not representable: a variance of rounding errors is no variance
    for call in (lambda: gaussian_kde(samples, samples, rule), lambda: gaussian_kde_grid(samples, 9, rule)):
        with pytest.raises(ValueError) as error:
            call()
        _says(error, ValueError, "^samples ", "constant", r"row 3\b")


@pytest.mark.parametrize("rule", ["scott", "silverman"])
def test_one_weighted_sample_has_no_bandwidth(rule, device):
    samples = _samples(device)
    weights = torch.zeros(20, device=device)
    weights[7] = 2.0
    with pytest.raises(ValueError) as error:
        gaussian_kde(samples, samples, rule, weights=weights)
    _says(error, ValueError, "^samples ", "all its weight at one value", r"row 0\b")


def test_weights(device):
    samples = _samples(device)
    row = torch.ones(20, device=device)
    for bad in (-1e-3, math.nan, math.inf):
        weights = torch.ones(5, 20, device=device)
        weights[3, 11] = bad
        for rule in (1.0, "scott"):
            with pytest.raises(ValueError) as error:
                gaussian_kde(samples, samples, rule, weights=weights)
            _says(error, ValueError, "^weights ", r"row 3 is not$")
    weights = torch.ones(5, 20, device=device)
    weights[2] = 0
    for options in ({}, {"log": True}, {"rtol": 0.0}, {"leave_one_out": True}):
        with pytest.raises(ValueError) as error:
            gaussian_kde(samples, samples, 1.0, weights=weights, **options)
        _says(error, ValueError, "^weights ", "zero", r"row 2\b")
    for weights, exception, words in (
        (row[:19], ValueError, [r"\(5, 20\)", r"\(19,\)"]),
        (torch.ones(4, 20, device=device), ValueError, [r"\(5, 20\)", r"\(4, 20\)"]),
        (torch.ones(5, 1, device=device), ValueError, [r"\(5, 1\)"]),
        (row.int(), TypeError, ["int32"]),
        (row.to_sparse(), TypeError, ["dense", "sparse_coo"]),
        ([1.0] * 20, TypeError, ["list"]),
    ):
        with pytest.raises(exception) as error:
            gaussian_kde(samples, samples, 1.0, weights=weights)
        _says(error, exception, "^weights ", *words)


@pytest.mark.parametrize("rtol", [-1e-9, 5e-324, 9.9e-15, 1, 1.0, 2, 10**400, math.nan, math.inf])
def test_rtol_out_of_range(rtol, device):
    samples = _samples(device)
    for call in (
        lambda: gaussian_kde(samples, samples, rtol=rtol),
        lambda: gaussian_kde_grid(samples, 9, rtol=rtol),
    ):
        with pytest.raises(ValueError) as error:
            call()
        _says(error, ValueError, "^rtol ", "below 1")


@pytest.mark.parametrize("num_points", [2**60, 2**62, 10**40])
def test_grid_that_no_memory_holds(num_points, device):
    samples = _samples(device)
    for call in (
        lambda: gaussian_kde_grid(samples, num_points),
        lambda: arrays.gaussian_kde_grid(samples.cpu().numpy(), num_points),
    ):
        with pytest.raises(ValueError) as error:
            call()
        _says(error, ValueError, "^num_points is too large")


@pytest.mark.parametrize("wrong", [torch.int32, torch.int64, torch.bool, torch.uint8, torch.complex64])
def test_wrong_dtype(wrong, device):
    samples = _samples(device)
    name = str(wrong)[6:]
    for call, argument in (
        (lambda: gaussian_kde(samples.to(wrong), samples), "samples"),
        (lambda: gaussian_kde(samples, samples.to(wrong)), "points"),
        (lambda: gaussian_kde_grid(samples.to(wrong), 9), "samples"),
    ):
        with pytest.raises(TypeError) as error:
            call()
        _says(error, TypeError, f"^{argument} ", name)


def test_not_a_dense_tensor(device):
    samples = _samples(device)
    for call, argument in (
        (lambda: gaussian_kde(samples.to_sparse(), samples), "samples"),
        (lambda: gaussian_kde(samples, samples.to_sparse()), "points"),
        (lambda: gaussian_kde_grid(samples.to_sparse(), 9), "samples"),
        (lambda: gaussian_kde(samples.tolist(), samples), "samples"),
        (lambda: gaussian_kde(samples, samples.cpu().numpy()), "points"),
    ):
        with pytest.raises(TypeError) as error:
            call()
        _says(error, TypeError, f"^{argument} ")


def test_shapes(device):
    samples, points = _samples(device), _samples(device)
    for call, words in (
        (lambda: gaussian_kde(samples[0, 0], points), ["^samples ", r"\(\)"]),
        (lambda: gaussian_kde(samples[0], points), ["^samples ", r"\(20,\)"]),
        (lambda: gaussian_kde(samples[None], points), ["^samples ", r"\(1, 5, 20\)"]),
        (lambda: gaussian_kde_grid(samples[0], 9), ["^samples ", r"\(20,\)"]),
        (lambda: gaussian_kde(samples[:, :0], points, 1.0), ["^samples ", "without entries", r"\(5, 0\)"]),
        (lambda: gaussian_kde_grid(samples[:, :0], 9, 1.0), ["^samples ", "without entries"]),
        (lambda: gaussian_kde(samples, points[0, 0]), ["^points ", r"\(\)"]),
        (lambda: gaussian_kde(samples, points[None]), ["^points ", r"\(1, 5, 20\)"]),
        (lambda: gaussian_kde(samples, points[:4]), ["^points ", r"\[5, K\]", r"\(4, 20\)"]),
        (lambda: gaussian_kde(samples, points[:1]), ["^points ", r"\(1, 20\)"]),
        (lambda: gaussian_kde(samples, points[:, :19], leave_one_out=True), ["^leave_one_out ", "20", "19"]),
    ):
        with pytest.raises(ValueError) as error:
            call()
        _says(error, ValueError, *words)


@pytest.mark.parametrize("num_points", [0, -1, 1.5, "9", None, True])
def test_num_points(num_points, device):
    with pytest.raises((ValueError, TypeError)) as error:
        gaussian_kde_grid(_samples(device), num_points)
    _says(error, type(error.value), "^num_points ", "at least 1")


def test_devices_must_agree(device):
    samples, points = _samples(device), _samples(device)
    for call, name in (
        (lambda: gaussian_kde(samples, points.to("meta")), "points"),
        (lambda: gaussian_kde(samples, points, torch.ones(5, device="meta")), "bandwidth"),
        (lambda: gaussian_kde(samples, points, weights=torch.ones(20, device="meta")), "weights"),
        (lambda: gaussian_kde_grid(samples, 9, torch.ones(5, device="meta")), "bandwidth"),
    ):
        with pytest.raises(ValueError) as error:
            call()
        _says(error, ValueError, f"^{name} ", "meta", device.type)
