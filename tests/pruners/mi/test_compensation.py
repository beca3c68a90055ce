"""The refit against least squares on the samples themselves."""

from __future__ import annotations

import pytest
import torch

from pruning_ext.choices.compensations.ridge import refit_down_projection


def problem(seed: int = 0, tokens: int = 400, n: int = 12, hidden: int = 5) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(n, n, generator=generator, dtype=torch.float64)
    z = torch.randn(tokens, n, generator=generator, dtype=torch.float64) @ mixing + 1
    weight = torch.randn(hidden, n, generator=generator, dtype=torch.float64)
    bias = torch.randn(hidden, generator=generator, dtype=torch.float64)
    return z, weight, bias, torch.tensor([0, 2, 3, 7, 8, 9, 11])


def moments(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return z.T @ z / len(z), z.mean(0)


def test_without_bias_equals_lstsq() -> None:
    z, weight, _, keep = problem()
    fit = refit_down_projection(*moments(z), weight, None, keep, ridge=1e-12)
    truth = torch.linalg.lstsq(z[:, keep], z @ weight.T).solution.T
    assert fit.bias is None
    assert (fit.weight - truth).abs().max() < 1e-7
    left = (z @ weight.T - z[:, keep] @ truth.T).square().sum() / (z @ weight.T).square().sum()
    assert fit.error == pytest.approx(float(left), rel=1e-6)


def test_with_bias_equals_lstsq_with_an_intercept() -> None:
    z, weight, bias, keep = problem(1)
    fit = refit_down_projection(*moments(z), weight, bias, keep, ridge=1e-12)
    design = torch.cat([z[:, keep], torch.ones(len(z), 1, dtype=z.dtype)], 1)
    truth = torch.linalg.lstsq(design, z @ weight.T + bias).solution.T
    assert fit.bias is not None
    assert (fit.weight - truth[:, :-1]).abs().max() < 1e-7
    assert (fit.bias - truth[:, -1]).abs().max() < 1e-7
    left = (z @ weight.T + bias - design @ truth.T).square().sum() / (z @ weight.T).square().sum()
    assert fit.error == pytest.approx(float(left), rel=1e-6)


@pytest.mark.parametrize("with_bias", [False, True])
def test_refit_is_never_worse_than_what_it_replaces(with_bias: bool) -> None:
    for seed in range(5):
        z, weight, bias, keep = problem(seed)
        fit = refit_down_projection(*moments(z), weight, bias if with_bias else None, keep, ridge=1e-3)
        plain = (z @ weight.T - z[:, keep] @ weight[:, keep].T).square().sum() / (z @ weight.T).square().sum()
        assert fit.uncompensated == pytest.approx(float(plain), rel=1e-9)
        assert fit.error <= fit.uncompensated


def test_ridge_pulls_towards_the_old_weights() -> None:
    z, weight, bias, keep = problem(2)
    fit = refit_down_projection(*moments(z), weight, bias, keep, ridge=1e9)
    assert (fit.weight - weight[:, keep]).abs().max() < 1e-6


def test_ridge_solves_its_own_normal_equations() -> None:
    z, weight, _, keep = problem(3)
    c, mean = moments(z)
    fit = refit_down_projection(c, mean, weight, None, keep, ridge=0.5)
    strength = 0.5 * c.diagonal()[keep].mean()
    gradient = (fit.weight @ c[keep][:, keep] - weight @ c[:, keep]) + strength * (
        fit.weight - weight[:, keep]
    )
    assert gradient.abs().max() < 1e-9


def test_redundant_neurons_are_made_up_for_exactly() -> None:
    z, weight, bias, _ = problem(4)
    z[:, 1] = 2 * z[:, 0] - z[:, 3]
    keep = torch.tensor([i for i in range(12) if i != 1])
    fit = refit_down_projection(*moments(z), weight, bias, keep, ridge=1e-9)
    assert fit.error < 1e-12 < fit.uncompensated


def test_silent_neurons_leave_the_weights_alone() -> None:
    weight = torch.randn(3, 4, dtype=torch.float64)
    keep = torch.tensor([0, 2])
    fit = refit_down_projection(torch.zeros(4, 4), torch.zeros(4), weight, None, keep, ridge=0.1)
    assert torch.allclose(fit.weight, weight[:, keep])
    assert (fit.error, fit.uncompensated) == (0.0, 0.0)


def test_singular_moments_ask_for_more_ridge() -> None:
    z = torch.tensor([[2.0, 2.0, 1.0], [2.0, 2.0, 0.0]])  # singular exactly, roundoff cannot help
    with pytest.raises(ValueError, match="ridge is 1e-30: too small"):
        refit_down_projection(*moments(z), torch.ones(2, 3), None, torch.tensor([0, 1]), ridge=1e-30)
