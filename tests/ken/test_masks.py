"""``ken_mask`` against its definition, ``reference.ken_mask``, on rows that each can break a step of it."""

import pytest
import torch

from pruning_ext import ken_mask, reference


def _normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _outlier():
    rows = 0.02 * _normal(6, 97)
    rows[range(6), [0, 96, 40, 41, 50, 1]] = torch.tensor(
        [1e1, 1e3, 1e6, -1e1, -1e3, -1e6], dtype=torch.float64
    )
    return rows


def _on_the_grid():
    """With k = 9 and 17 the grid's points are weights; others lie exactly half way between two weights."""
    generator = torch.Generator().manual_seed(3)
    order = torch.stack([torch.randperm(65, generator=generator) for _ in range(4)])
    return (order - 32).double() / 64


def _mirrored():
    """Every distance on the left is met by an equal one on the right: the earliest in the row wins."""
    half = _normal(4, 32)
    rows = torch.cat([half, -half], 1)
    rows[1] = rows[1].flip(0)
    rows[2:] = rows[2:].reshape(2, 2, 32).transpose(1, 2).reshape(2, 64)
    return rows


def _sign_of_zero():
    rows = _normal(3, 60)
    rows[:, ::4], rows[:, 2::4] = 0.0, -0.0
    return rows


def _subnormal():
    """Multiples of float32's smallest number: densities of 1e43, distances that float32 cannot halve."""
    return torch.randint(-300, 300, (3, 60), generator=torch.Generator().manual_seed(0)).double() * 2.0**-149


def _gap():
    """Half the grid finds no weight near it and must go far, over weights already taken."""
    return torch.cat([_normal(4, 40), 50 + _normal(4, 11, seed=1)], 1)


REGIMES = {
    "std 0.05": lambda: 0.05 * _normal(6, 97),
    "std 1e-5": lambda: 1e-5 * _normal(4, 97),
    "std 1e-3": lambda: 1e-3 * _normal(4, 97),
    "std 1": lambda: _normal(4, 97),
    "std 10": lambda: 10 * _normal(4, 97),
    "std 1e30": lambda: 1e30 * _normal(4, 97),
    "std 1e-30": lambda: 1e-30 * _normal(4, 97),
    "subnormal": _subnormal,
    "offset": lambda: 1 + 1e-3 * _normal(4, 97),
    "outlier": _outlier,
    "gap": _gap,
    "uniform": lambda: torch.rand(4, 97, generator=torch.Generator().manual_seed(0), dtype=torch.float64),
    "ascending": lambda: 0.05 * _normal(3, 97).sort(1).values,
    "descending": lambda: 0.05 * _normal(3, 97).sort(1, descending=True).values,
    "relu": lambda: _normal(4, 97).clamp_min(0),
    "three values": lambda: (_normal(4, 97) * 1.2).round().clamp(-1, 1),
    "two values": lambda: (_normal(4, 50) > 1).double(),
    "one differs": lambda: torch.eye(5, 40, dtype=torch.float64) - 0.5,
    "signs of zero": _sign_of_zero,
    "zeros of both signs and one more": lambda: torch.tensor([[0.0, -0.0, 0.0, -0.0, 1.0, -0.0]]),
    "on the grid": _on_the_grid,
    "mirrored": _mirrored,
    "constant": lambda: torch.full((3, 33), 0.1, dtype=torch.float64),
    "constant but for the sign of zero": lambda: torch.tensor([[0.0, -0.0, 0.0, -0.0]]),
    "neighbouring numbers": lambda: 1 + torch.arange(30).flip(0)[None] * 2.0**-23,
}


def _assert_masks(found, expected, weight, k):
    differ = (found != expected).nonzero()
    if len(differ):
        row, column = differ[0].tolist()
        raise AssertionError(
            f"k = {k}: {len(differ)} entries in {len(differ[:, 0].unique())} rows differ; first "
            f"[{row}, {column}] = {weight[row, column].item():.17g}: {bool(found[row, column])}, "
            f"not {bool(expected[row, column])}"
        )


