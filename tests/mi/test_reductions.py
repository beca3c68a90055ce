"""Best partners and sums are those of the matrix."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pruning_ext import (
    mutual_information,
    mutual_information_from_codes,
    mutual_information_sum,
    mutual_information_sum_from_codes,
    mutual_information_topk,
    mutual_information_topk_from_codes,
)


def _best(matrix: Tensor, k: int, is_symmetric: bool) -> tuple[Tensor, Tensor]:
    matrix = matrix.clone()
    if is_symmetric:
        matrix.fill_diagonal_(-1)
    values, indices = torch.sort(matrix, dim=1, descending=True, stable=True)
    return values[:, :k], indices[:, :k]


# 600 rows: more than two strips and more than one block. Constant rows give many ties at 0.
@pytest.mark.parametrize("rows", [2, 17, 130, 600])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_topk_of_all_pairs(
    device: torch.device, random_codes: Callable[..., Tensor], rows: int, dtype: torch.dtype
) -> None:
    codes = random_codes(rows, 90, 4).to(device)
    matrix = mutual_information_from_codes(codes, bins=4, dtype=dtype)
    for k in sorted({0, 1, min(5, rows - 1), rows - 1}):
        found = mutual_information_topk_from_codes(codes, k, bins=4, dtype=dtype)
        values, indices = _best(matrix, k, is_symmetric=True)
        assert found.values.dtype == dtype
        assert torch.equal(found.values, values)
        assert torch.equal(found.indices, indices)


@pytest.mark.parametrize(("rows", "others"), [(3, 600), (600, 3), (1, 1), (300, 140)])
def test_topk_of_a_cross_matrix(
    device: torch.device, random_codes: Callable[..., Tensor], rows: int, others: int
) -> None:
    x, y = random_codes(rows, 90, 4).to(device), random_codes(others, 90, 4, seed=1).to(device)
    matrix = mutual_information_from_codes(x, y, bins=4)
    for k in sorted({0, 1, others}):
        found = mutual_information_topk_from_codes(x, k, y, bins=4)
        values, indices = _best(matrix, k, is_symmetric=False)
        assert torch.equal(found.values, values)
        assert torch.equal(found.indices, indices)


@pytest.mark.parametrize("rows", [1, 2, 130, 600])
def test_sums(
    device: torch.device, random_codes: Callable[..., Tensor], assert_within: Callable[..., None], rows: int
) -> None:
    codes = random_codes(rows, 90, 4).to(device)
    matrix = mutual_information_from_codes(codes, bins=4, dtype=torch.float64)
    other = random_codes(70, 90, 4, seed=1).to(device)
    cross = mutual_information_from_codes(codes, other, bins=4, dtype=torch.float64)
    found = mutual_information_sum_from_codes(codes, bins=4, dtype=torch.float64)
    assert_within(found, matrix.sum(1) - matrix.diagonal(), 1e-10, "all pairs")
    assert_within(mutual_information_sum_from_codes(codes, other, bins=4), cross.sum(1), 1e-4, "cross")


def test_estimators_reach_reductions(device: torch.device, random_codes: Callable[..., Tensor]) -> None:
    codes = random_codes(40, 90, 6).to(device)
    options = {"correction": "miller-madow", "normalize": "max", "unit": "bits"}
    matrix = mutual_information_from_codes(codes, bins=6, **options)
    values, indices = _best(matrix, 3, is_symmetric=True)
    found = mutual_information_topk_from_codes(codes, 3, bins=6, **options)
    assert torch.equal(found.values, values)
    assert torch.equal(found.indices, indices)
    sums = mutual_information_sum_from_codes(codes, bins=6, **options)
    assert torch.allclose(sums, matrix.fill_diagonal_(0).sum(1), atol=1e-5)


def test_reductions_of_activations(
    device: torch.device, dtype: torch.dtype, activations: Callable[..., Tensor]
) -> None:
    x, y = activations(400, 0).to(device, dtype), activations(400, 1)[:, :5].to(device, dtype)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    values, indices = _best(mutual_information(x), 4, is_symmetric=True)
    found = mutual_information_topk(x, 4)
    assert found.values.dtype == wide
    assert torch.equal(found.values, values)
    assert torch.equal(found.indices, indices)
    assert torch.equal(mutual_information_topk(x, 2, y).values, _best(mutual_information(x, y), 2, False)[0])
    sums = mutual_information_sum(x, y, bins=8)
    assert sums.dtype == wide
    assert torch.allclose(sums, mutual_information(x, y, bins=8).sum(1), atol=1e-5)


def test_empty(device: torch.device) -> None:
    codes = torch.zeros(0, 5, dtype=torch.uint8, device=device)
    other = torch.zeros(3, 5, dtype=torch.uint8, device=device)
    assert mutual_information_topk_from_codes(codes, 0, bins=4).values.shape == (0, 0)
    assert mutual_information_topk_from_codes(codes, 2, other, bins=4).indices.shape == (0, 2)
    assert mutual_information_topk_from_codes(other, 0, codes, bins=4).indices.shape == (3, 0)
    assert mutual_information_sum_from_codes(codes, bins=4).shape == (0,)
    assert mutual_information_sum_from_codes(other, codes, bins=4).tolist() == [0, 0, 0]
