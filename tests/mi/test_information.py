"""Information: against scikit-learn and NumPy within 1e-6 nats, and the properties that are exact."""

from __future__ import annotations

import math
from collections.abc import Callable

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from sklearn.metrics import mutual_info_score, normalized_mutual_info_score
from torch import Tensor

from pruning_ext import discretize, mutual_information, mutual_information_from_codes, reference

BOUND = 1e-6  # nats


def _sklearn(codes_x: Tensor, codes_y: Tensor) -> Tensor:
    scores = [[mutual_info_score(a, b) for b in codes_y.numpy()] for a in codes_x.numpy()]
    return torch.tensor(scores, dtype=torch.float64)


@pytest.mark.parametrize("bins", [*range(2, 65), 100, 256])
def test_equals_scikit_learn(
    device: torch.device, random_codes: Callable[..., Tensor], assert_within: Callable[..., None], bins: int
) -> None:
    codes, other = random_codes(6, 1009, bins, seed=bins), random_codes(3, 1009, bins, seed=99)
    found = mutual_information_from_codes(codes.to(device), other.to(device), bins=bins)
    assert found.dtype == torch.float32
    assert_within(found, _sklearn(codes, other), BOUND, f"cross, {bins} bins")
    found = mutual_information_from_codes(codes.to(device), bins=bins, dtype=torch.float64)
    assert found.dtype == torch.float64
    assert_within(found, _sklearn(codes, codes), 1e-11, f"symmetric, {bins} bins")


@pytest.mark.parametrize("samples", [2, 3, 100, 65535, 65536, 150_001])
def test_any_number_of_samples(
    device: torch.device,
    random_codes: Callable[..., Tensor],
    assert_within: Callable[..., None],
    samples: int,
) -> None:
    codes = random_codes(6, samples, 16)
    found = mutual_information_from_codes(codes.to(device), bins=16)
    assert_within(found, _sklearn(codes, codes), BOUND, f"{samples} samples")


@pytest.mark.parametrize("correction", [None, "miller-madow"])
@pytest.mark.parametrize("normalize", [None, "min", "sqrt", "max", "mean"])
@pytest.mark.parametrize("unit", ["nats", "bits"])
def test_every_estimator(
    device: torch.device,
    random_codes: Callable[..., Tensor],
    assert_within: Callable[..., None],
    correction: str | None,
    normalize: str | None,
    unit: str,
) -> None:
    codes, other = random_codes(13, 500, 7), random_codes(5, 500, 7, seed=3)
    options = {"correction": correction, "normalize": normalize, "unit": unit}
    for y in (codes, other):
        truth = reference.mutual_information_from_codes(codes, y, 7, **options)
        partner = None if y is codes else y.to(device)
        found = mutual_information_from_codes(codes.to(device), partner, bins=7, **options)
        assert_within(found, truth, BOUND / math.log(2), str(options))


def test_miller_madow_is_its_formula(device: torch.device, random_codes: Callable[..., Tensor]) -> None:
    codes = random_codes(4, 300, 16)  # few enough samples that cells stay empty
    plain = mutual_information_from_codes(codes.to(device), bins=16, dtype=torch.float64).cpu()
    found = mutual_information_from_codes(
        codes.to(device), bins=16, correction="miller-madow", dtype=torch.float64
    ).cpu()
    for i, x in enumerate(codes.numpy()):
        for j, y in enumerate(codes.numpy()):
            bx, by = len(np.unique(x)), len(np.unique(y))
            bxy = len(np.unique(x.astype(int) * 16 + y))
            truth = max(0.0, float(plain[i, j]) + (bx + by - bxy - 1) / 600)
            assert abs(float(found[i, j]) - truth) < 1e-12


@pytest.mark.parametrize(
    ("ours", "theirs"), [("mean", "arithmetic"), ("sqrt", "geometric"), ("min", "min"), ("max", "max")]
)
def test_normalisations_are_scikit_learns(
    device: torch.device, random_codes: Callable[..., Tensor], ours: str, theirs: str
) -> None:
    codes = random_codes(6, 400, 8)[[0, 1, 2, 4, 5]]  # without the constant row, for which theirs is 1
    found = mutual_information_from_codes(codes.to(device), bins=8, normalize=ours).cpu()
    for i, x in enumerate(codes.numpy()):
        for j, y in enumerate(codes.numpy()):
            truth = normalized_mutual_info_score(x, y, average_method=theirs)
            assert abs(float(found[i, j]) - truth) < BOUND, (i, j)


def test_exact_properties(device: torch.device, random_codes: Callable[..., Tensor]) -> None:
    codes = random_codes(300, 777, 16).to(device)
    found = mutual_information_from_codes(codes, bins=16, dtype=torch.float64)
    assert torch.equal(found, found.T)
    assert (found >= 0).all()
    constant = (codes == codes[:, :1]).all(1)
    assert constant.any()
    assert (found[constant] == 0).all()
    assert (found[:, constant] == 0).all()
    # The same numbers from a cross matrix, whose other half is really counted.
    assert torch.equal(
        found, mutual_information_from_codes(codes, codes.clone(), bins=16, dtype=torch.float64)
    )
    normalized = mutual_information_from_codes(codes, bins=16, normalize="sqrt", dtype=torch.float64)
    assert torch.equal(normalized.diagonal(), (~constant).double())