@pytest.mark.parametrize("keep_ties", [False, True])
@pytest.mark.parametrize("regime", REGIMES)
def test_regime(regime, keep_ties, dtype, device):
    weight = REGIMES[regime]()
    if dtype == torch.float16:
        largest = weight.abs().max().item()
        weight = weight * (2.0**-100 if largest > 1e20 else 1.0)
    weight = weight.to(dtype).nan_to_num(posinf=6e4, neginf=-6e4)
    n = weight.shape[1]
    for k in sorted({0, 1, 2, 3, 9, 17, n // 4, n // 2, n - 2, n - 1, n, n + 1} & set(range(n + 2))):
        found = ken_mask(weight.to(device), k, keep_ties=keep_ties).cpu()
        _assert_masks(found, reference.ken_mask(weight, k, keep_ties), weight, k)
        if not keep_ties:
            assert (found.sum(1) == min(k, n)).all()


@pytest.mark.parametrize(
    "n", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 257]
)
def test_sizes(n, dtype, device):
    """About the widths of vectors and of the digits of radix sorts; a row of one entry."""
    weight = (0.05 * _normal(5, n, seed=n)).to(dtype)
    for k in sorted({0, 1, 2, n // 3, n // 2, n - 1, n, n + 5} & set(range(n + 6))):
        for keep_ties in (False, True):
            found = ken_mask(weight.to(device), k, keep_ties=keep_ties).cpu()
            _assert_masks(found, reference.ken_mask(weight, k, keep_ties), weight, k)


def test_every_k(device):
    weight = (0.05 * _normal(3, 48)).float()
    for k in range(50):
        _assert_masks(ken_mask(weight.to(device), k).cpu(), reference.ken_mask(weight, k), weight, k)


@pytest.mark.parametrize("std", [1e-3, 0.05, 0.3, 3.0])
def test_many_rows(std, device):
    """500 rows with densities from hundreds down to a few, where one more or less changes the order."""
    weight = (std * _normal(500, 40)).float()
    _assert_masks(ken_mask(weight.to(device), 20).cpu(), reference.ken_mask(weight, 20), weight, 20)


def test_densities_about_a_half(device):
    """Rows scaled until a grid point's density is about n + 1/2: there only an exact one will do."""
    row = _normal(1, 50)
    h = reference.kde_bandwidth(row, "ken")
    grid = torch.linspace(row.min().item(), row.max().item(), 25, dtype=torch.float64)[None]
    density = reference.gaussian_kde(row, grid, h)[0]
    halves = torch.tensor([0.5, 1.5, 7.5], dtype=torch.float64)[:, None]
    nudges = torch.tensor([1 - 1e-9, 1 + 1e-9], dtype=torch.float64)[:, None, None]
    weight = row * (nudges * density / halves).flatten()[:, None]
    assert len(weight) == 150
    _assert_masks(ken_mask(weight.to(device), 25).cpu(), reference.ken_mask(weight, 25), weight, 25)


@pytest.mark.parametrize("power", [-400, 400])
def test_scale_of_float64_rows(power, device):
    """By powers of two nothing is rounded, and where densities are whole, or all 0, their order is all."""
    weight = _normal(4, 97)
    base = 2.0 ** (power // 4)
    for k in (5, 48, 90):
        expected = reference.ken_mask(weight * base, k)
        _assert_masks(ken_mask((weight * 2.0**power).to(device), k).cpu(), expected, weight, k)


@pytest.mark.parametrize("power", [-1000, -700, 700, 1000])
def test_scale_at_the_ends_of_float64(power, device):
    """Where a variance under- or overflows, the mask is that of the same row in the middle of the range."""
    weight = _normal(4, 97)
    base = 2.0 ** (100 if power > 0 else -100)
    for k in (5, 48, 90):
        expected = reference.ken_mask(weight * base, k)
        _assert_masks(ken_mask((weight * 2.0**power).to(device), k).cpu(), expected, weight, k)


def test_more_rows_than_a_grid(device):
    weight = _normal(70_001, 3).float()
    found = ken_mask(weight.to(device), 2).cpu()
    assert (found.sum(1) == 2).all()
    some = torch.cat([torch.arange(0, 70_001, 997), torch.arange(65_530, 65_542), torch.tensor([70_000])])
    _assert_masks(found[some], reference.ken_mask(weight[some], 2), weight[some], 2)


def test_long_row(device):
    """20,011 entries, k = 10: the definition is slow, but not in k."""
    weight = (0.05 * _normal(2, 20_011)).float()
    for k in (2, 10):
        _assert_masks(ken_mask(weight.to(device), k).cpu(), reference.ken_mask(weight, k), weight, k)
    assert (ken_mask(weight.to(device), 10_005).sum(1) == 10_005).all()


def test_constant_rows_among_others(device):
    """A constant row keeps its first k, all with ``keep_ties``; the rows about it are not touched by that."""
    weight = _normal(5, 20).float()
    weight[1], weight[3] = 0.1, -0.0
    found = ken_mask(weight.to(device), 7).cpu()
    assert found[1].tolist() == found[3].tolist() == [True] * 7 + [False] * 13
    ties = ken_mask(weight.to(device), 7, keep_ties=True).cpu()
    assert ties[1].all()
    assert ties[3].all()
    others = [0, 2, 4]
    _assert_masks(found[others], reference.ken_mask(weight[others], 7), weight[others], 7)


def test_of_equal_values_the_earliest_stays(dtype, device):
    weight = torch.tensor([[1.0, 2.0, 1.0, 1.0, 2.0, 0.0, 0.0]]).to(device, dtype)
    # The grid 0, 1, 2 takes the first of each.
    assert ken_mask(weight, 3).tolist() == [[True, True, False, False, False, True, False]]
    assert ken_mask(weight, 3, keep_ties=True).all()


def test_kept_zero_stays_kept(device):
    """The published code loses a kept weight that is exactly zero."""
    weight = torch.tensor([[-1.0, 0.0, 1.0, 0.9, 0.8]], device=device)
    assert ken_mask(weight, 3).tolist() == [[True, True, True, False, False]]
