"""Bad input to ``ken_mask`` gets one sentence that names the argument, and the row where there is one."""

import math
import re

import numpy as np
import pytest
import torch

from pruning_ext import ken_mask


def _weight(device, dtype=torch.float32):
    return torch.randn(5, 20, generator=torch.Generator().manual_seed(0)).to(device, dtype)


def _says(error, *words):
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 250
    for word in words:
        assert re.search(word, message), f"{word!r} is not in {message!r}"
    assert not re.search(r"csrc/|\.cpp|\.h:|Exception raised", message)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 4), (4, 19)])
def test_not_finite(bad, row, column, dtype, device):
    """Also where the answer would not need the row: k = 0, and k >= n."""
    weight = _weight(device, dtype)
    weight[row, column] = bad
    for k in (0, 1, 10, 20, 99):
        for keep_ties in (False, True):
            with pytest.raises(ValueError) as error:
                ken_mask(weight, k, keep_ties=keep_ties)
            _says(error, "^weight ", "NaN or infinity", rf"row {row}\b")


def test_not_finite_in_more_dimensions(device):
    """The row that is named is an index of the first dimension."""
    weight = _weight(device).view(5, 4, 5).clone()
    weight[2, 3, 1] = math.nan
    with pytest.raises(ValueError) as error:
        ken_mask(weight, 3)
    _says(error, "^weight ", r"row 2\b")


def test_not_finite_deep_in_a_long_row_of_many(device):
    weight = torch.zeros(3000, 1001, device=device)
    weight[2718, 999] = math.inf
    with pytest.raises(ValueError) as error:
        ken_mask(weight, 3)
    _says(error, "^weight ", r"row 2718\b")


def test_row_named_is_the_first(threads):
    """Whichever thread comes first."""
    weight = torch.zeros(500, 50)
    weight[77:, 3] = math.nan
    for number in (1, 2, 5):
        threads(number)
        for _ in range(20):
            with pytest.raises(ValueError) as error:
                ken_mask(weight, 3)
            _says(error, r"row 77\b")


@pytest.mark.parametrize("k", [-1, -(2**40)])
def test_negative_k(k, device):
    with pytest.raises(ValueError) as error:
        ken_mask(_weight(device), k)
    _says(error, "^k ", "negative", str(k))


@pytest.mark.parametrize("k", [1.0, 0.5, True, "3", None, [3], np.float64(3)])
def test_k_of_a_wrong_kind(k, device):
    with pytest.raises(TypeError) as error:
        ken_mask(_weight(device), k)
    _says(error, "^k ", "whole number")


@pytest.mark.parametrize("wrong", [torch.int8, torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn])
def test_wrong_dtype(wrong, device):
    with pytest.raises(TypeError) as error:
        ken_mask(_weight(device).to(wrong), 3)
    _says(error, "^weight ", str(wrong)[6:], "bfloat16")


def test_not_a_dense_tensor(device):
    weight = _weight(device)
    for wrong in (weight.to_sparse(), weight.tolist(), weight.cpu().numpy(), None):
        with pytest.raises(TypeError) as error:
            ken_mask(wrong, 3)
        _says(error, "^weight ")


@pytest.mark.parametrize("shape", [(), (7,), (0,)])
def test_too_few_dimensions(shape, device):
    with pytest.raises(ValueError) as error:
        ken_mask(torch.zeros(shape, device=device), 3)
    _says(error, "^weight ", "2 dimensions", re.escape(str(shape)))


def test_rows_that_32_bits_cannot_count(device):
    """Entries are numbered in 32 bits. The row is one number, repeated."""
    wide = torch.zeros(1, 1, device=device).expand(2, 2**31)
    with pytest.raises(ValueError) as error:
        ken_mask(wide, 3)
    _says(error, "^weight ", r"less than 2\^31 entries", "2147483648")


def test_keep_ties_is_named():
    """``ken_mask(weight, 3, True)`` would read like anything."""
    with pytest.raises(TypeError):
        ken_mask(_weight("cpu"), 3, True)


def test_a_good_call_after_a_bad_one(device):
    weight = _weight(device)
    expected = ken_mask(weight, 7)
    with pytest.raises(ValueError):
        ken_mask(weight * math.nan, 7)
    assert torch.equal(ken_mask(weight, 7), expected)