@pytest.mark.parametrize("samples", [9170, 10793, 12178, 46001])
def test_a_constant_column_has_nothing_where_logarithms_differ(device: torch.device, samples: int) -> None:
    """Of these T the term T ln T is another on a GPU than on a CPU, by its last place."""
    codes = torch.randint(0, 16, (5, samples), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    codes[1] = 3
    for normalize in (None, "min", "sqrt", "max", "mean"):
        found = mutual_information_from_codes(
            codes.to(device), bins=16, normalize=normalize, dtype=torch.float64
        )
        assert (found[1] == 0).all(), normalize
        assert (found[:, 1] == 0).all(), normalize


@pytest.mark.parametrize("bins", [2, 8, 9, 16, 17])
@pytest.mark.parametrize("strategy", ["quantile", "uniform", "zero-quantile"])
def test_columns_give_what_their_codes_give(
    device: torch.device, dtype: torch.dtype, activations: Callable[..., Tensor], bins: int, strategy: str
) -> None:
    """To the last bit, whatever a device makes of columns instead of codes of a byte."""
    if strategy == "zero-quantile" and bins == 2:
        bins = 3
    x, y = activations(301, 0).to(device, dtype), activations(301, 1)[:, :5].to(device, dtype)
    codes_x, edges = discretize(x, bins, strategy)
    codes_y, _ = discretize(y, bins, strategy)
    options = {"bins": bins, "correction": "miller-madow", "normalize": "mean", "unit": "bits"}
    for other, codes in ((None, None), (y, codes_y), (y[:, :0], codes_y[:0])):
        truth = mutual_information_from_codes(codes_x, codes, dtype=edges.dtype, **options)
        found = mutual_information(x, other, strategy=strategy, **options)
        assert found.dtype == truth.dtype
        assert torch.equal(found, truth)


def test_diagonal_is_the_entropy(device: torch.device, activations: Callable[..., Tensor]) -> None:
    x = activations(2000, 1)
    found = mutual_information(x.to(device)).diagonal().cpu()
    codes = reference.encode(x, reference.edges_of(x, 16, "quantile"))
    for column, code in enumerate(codes):
        p = torch.bincount(code.long()).double() / len(code)
        truth = -float(torch.special.xlogy(p, p).sum())
        assert abs(float(found[column]) - truth) < 1e-12, column
    assert found[3] == found[4] == 0


def test_independent_columns_share_only_the_bias(device: torch.device) -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(4096, 64, generator=g).to(device)
    off = ~torch.eye(64, dtype=torch.bool, device=device)
    plain = mutual_information(x)[off].mean()
    corrected = mutual_information(x, correction="miller-madow")[off].mean()
    assert abs(float(plain) - 225 / 8192) < 2e-3  # (bins - 1)^2 / 2T
    assert float(corrected) < 2e-3


def test_gaussian_pair_is_near_the_formula(device: torch.device) -> None:
    g = torch.Generator().manual_seed(0)
    z = torch.randn(100_000, 2, generator=g, dtype=torch.float64)
    x = torch.stack([z[:, 0], 0.8 * z[:, 0] + 0.6 * z[:, 1]], 1).to(device)
    found = float(mutual_information(x, bins=32, correction="miller-madow")[0, 1])
    assert abs(found + 0.5 * math.log(1 - 0.64)) < 0.03  # binning loses a little


codes_strategy = st.integers(2, 40).flatmap(
    lambda bins: st.tuples(
        st.just(bins),
        st.integers(2, 60).flatmap(
            lambda samples: st.lists(
                st.lists(st.integers(0, bins - 1), min_size=samples, max_size=samples), min_size=2, max_size=4
            )
        ),
    )
)


@settings(max_examples=100, deadline=None)
@given(drawn=codes_strategy, seed=st.integers(0, 1 << 30))
def test_invariance(drawn: tuple[int, list[list[int]]], seed: int) -> None:
    bins, rows = drawn
    codes = torch.tensor(rows, dtype=torch.uint8)
    found = mutual_information_from_codes(codes, bins=bins, dtype=torch.float64)
    assert (found >= 0).all()
    assert torch.equal(found, found.T)
    assert (found <= found.diagonal() + 1e-12).all()  # no more than either entropy
    g = torch.Generator().manual_seed(seed)
    shuffled = codes[:, torch.randperm(codes.shape[1], generator=g)]
    assert torch.equal(found, mutual_information_from_codes(shuffled, bins=bins, dtype=torch.float64))
    relabelled = torch.randperm(bins, generator=g).to(torch.uint8)[codes.long()]
    assert torch.equal(found, mutual_information_from_codes(relabelled, bins=bins, dtype=torch.float64))
    assert torch.equal(found, mutual_information_from_codes(codes, bins=256, dtype=torch.float64))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(2, 16))
def test_counting_agrees_with_itself_on_subsets(seed: int, bins: int) -> None:
    """A pair's information has nothing to do with what else is in the batch."""
    codes = torch.randint(0, bins, (9, 50), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    whole = mutual_information_from_codes(codes, bins=bins)
    assert torch.equal(whole[2:5, 2:5], mutual_information_from_codes(codes[2:5], bins=bins))
    assert torch.equal(whole[:3, 3:], mutual_information_from_codes(codes[:3], codes[3:], bins=bins))
