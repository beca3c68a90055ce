"""Edges and codes are those of the reference, to the last bit, and what the docstring says of them holds."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from pruning_ext import discretize, reference

STRATEGIES = ("quantile", "uniform", "zero-quantile")
INF = float("inf")


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("bins", [2, 3, 4, 5, 8, 16, 31, 32, 33, 64, 100, 255, 256])
def test_equals_reference(
    device: torch.device, dtype: torch.dtype, activations: Callable[..., Tensor], strategy: str, bins: int
) -> None:
    if strategy == "zero-quantile" and bins == 2:
        with pytest.raises(ValueError, match="at least 3"):
            discretize(activations(50, 0), bins, strategy)
        return
    x = activations(1009, bins).to(dtype)
    codes, edges = discretize(x.to(device), bins, strategy)
    truth = reference.edges_of(_wide(x), bins, strategy)
    assert edges.dtype == truth.dtype
    assert codes.dtype == torch.uint8
    assert torch.equal(edges.cpu(), truth)
    assert torch.equal(codes.cpu(), reference.encode(_wide(x), truth))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("samples", [2, 3, 15, 16, 17, 63, 64, 65, 4099])
def test_any_number_of_samples(
    device: torch.device, activations: Callable[..., Tensor], strategy: str, samples: int
) -> None:
    x = activations(samples, samples)
    codes, edges = discretize(x.to(device), 16, strategy)
    assert torch.equal(edges.cpu(), reference.edges_of(x, 16, strategy))
    assert torch.equal(codes.cpu(), reference.encode(x, edges.cpu()))


def test_quantile_is_numpys_order_statistic_without_ties() -> None:
    x = torch.randn(1000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    codes, edges = discretize(x, 7)
    ranks = np.arange(1, 7) * 1000 // 7
    assert np.array_equal(edges.numpy(), np.sort(x.numpy(), 0)[ranks].T)
    for column in range(3):
        assert np.array_equal(codes[column].numpy(), np.digitize(x[:, column].numpy(), edges[column].numpy()))
        counts = torch.bincount(codes[column].long())
        assert counts.max() - counts.min() <= 1


def test_uniform_is_numpys_histogram() -> None:
    x = torch.randn(2000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    codes, _ = discretize(x, 10, "uniform")
    for column in range(3):
        truth, _ = np.histogram(x[:, column].numpy(), 10)
        assert np.array_equal(torch.bincount(codes[column].long(), minlength=10).numpy(), truth)


def test_a_value_on_an_edge_belongs_above() -> None:
    x = torch.tensor([[0.0], [1], [2], [3], [4], [5], [6], [7]])
    codes, edges = discretize(x, 4)
    assert edges.tolist() == [[2, 4, 6]]
    assert codes.tolist() == [[0, 0, 1, 1, 2, 2, 3, 3]]
    codes, edges = discretize(x, 7, "uniform")
    assert edges.tolist() == [[1, 2, 3, 4, 5, 6]]
    assert codes.tolist() == [[0, 1, 2, 3, 4, 5, 6, 6]]  # the last bin is closed


@pytest.mark.parametrize("strategy", ["quantile", "zero-quantile"])
def test_few_distinct_values_lose_nothing(strategy: str) -> None:
    # A rare value beside a spike: quantiles alone would put all of them into one bin.
    x = torch.tensor([[-1.0]] + [[0.0]] * 997 + [[0.5]] + [[2.0]])
    codes, edges = discretize(x, 16, strategy)
    assert edges[0, :4].tolist() == [0, 0.5, 2, INF]
    assert codes.unique().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_constant_column_has_code_zero(strategy: str) -> None:
    codes, edges = discretize(torch.full((50, 2), -3.25), 16, strategy)
    assert (codes == 0).all()
    assert (edges == INF).all()


def test_a_spike_has_its_own_bin() -> None:
    g = torch.Generator().manual_seed(0)
    for share in (0.3, 0.75, 0.97, 0.999):
        for value in (0.0, -5.0, 5.0):  # in the middle, below and above all others
            x = torch.randn(5000, 1, generator=g)
            spike = torch.rand(5000, 1, generator=g) < share
            x[spike] = value
            codes, _ = discretize(x, 16)
            inside = codes[0][spike[:, 0]].unique()
            assert len(inside) == 1
            assert not (codes[0][~spike[:, 0]] == inside).any(), (share, value)


def test_ties_are_never_broken() -> None:
    x = torch.randint(0, 40, (3000, 4), generator=torch.Generator().manual_seed(0)).float()
    for strategy in STRATEGIES:
        codes, _ = discretize(x, 16, strategy)
        for column in range(4):
            for value in x[:, column].unique():
                assert len(codes[column][x[:, column] == value].unique()) == 1


def test_zero_quantile_sets_zero_apart() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(4000, 1, generator=g)
    x[torch.rand(4000, 1, generator=g) < 0.02] = 0
    x[0] = -0.0  # a zero like any other
    codes, edges = discretize(x, 16, "zero-quantile")
    zero = codes[0][x[:, 0] == 0].unique()
    assert len(zero) == 1
    assert not (codes[0][x[:, 0] != 0] == zero).any()
    counts = torch.bincount(codes[0].long(), minlength=16)
    assert counts[counts.argsort()[1:]].min() > 200  # the others equal within their sign
    assert (edges[0] == 0).sum() == 1
    # Without zeros it is the quantile.
    x[x == 0] = 1e-3
    assert torch.equal(discretize(x, 16, "zero-quantile")[1], discretize(x, 16)[1])


def test_given_edges(device: torch.device, dtype: torch.dtype, activations: Callable[..., Tensor]) -> None:
    x = activations(500, 3).to(dtype)
    _, edges = discretize(x[:200].to(device), 16)
    codes, same = discretize(x.to(device), edges=edges)
    assert same is edges
    assert torch.equal(codes.cpu(), reference.encode(_wide(x), edges.cpu()))
    for size in (0, 1):  # as many samples as there are
        assert torch.equal(discretize(x[:size].to(device), edges=edges)[0], codes[:, :size])


def test_strides(device: torch.device, activations: Callable[..., Tensor]) -> None:
    x = activations(301, 0)
    codes, edges = discretize(x.to(device), 16)
    for view in (
        x.T.contiguous().to(device).T,
        x.repeat_interleave(2, 1).to(device)[:, ::2],
        x.repeat_interleave(3, 0).to(device)[::3],
    ):
        assert not view.is_contiguous()
        found, found_edges = discretize(view, 16)
        assert torch.equal(found, codes)
        assert torch.equal(found_edges, edges)
        assert torch.equal(discretize(view, edges=edges)[0], codes)
    same = x[:, :1].to(device).expand(-1, 40)  # stride 0, more columns than a tile
    assert torch.equal(discretize(same, 16)[0], codes[:1].expand(40, -1))


def test_empty(device: torch.device) -> None:
    codes, edges = discretize(torch.zeros(5, 0, device=device), 8)
    assert codes.shape == (0, 5)
    assert edges.shape == (0, 7)


columns = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=40),
    elements=st.one_of(st.sampled_from([0.0, -0.0, 1.0, -1.0]), st.floats(-1e300, 1e300)),
)


@settings(max_examples=200, deadline=None)
@given(columns, st.integers(3, 20), st.sampled_from(STRATEGIES))
def test_edges_and_codes_hold_together(array: np.ndarray, bins: int, strategy: str) -> None:
    x = torch.from_numpy(array.copy())
    codes, edges = discretize(x, bins, strategy)
    assert torch.equal(edges, reference.edges_of(x, bins, strategy))
    assert torch.equal(codes, reference.encode(x, edges))
    for column, row, code in zip(x.T, edges, codes, strict=True):
        used = row[row < INF]
        assert (used.diff() > 0).all()
        order = column.argsort()
        assert (code[order].long().diff() >= 0).all()  # codes rise with values
        if len(used):
            assert used[0] > column.min()
            assert used[-1] <= column.max()


@settings(max_examples=50, deadline=None)
@given(columns, st.integers(3, 20))
def test_quantile_codes_depend_on_ranks_only(array: np.ndarray, bins: int) -> None:
    x = torch.from_numpy(array.copy())
    ranks = torch.stack([column.unique(return_inverse=True)[1] for column in x.T], 1).double()
    assert torch.equal(discretize(x, bins)[0], discretize(ranks, bins)[0])


@given(
    st.integers(-(10**6), 10**6),
    st.integers(1, 5000),
    st.integers(2, 256),
    st.sampled_from([torch.float64, torch.float32]),
)
@settings(max_examples=150, deadline=None)
def test_whole_numbers_lie_in_the_bins_of_exact_arithmetic(
    low: int, span: int, bins: int, dtype: torch.dtype
) -> None:
    """An edge that is a whole number belongs to the bin above, whatever the number of bins."""
    values = torch.linspace(low, low + span, min(span, 400) + 1, dtype=torch.float64).round().unique()
    codes, _ = discretize(values[:, None].to(dtype), bins, "uniform")
    inner = [low + Fraction(span * j, bins) for j in range(1, bins)]
    exact = [sum(edge <= int(value) for edge in inner) for value in values.tolist()]
    if dtype == torch.float32:  # whose edges are rounded to it: a whole number may be the nearest to an edge
        near = [min(abs(edge - int(v)) for edge in inner) for v in values.tolist()]
        kept = [i for i, d in enumerate(near) if d == 0 or d > Fraction(1, 4)]
    else:
        kept = list(range(len(exact)))
    used = [edge for edge in inner if edge > low]
    assert len(used) == bins - 1
    assert [int(codes[0, i]) for i in kept] == [exact[i] for i in kept]


def test_a_die_keeps_its_faces() -> None:
    rolls = torch.arange(1.0, 7.0, dtype=torch.float64)[:, None]
    codes, edges = discretize(rolls, 5, "uniform")
    assert edges[0].tolist() == [2, 3, 4, 5]
    assert codes[0].tolist() == [0, 1, 2, 3, 4, 4]


def test_a_range_beyond_float64_has_finite_equal_steps() -> None:
    x = torch.tensor([-1.7e308, 0.0, 1.7e308], dtype=torch.float64)[:, None]
    codes, edges = discretize(x, 5, "uniform")
    torch.testing.assert_close(
        edges[0], torch.tensor([-1.02e308, -3.4e307, 3.4e307, 1.02e308], dtype=torch.float64)
    )
    assert codes[0].tolist() == [0, 2, 4]
