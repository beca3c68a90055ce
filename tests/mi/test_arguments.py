"""A mistake is answered by one sentence that names the argument."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pruning_ext import (
    contingency,
    discretize,
    mutual_information,
    mutual_information_from_codes,
    mutual_information_sum_from_codes,
    mutual_information_topk,
    mutual_information_topk_from_codes,
)

X = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
CODES = torch.zeros(3, 10, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("x", "options", "error", "sentence"),
    [
        (X[:1], {}, ValueError, r"x must have at least 2 samples, has shape \(1, 3\)"),
        (X[:0], {}, ValueError, r"x must have at least 2 samples, has shape \(0, 3\)"),
        (X[0], {}, ValueError, r"x must have 2 dimensions, samples x variables, has shape \(3,\)"),
        (X[None], {}, ValueError, r"x must .* has shape \(1, 10, 3\): x.reshape\(-1, 3\) makes it \[T, N\]"),
        (X.int(), {}, TypeError, "x must be float64, float32, float16 or bfloat16, not int32"),
        (X.tolist(), {}, TypeError, "x must be a torch.Tensor, not list"),
        (X, {"bins": 1}, ValueError, "bins must be between 2 and 256, is 1"),
        (X, {"bins": 257}, ValueError, "bins must be between 2 and 256, is 257"),
        (X, {"bins": 8.0}, TypeError, "bins must be a whole number, not float"),
        (X, {"bins": True}, TypeError, "bins must be a whole number, not bool"),
        (X, {"strategy": "kmeans"}, ValueError, "strategy must be one of 'quantile', .* is 'kmeans'"),
        (
            X,
            {"strategy": np.array(["quantile", "uniform"])},
            ValueError,
            "strategy must be one of .* is array.*",
        ),
    ],
)
def test_samples(x: Any, options: dict[str, Any], error: type[Exception], sentence: str) -> None:
    for function in (discretize, mutual_information):
        with pytest.raises(error, match=f"^{sentence}$"):
            function(x, **options)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_not_finite(value: float, dtype: torch.dtype) -> None:
    x = torch.zeros(50, 40, dtype=dtype)
    x[7, 33] = x[9, 20] = value
    with pytest.raises(ValueError, match=r"^x has NaN or infinity in column 20$"):
        discretize(x)
    with pytest.raises(ValueError, match=r"^x has NaN or infinity in column 20$"):
        mutual_information(x)
    with pytest.raises(ValueError, match=r"^y has NaN or infinity in column 20$"):
        mutual_information(torch.zeros_like(x), x)
    _, edges = discretize(torch.zeros_like(x))
    with pytest.raises(ValueError, match=r"^x has NaN or infinity in column 20$"):
        discretize(x, edges=edges)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"correction": "jackknife"}, "correction must be one of None, 'miller-madow', is 'jackknife'"),
        ({"normalize": "joint"}, "normalize must be one of None, .* is 'joint'"),
        ({"unit": "bans"}, "unit must be one of 'nats', 'bits', is 'bans'"),
        ({"dtype": torch.float16}, "dtype must be one of torch.float32, torch.float64, is torch.float16"),
    ],
)
def test_choices(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        mutual_information_from_codes(CODES, bins=4, **options)
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        mutual_information_sum_from_codes(CODES, bins=4, **options)
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        mutual_information_topk_from_codes(CODES, 1, bins=4, **options)


@pytest.mark.parametrize(
    ("codes_x", "codes_y", "bins", "error", "sentence"),
    [
        (CODES, None, 1, ValueError, "bins must be between 2 and 256, is 1"),
        (CODES, None, 257, ValueError, "bins must be between 2 and 256, is 257"),
        (CODES.int(), None, 4, TypeError, "codes_x must be a uint8 tensor, not int32"),
        (CODES, CODES.float(), 4, TypeError, "codes_y must be a uint8 tensor, not float32"),
        (None, None, 4, TypeError, "codes_x must be a uint8 tensor, not NoneType"),
        (CODES[0], None, 4, ValueError, r"codes_x must have 2 dimensions \[N, T\], has shape \(10,\)"),
        (CODES[:, :1], None, 4, ValueError, r"codes_x must have at least 2 samples, has shape \(3, 1\)"),
        (
            CODES,
            CODES[:, :9],
            4,
            ValueError,
            "codes_x and codes_y .* the same number of samples, have 10 and 9",
        ),
    ],
)
def test_codes(codes_x: Any, codes_y: Any, bins: int, error: type[Exception], sentence: str) -> None:
    for function in (contingency, mutual_information_from_codes, mutual_information_sum_from_codes):
        with pytest.raises(error, match=f"^{sentence}$"):
            function(codes_x, codes_y, bins=bins)
    with pytest.raises(error, match=f"^{sentence}$"):
        mutual_information_topk_from_codes(codes_x, 1, codes_y, bins=bins)


# Either side may be the one that is packed.
@pytest.mark.parametrize("rows", [(3, 5), (5, 3)])
def test_codes_beyond_bins(rows: tuple[int, int]) -> None:
    good, bad = torch.zeros(rows[0], 10, dtype=torch.uint8), torch.zeros(rows[1], 10, dtype=torch.uint8)
    bad[2, 4] = 4
    for function in (contingency, mutual_information_from_codes, mutual_information_sum_from_codes):
        function(bad, bins=5)
        with pytest.raises(ValueError, match=r"^codes_x has a code that is not below bins in row 2$"):
            function(bad, bins=4)
        with pytest.raises(ValueError, match=r"^codes_x has a code that is not below bins in row 2$"):
            function(bad, good, bins=4)
        with pytest.raises(ValueError, match=r"^codes_y has a code that is not below bins in row 2$"):
            function(good, bad, bins=4)


@pytest.mark.parametrize(("k", "y", "most"), [(-1, None, 2), (3, None, 2), (3, X[:, :2], 2)])
def test_k(k: int, y: torch.Tensor | None, most: int) -> None:
    with pytest.raises(ValueError, match=f"^k must be between 0 and the number of partners, {most}, is {k}$"):
        mutual_information_topk(X, k, y)
    with pytest.raises(TypeError, match=r"^k must be a whole number, not float$"):
        mutual_information_topk(X, 1.0)  # type: ignore[arg-type]


def test_edges() -> None:
    _, edges = discretize(X, 8)
    with pytest.raises(TypeError, match=r"^edges must be float64 for x of float64, are float32$"):
        discretize(X.double(), edges=edges)
    with pytest.raises(ValueError, match=r"^edges must be \[N, bins - 1\], N = 2, .* have shape \(3, 7\)$"):
        discretize(X[:, :2], edges=edges)
    with pytest.raises(ValueError, match=r"^edges must not decrease; they do in column 1$"):
        discretize(X, edges=torch.stack([edges[0], edges[1].flip(0), edges[2]]))
    edges[2, 0] = float("nan")
    with pytest.raises(ValueError, match=r"^edges must not decrease; they do in column 2$"):
        discretize(X, edges=edges)
    with pytest.raises(ValueError, match=r"^edges must be contiguous$"):
        discretize(X, edges=edges.T.contiguous().T)


def test_x_and_y() -> None:
    with pytest.raises(ValueError, match=r"^x and y must have the same number of samples, have 10 and 9$"):
        mutual_information(X, X[:9])
    with pytest.raises(ValueError, match=r"^y must have at least 2 samples"):
        mutual_information(X, X[:1])
    with pytest.raises(ValueError, match=r"^y is on meta and x on cpu; move one of them$"):
        mutual_information(X, X.to("meta"))
