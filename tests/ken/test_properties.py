"""What is true of every mask, for rows that hypothesis chooses."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning_ext import ken_mask, reference

# Any float32 of moderate size, and few enough values that ties of value and of distance are common.
floats = st.one_of(
    st.floats(-1e4, 1e4, width=32),
    st.integers(-6, 6).map(float),
    st.sampled_from([0.0, -0.0, 1e-45, -1e-38, 0.1]),
)
rows = st.lists(floats, min_size=1, max_size=60)
dtypes = st.sampled_from([torch.float64, torch.float32, torch.float16, torch.bfloat16])
examples = settings(max_examples=150, deadline=None)


def _row(values, dtype=torch.float32):
    return torch.tensor([values], dtype=torch.float64).to(dtype)


@examples
@given(rows, st.integers(0, 70), dtypes)
def test_exactly_k(values, k, dtype):
    row = _row(values, dtype)
    mask = ken_mask(row, k)
    assert mask.sum().item() == min(k, len(values))


@examples
@given(rows, st.integers(0, 70), dtypes)
def test_ties_are_added_and_nothing_else(values, k, dtype):
    row = _row(values, dtype)
    mask = ken_mask(row, k)
    assert torch.equal(ken_mask(row, k, keep_ties=True), torch.isin(row, row[mask]))


@examples
@given(rows, st.integers(0, 70))
def test_of_equal_values_the_earliest_are_kept(values, k):
    row = _row(values)
    mask = ken_mask(row, k)[0]
    for value in row.unique():
        kept = mask[row[0] == value].int()
        assert (kept.diff() <= 0).all()


@examples
@given(rows, st.integers(2, 70))
def test_both_ends_are_kept(values, k):
    """The grid's ends are the least and the largest weight, and keep them unless others took them before."""
    row = _row(values)
    kept = row[ken_mask(row, k, keep_ties=True)]
    reference_kept = row[reference.ken_mask(row, k, True)]
    assert (kept.min(), kept.max()) == (reference_kept.min(), reference_kept.max())


@examples
@given(rows, st.integers(0, 70), dtypes, st.booleans())
def test_is_the_definition(values, k, dtype, keep_ties):
    row = _row(values, dtype)
    assert torch.equal(ken_mask(row, k, keep_ties=keep_ties), reference.ken_mask(row, k, keep_ties))


@examples
@given(st.integers(0, 10**6), st.integers(2, 80), st.integers(0, 80), st.randoms(use_true_random=False))
def test_permutes_with_a_row_without_ties(seed, n, k, random):
    row = 0.05 * torch.randn(1, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    order = torch.tensor(random.sample(range(n), n))
    assert torch.equal(ken_mask(row[:, order], k), ken_mask(row, k)[:, order])


@examples
@given(st.lists(rows, min_size=1, max_size=8), st.integers(0, 70), st.booleans())
def test_rows_do_not_know_each_other(many, k, keep_ties):
    n = min(len(values) for values in many)
    weight = torch.cat([_row(values[:n]) for values in many])
    together = ken_mask(weight, k, keep_ties=keep_ties)
    for r in range(len(many)):
        assert torch.equal(ken_mask(weight[r : r + 1], k, keep_ties=keep_ties), together[r : r + 1])


@examples
@given(rows, st.integers(0, 70))
def test_sign_of_zero_is_no_difference(values, k):
    row = _row(values)
    flipped = torch.where(row == 0, -row, row)
    assert torch.equal(ken_mask(flipped, k), ken_mask(row, k))
    assert torch.equal(ken_mask(flipped, k, keep_ties=True), ken_mask(row, k, keep_ties=True))


@examples
@given(st.integers(0, 10**6), st.integers(3, 80), st.integers(1, 80), st.integers(-30, 30))
def test_scale_of_wide_rows_does_not_matter(seed, n, k, power):
    """Where all densities round to 0 the points go in ascending order, at any such scale."""
    row = 1e5 * torch.randn(1, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert torch.equal(ken_mask(row * 2.0 ** abs(power), k), ken_mask(row, k))
