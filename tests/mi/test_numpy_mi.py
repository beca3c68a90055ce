"""The NumPy front door of mutual information: bit for bit what the torch ops give, and their sentences."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pruning_ext import numpy as front
from pruning_ext import ops

NAMES = [name for name in front.__all__ if "information" in name or name in ("contingency", "discretize")]


def _same(found: Any, truth: Any) -> None:
    if isinstance(truth, tuple):
        assert len(found) == len(truth)
        for a, b in zip(found, truth, strict=True):
            _same(a, b)
        return
    truth = truth.numpy()
    assert found.dtype == truth.dtype
    assert found.shape == truth.shape
    assert found.tobytes() == truth.tobytes()


def test_there_are_eight_functions() -> None:
    assert len(NAMES) == 8


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_those_of_the_ops(name: str) -> None:
    here, there = (inspect.signature(getattr(module, name)).parameters for module in (front, ops))
    assert [(p.name, p.kind) for p in here.values()] == [
        *((p.name, p.kind) for p in there.values()),
        ("num_threads", inspect.Parameter.KEYWORD_ONLY),
    ]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
@pytest.mark.parametrize("threads", [0, 1, 3])
def test_same_as_the_ops(activations: Callable[..., Tensor], dtype: torch.dtype, threads: int) -> None:
    x, y = activations(333, 0).to(dtype), activations(333, 1)[:, :5].to(dtype)
    a, b, options = x.numpy(), y.numpy(), {"num_threads": threads}
    for strategy in ("quantile", "uniform", "zero-quantile"):
        _same(front.discretize(a, 9, strategy, **options), ops.discretize(x, 9, strategy))
    codes, edges = ops.discretize(x, 12)
    _same(front.discretize(a, edges=edges.numpy(), **options)[0], codes)
    estimator: dict[str, Any] = {"correction": "miller-madow", "normalize": "mean", "unit": "bits"}
    for other, partner in ((None, None), (y, b)):
        _same(front.mutual_information(a, partner, **options), ops.mutual_information(x, other))
        _same(front.mutual_information_sum(a, partner, **options), ops.mutual_information_sum(x, other))
        found = front.mutual_information_topk(a, 3, partner, **options, **estimator)
        _same(found, ops.mutual_information_topk(x, 3, other, **estimator))


def test_codes(random_codes: Callable[..., Tensor]) -> None:
    x, y = random_codes(20, 100, 7), random_codes(6, 100, 7, seed=1)
    for other in (None, y):
        partner = None if other is None else other.numpy()
        _same(front.contingency(x.numpy(), partner, bins=7), ops.contingency(x, other, bins=7))
        for wide, dtype in ((torch.float64, np.float64), (torch.float32, np.float32)):
            for name in ("from_codes", "sum_from_codes"):
                here, there = (getattr(module, f"mutual_information_{name}") for module in (front, ops))
                _same(here(x.numpy(), partner, bins=7, dtype=dtype), there(x, other, bins=7, dtype=wide))
            found = front.mutual_information_topk_from_codes(x.numpy(), 4, partner, bins=7, dtype=dtype)
            _same(found, ops.mutual_information_topk_from_codes(x, 4, other, bins=7, dtype=wide))


def test_strides(activations: Callable[..., Tensor]) -> None:
    x = activations(200, 0).numpy()
    truth = front.discretize(x)
    for view in (np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], x[::-1][::-1]):
        found = front.discretize(view)
        assert np.array_equal(found[0], truth[0])
        assert np.array_equal(found[1], truth[1])
    codes = np.asfortranarray(truth[0])
    assert np.array_equal(front.contingency(codes, bins=16), front.contingency(truth[0], bins=16))
    backwards = truth[0][:, ::-1]  # negative strides, and no change of the counts
    assert np.array_equal(front.contingency(backwards, bins=16), front.contingency(truth[0], bins=16))


X = np.random.default_rng(0).normal(size=(10, 3))
CODES = np.zeros((3, 10), dtype=np.uint8)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: front.discretize(X[:1]), ValueError, r"x must have at least 2 samples, has shape \(1, 3\)"),
        (
            lambda: front.discretize(X.astype(int)),
            TypeError,
            "x must be float64, float32 or float16, not int64",
        ),
        (lambda: front.discretize(X, 1), ValueError, "bins must be between 2 and 256, is 1"),
        (lambda: front.discretize(X, 2, "zero-quantile"), ValueError, "bins must be at least 3 with .* is 2"),
        (lambda: front.discretize(X, 4, "kmeans"), ValueError, "strategy must be one of .* is 'kmeans'"),
        (lambda: front.mutual_information(X, X[:9]), ValueError, "x and y must .* have 10 and 9"),
        (lambda: front.mutual_information(X, X * np.nan), ValueError, "y has NaN or infinity in column 0"),
        (lambda: front.mutual_information(X, unit="bans"), ValueError, "unit must be one of .* is 'bans'"),
        (lambda: front.mutual_information(X, num_threads=-1), ValueError, "num_threads must be .* is -1"),
        (lambda: front.mutual_information_topk(X, 3), ValueError, "k must be between 0 and .* 2, is 3"),
        (
            lambda: front.contingency(CODES.astype(int), bins=4),
            TypeError,
            "codes_x must be a uint8 array, not int64",
        ),
        (
            lambda: front.contingency(CODES[:, :1], bins=4),
            ValueError,
            "codes_x must have at least 2 samples.*",
        ),
        (lambda: front.contingency(CODES, CODES[:, 1:], bins=4), ValueError, "codes_x and .* have 10 and 9"),
        (lambda: front.contingency(CODES + 4, bins=4), ValueError, "codes_x has a code .* in row 0"),
        (lambda: front.contingency(CODES, CODES + 4, bins=4), ValueError, "codes_y has a code .* in row 0"),
        *(
            (
                lambda dtype=dtype: front.mutual_information_from_codes(CODES, bins=4, dtype=dtype),
                ValueError,
                f"dtype must be float32 or float64, is {said}",
            )
            for dtype, said in ((None, "None"), ("bogus", "'bogus'"), (np.float16, "float16"))
        ),
        (lambda: front.contingency(np.ma.masked_array(CODES), bins=4), TypeError, "codes_x .* plain array.*"),
    ],
)
def test_bad_arguments(call: Callable[[], Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=f"^{sentence}$"):
        call()


def test_no_torch() -> None:
    command = """
import sys
sys.modules["torch"] = None
import numpy as np
from pruning_ext.numpy import discretize, mutual_information
x = np.random.default_rng(0).standard_normal((50, 3))
assert mutual_information(x).shape == (3, 3)
assert discretize(x)[0].shape == (3, 50)
"""
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
