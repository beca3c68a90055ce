"""What a thread has set its floating-point arithmetic to does not reach the kernels' results."""

import numpy as np
import pytest
import torch

import pruning_ext
from pruning_ext import numpy as on_arrays

# Scales at which a good share of the values is subnormal.
SCALES = {torch.float16: 2e-4, torch.bfloat16: 1e-38, torch.float32: 1e-38, torch.float64: 1e-308}


@pytest.fixture
def flush_subnormals():
    """Turns flushing on for the calling thread, as other libraries do; it is off again after the test."""
    if not torch.set_flush_denormal(False):
        pytest.skip("torch cannot flush subnormals on this processor")
    yield lambda: torch.set_flush_denormal(True)
    torch.set_flush_denormal(False)


def _results(rows, points):
    """Everything as integers: a comparison of floats would flush, too."""
    codes, edges = pruning_ext.discretize(rows.T, bins=4)
    results = [
        pruning_ext.ken_mask(rows, rows.shape[1] // 2),
        pruning_ext.gaussian_kde(rows, points, "ken", log=True),
        pruning_ext.gaussian_kde(rows, points, "ken", log=True, rtol=0),
        codes,
        edges,
        pruning_ext.mutual_information(rows.T, bins=4),
    ]
    return [result.contiguous().view(torch.uint8).clone() for result in results]


@pytest.mark.parametrize("dtype", SCALES, ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_flushing_changes_no_result(dtype, threads, flush_subnormals):
    normal = torch.randn(40, 257, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows = (normal * SCALES[dtype]).to(dtype)
    smallest = torch.finfo(dtype).smallest_normal
    assert ((rows != 0) & (rows.double().abs() < smallest)).double().mean() > 0.1
    points = rows[:, ::16].contiguous()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        expected = _results(rows, points)
        flush_subnormals()
        found = _results(rows, points)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_masks_of_arrays_ignore_the_callers_arithmetic(flush_subnormals):
    rows = (np.random.default_rng(0).normal(size=(40, 257)) * 2e-4).astype(np.float16)
    expected = on_arrays.ken_mask(rows, 128)
    flush_subnormals()
    assert np.array_equal(on_arrays.ken_mask(rows, 128), expected)
    assert np.array_equal(on_arrays.ken_mask(rows, 128, num_threads=2), expected)


def test_the_callers_arithmetic_is_left_as_it_was(flush_subnormals):
    subnormal = torch.tensor([1e-40])
    flush_subnormals()
    pruning_ext.ken_mask(torch.randn(4, 16), 8)
    flushed = float((subnormal * 2).view(torch.int32)) == 0
    torch.set_flush_denormal(False)
    assert flushed
