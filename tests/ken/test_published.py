"""`ken_mask` on synthetic rows, against an independent restatement of the published routine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from pruning_ext.bench.baselines.published_ken import (
    published_ken_mask,
    published_ken_row,
    vectorised_ken_row,
)
from pruning_ext.ops import ken_mask

Make = Callable[[np.random.Generator, int], np.ndarray]


def with_outliers(random: np.random.Generator, n: int) -> np.ndarray:
    row = random.normal(0, 0.05, n)
    row[random.integers(n, size=1 + n // 100)] = random.choice([-1, 1]) * random.uniform(3, 50)
    return row


def mostly_zero(random: np.random.Generator, n: int) -> np.ndarray:
    row = random.normal(0, 0.05, n) * (random.random(n) < 0.25)
    row[0] = 0.1  # never constant
    return row


def huge_outlier(random: np.random.Generator, n: int) -> np.ndarray:
    row = random.normal(0, 0.05, n)
    row[random.integers(n)] = random.choice([-1, 1]) * 1e18
    return row


def vanished(random: np.random.Generator, n: int) -> np.ndarray:
    row = random.normal(0, 1, n) * np.where(random.random(n) < 0.9, 1e-18, 1)
    row[0] = 0.1
    return row


def mirrored(random: np.random.Generator, n: int) -> np.ndarray:
    return np.resize(random.normal(0, 0.05, n // 2 + 1), n) * (-1) ** np.arange(n)


# Each regime is one that can break a step: the rounding of densities (std), ties of value (duplicates, grids,
# zeros), ties of distance (lattice, mirrored; huge outlier and vanished: hundreds at once, since distances
# round), and grid points with no weight near them (outliers).
REGIMES: dict[str, tuple[Make, torch.dtype]] = {
    "normal": (lambda random, n: random.normal(0, 0.05, n), torch.float32),
    "normal in float64": (lambda random, n: random.normal(0, 0.05, n), torch.float64),
    "std 1e-5": (lambda random, n: random.normal(0, 1e-5, n), torch.float32),
    "std 1e-3, far from zero": (lambda random, n: random.normal(1, 1e-3, n), torch.float32),
    "std 1": (lambda random, n: random.normal(0, 1, n), torch.float32),
    "std 10": (lambda random, n: random.normal(0, 10, n), torch.float32),
    "heavy tails": (lambda random, n: 0.02 * random.standard_t(2, n), torch.float32),
    "outliers": (with_outliers, torch.float32),
    "two clusters": (lambda random, n: random.normal(random.choice([-1, 1], n), 0.01), torch.float32),
    "float16 grid": (lambda random, n: random.normal(0, 0.05, n), torch.float16),
    "bfloat16 grid": (lambda random, n: random.normal(0, 0.05, n), torch.bfloat16),
    "few values": (lambda random, n: random.integers(-4, 5, n) / 16, torch.float32),
    "mostly zero": (mostly_zero, torch.float32),
    "huge outlier": (huge_outlier, torch.float32),
    "huge outlier in float64": (huge_outlier, torch.float64),
    "huge outlier in bfloat16": (huge_outlier, torch.bfloat16),
    "vanished": (vanished, torch.float32),
    "vanished in float64": (vanished, torch.float64),
    "vanished in bfloat16": (vanished, torch.bfloat16),
    "lattice": (lambda random, n: random.permutation(n) / 64, torch.float32),
    "mirrored": (mirrored, torch.float32),
}


def rows_of(regime: str, count: int, n: int) -> Tensor:
    make, dtype = REGIMES[regime]
    random = np.random.default_rng([n, list(REGIMES).index(regime)])
    return torch.from_numpy(np.stack([make(random, n) for _ in range(count)])).to(dtype)


def check(weight: Tensor, k: int) -> None:
    """Both masks of ``weight`` against the published one, naming the first entry that differs."""
    theirs = torch.from_numpy(published_ken_mask(weight.double().numpy(), k))
    ours = ken_mask(weight, k, keep_ties=True)
    wrong = (ours != theirs).nonzero()
    if len(wrong):
        row, column = wrong[0].tolist()
        pytest.fail(
            f"k={k}: {len(wrong)} entries differ; the first, in row {row}, column {column}, "
            f"is {weight[row, column].item()!r}, which we {'keep' if ours[row, column] else 'drop'}"
        )
    exact = ken_mask(weight, k)
    assert (exact.sum(1) == k).all()
    assert not (exact & ~ours).any()
    for row, kept in zip(weight.double(), exact, strict=True):
        for value in row[kept].unique():
            group = kept[row == value]  # of equal values the earliest are kept
            assert group.int().diff().le(0).all()


@pytest.mark.parametrize("n", [2, 3, 64, 65])
@pytest.mark.parametrize("regime", REGIMES)
def test_every_k_of_small_rows(regime: str, n: int) -> None:
    weight = rows_of(regime, 4, n)
    weight = weight[weight.double().amax(1) > weight.double().amin(1)]  # they crash on constant rows
    assert len(weight)
    for k in sorted({1, 2, 3, max(1, n // 4), n // 2, n - 1, n} & set(range(1, n + 1))):
        check(weight, k)


@pytest.mark.parametrize("k", [1, 2, 192, 384, 768])
@pytest.mark.parametrize("regime", REGIMES)
def test_bert_rows(regime: str, k: int) -> None:
    check(rows_of(regime, 3, 768), k)


@pytest.mark.parametrize(
    "regime", ["normal", "outliers", "huge outlier", "vanished", "float16 grid", "bfloat16 grid", "std 1e-5"]
)
def test_wide_rows(regime: str) -> None:
    weight = rows_of(regime, 1, 3072)
    for k in (1, 2, 768, 1536, 3072):
        check(weight, k)


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["normal", "bfloat16 grid"])
def test_llama_rows(regime: str) -> None:
    weight = rows_of(regime, 1, 11008)
    for k in (1, 2, 2752, 5504):
        check(weight, k)


@pytest.mark.slow
def test_llama_row_kept_whole() -> None:
    check(rows_of("outliers", 1, 11008), 11008)


@pytest.mark.parametrize("n", [1, 2, 64])
def test_constant_rows_differ_on_purpose(n: int) -> None:
    row = torch.full((1, n), 0.25)
    with pytest.raises(ValueError, match="constant"):
        published_ken_row(row[0].numpy(), 1)
    assert ken_mask(row, 1).tolist() == [[True] + [False] * (n - 1)]
    assert ken_mask(row, 1, keep_ties=True).all()


def test_restatement_agrees_with_its_vectorised_form() -> None:
    for regime in REGIMES:
        for row in rows_of(regime, 4, 64).double().numpy():
            for k in (1, 16, 32, 63):
                np.testing.assert_array_equal(published_ken_row(row, k), vectorised_ken_row(row, k))
