"""Matrix-based Rényi information: the product at order 2, and eigenvalues, against the definition."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from pruning_ext import renyi_mutual_information
from pruning_ext.ops import renyi


def _truth(x: np.ndarray, y: np.ndarray, s: float, alpha: float) -> float:
    """As the definition reads, in bits."""

    def gram(v: np.ndarray) -> np.ndarray:
        return np.exp(-((v[:, None] - v[None]) ** 2) / (2 * s * s)) / len(v)

    def entropy(a: np.ndarray) -> float:
        values = np.clip(np.linalg.eigvalsh(a), 0, None)
        if alpha == 1:
            positive = values[values > 0]
            return float(-(positive * np.log2(positive)).sum())
        return float(np.log2((values**alpha).sum()) / (1 - alpha))

    a, b = gram(x), gram(y)
    joint = a * b
    return entropy(a) + entropy(b) - entropy(joint / np.trace(joint))


@pytest.mark.parametrize("alpha", [0.5, 1, 1.01, 2, 2.5, 3])
@pytest.mark.parametrize("cross", [False, True])
def test_equals_the_definition(
    activations: Callable[..., Tensor], assert_within: Callable[..., None], alpha: float, cross: bool
) -> None:
    x = activations(40, 0)[:, [0, 1, 2, 5, 7, 11]]
    y = activations(40, 1)[:, [0, 5, 8]]
    found = renyi_mutual_information(x, y if cross else None, alpha, bandwidth=0.7)
    partners = y if cross else x
    scores = [[_truth(a, b, 0.7, alpha) for b in partners.T.numpy()] for a in x.T.numpy()]
    truth = torch.tensor(scores, dtype=torch.float64)
    assert found.dtype == torch.float64
    # Roots of eigenvalues that are zero up to rounding: 40 of them at 1e-17 are 1e-7 in all.
    assert_within(found, truth, 1e-6 if alpha < 1 else 1e-9, f"alpha {alpha}")


def test_blocks_change_nothing(
    monkeypatch: pytest.MonkeyPatch, activations: Callable[..., Tensor], assert_within: Callable[..., None]
) -> None:
    x, y = activations(61, 0), activations(61, 1)[:, :5]
    whole = [renyi_mutual_information(x, other, alpha) for other in (None, y) for alpha in (2, 1.5)]
    monkeypatch.setattr(renyi, "_BLOCK", 9000)  # strips of a few samples, batches of two pairs
    parts = [renyi_mutual_information(x, other, alpha) for other in (None, y) for alpha in (2, 1.5)]
    for found, truth in zip(parts, whole, strict=True):
        assert_within(found, truth, 1e-11)


def test_dtypes(
    dtype: torch.dtype, activations: Callable[..., Tensor], assert_within: Callable[..., None]
) -> None:
    x = activations(80, 0)[:, [0, 1, 3, 5, 7]].to(dtype)
    found = renyi_mutual_information(x)
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert_within(found, renyi_mutual_information(x.double()), 1e-11 if dtype == torch.float64 else 1e-5)


def test_properties(activations: Callable[..., Tensor]) -> None:
    x = activations(100, 0)
    found = renyi_mutual_information(x)
    assert torch.allclose(found, found.T, atol=1e-12)
    assert (found[3] == 0).all()
    assert (found[:, 4] == 0).all()
    assert found[0, 1] > 5 * found[0, 5]  # a disturbed copy against an unrelated column
    assert abs(float(found[0, 2] - found[0, 0])) < 1e-9  # the rule scales with the column: sign and scale go
    nats = renyi_mutual_information(x, unit="nats")
    assert torch.allclose(nats, found * math.log(2), atol=1e-12)
    shuffled = x[torch.randperm(100, generator=torch.Generator().manual_seed(0))]
    assert torch.allclose(renyi_mutual_information(shuffled), found, atol=1e-10)


def test_bandwidths(activations: Callable[..., Tensor]) -> None:
    x = activations(60, 0)[:, [0, 1, 5]]
    widths = torch.tensor([0.5, 1.0, 2.0])
    found = renyi_mutual_information(x, bandwidth=widths)
    assert torch.allclose(found, renyi_mutual_information(x / widths, bandwidth=1.0))
    rules = [renyi_mutual_information(x, bandwidth=rule) for rule in ("scott", "silverman", "ken")]
    assert not torch.equal(rules[0], rules[1])
    std = x.std(0, correction=0)
    ken = 1.06 * std * 60 ** (-1 / 5)
    assert torch.allclose(rules[2], renyi_mutual_information(x, bandwidth=ken), atol=1e-12)


def test_numpy_scalars_serve_as_numbers(activations: Callable[..., Tensor]) -> None:
    x = activations(20, 0)
    truth = renyi_mutual_information(x, alpha=2.0, bandwidth=0.5)
    assert torch.equal(renyi_mutual_information(x, alpha=np.float32(2), bandwidth=np.float32(0.5)), truth)


@pytest.mark.parametrize("alpha", [2.0, 1.5])
def test_no_gradient_rather_than_one_for_memory(activations: Callable[..., Tensor], alpha: float) -> None:
    x, width = activations(20, 0)[:, :3].requires_grad_(), torch.ones(3, requires_grad=True)
    assert not renyi_mutual_information(x, x[:, :2], alpha).requires_grad
    assert not renyi_mutual_information(x, alpha=alpha, bandwidth=width).requires_grad


def test_bad_arguments(activations: Callable[..., Tensor]) -> None:
    x = activations(20, 0)
    for alpha in (0, -1, math.inf, math.nan, 10**400, "2"):
        with pytest.raises(ValueError, match=r"^alpha must be positive and finite"):
            renyi_mutual_information(x, alpha=alpha)  # type: ignore[arg-type]
    for bandwidth in (0.0, -1.0, math.inf, math.nan, 10**400):
        given = math.inf if isinstance(bandwidth, int) else bandwidth
        with pytest.raises(ValueError, match=rf"^bandwidth must be positive and finite, is {given}$"):
            renyi_mutual_information(x, bandwidth=bandwidth)
    for bandwidth in (0.0, -1.0, math.inf, math.nan):
        widths = torch.ones(12)
        widths[7] = bandwidth
        with pytest.raises(ValueError, match=r"^bandwidth must be positive and finite; .* in column 7$"):
            renyi_mutual_information(x, bandwidth=widths)
    for bandwidth, kind in ((None, "NoneType"), (True, "bool"), ([1.0] * 12, "list")):
        with pytest.raises(TypeError, match=rf"^bandwidth must be one of .* or a tensor \[N\], not {kind}$"):
            renyi_mutual_information(x, bandwidth=bandwidth)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^bandwidth is on meta and x on cpu; move one of them$"):
        renyi_mutual_information(x, bandwidth=torch.ones(12, device="meta"))
    with pytest.raises(ValueError, match=r"^bandwidth must be one of"):
        renyi_mutual_information(x, bandwidth="isj")
    with pytest.raises(ValueError, match=r"^bandwidth must have shape \[12\], has \(3,\)$"):
        renyi_mutual_information(x, bandwidth=torch.ones(3))
    with pytest.raises(ValueError, match=r"not a tensor$"):
        renyi_mutual_information(x, x, bandwidth=torch.ones(12))
    with pytest.raises(ValueError, match=r"^x must have at least 2 samples"):
        renyi_mutual_information(x[:1])
    with pytest.raises(ValueError, match=r"same number of samples, have 20 and 10"):
        renyi_mutual_information(x, x[:10])
    with pytest.raises(ValueError, match=r"^unit must be one of"):
        renyi_mutual_information(x, unit="bans")  # type: ignore[arg-type]
    for alpha in (True, None, [2]):
        with pytest.raises(ValueError, match=r"^alpha must be positive and finite"):
            renyi_mutual_information(x, alpha=alpha)  # type: ignore[arg-type]
    x[3, 5] = math.nan
    with pytest.raises(ValueError, match=r"^x has NaN or infinity in column 5$"):
        renyi_mutual_information(x)
    with pytest.raises(ValueError, match=r"^y has NaN or infinity in column 5$"):
        renyi_mutual_information(x[:, :3], x)


def test_columns_far_from_zero_keep_their_digits() -> None:
    z = 1e6 + torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    wide = z.double().numpy()
    found = renyi_mutual_information(z, bandwidth=0.1)
    assert abs(float(found[0, 1]) - _truth(wide[:, 0], wide[:, 1], 0.1, 2)) <= 1e-5


@pytest.mark.parametrize("bandwidth", [1e-3, 1e-30, 1e-36, 1e-38])
def test_points_that_share_nothing_have_the_entropy_of_their_number(bandwidth: float) -> None:
    y = 100 * torch.arange(1.0, 9.0)[:, None]
    assert renyi_mutual_information(y, bandwidth=bandwidth).item() == pytest.approx(3)


def test_high_orders_are_those_of_the_largest_eigenvalues() -> None:
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = renyi_mutual_information(x, alpha=1000.0, bandwidth=0.7)
    a, b = (torch.exp(-((v[:, None] - v) ** 2) / (2 * 0.7**2)) / 50 for v in x.T)
    joint = 50 * a * b

    def entropy(matrix: Tensor) -> float:
        """As the definition reads, by the logarithms of the eigenvalues."""
        logs = [float(value) for value in torch.linalg.eigvalsh(matrix) if value > 0]
        top = max(logs)
        rest = sum((value / top) ** 1000 for value in logs)
        return (1000 * math.log2(top) + math.log2(rest)) / (1 - 1000)

    assert float(found[0, 1]) == pytest.approx(entropy(a) + entropy(b) - entropy(joint), rel=1e-9)


def test_one_pair_is_as_exact_as_among_others() -> None:
    x = torch.randn(3000, 2, generator=torch.Generator().manual_seed(1))
    exact = renyi_mutual_information(x[:, :1].double(), x[:, 1:].double())
    assert float((renyi_mutual_information(x[:, :1], x[:, 1:]) - exact).abs()) <= 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_callers_autocast_changes_nothing(dtype: torch.dtype) -> None:
    x = torch.randn(2048, 4, generator=torch.Generator().manual_seed(0))
    expected = renyi_mutual_information(x)
    with torch.autocast("cpu", dtype=dtype):
        assert torch.equal(renyi_mutual_information(x), expected)
