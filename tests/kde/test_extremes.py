"""Finite input at the ends of float64, and questions that have no answer but must not get a wrong one."""

import math
import re

import pytest
import torch

from pruning_ext import gaussian_kde, gaussian_kde_grid

LARGEST = torch.finfo(torch.float64).max


def _row(values, device):
    return torch.tensor([values], dtype=torch.float64, device=device)


def test_grid_over_a_range_that_no_float64_holds(device, assert_density):
    """max - min overflows, the grid's points do not."""
    samples = _row([-LARGEST, LARGEST, 0.0, LARGEST / 3], device)
    grid, density = gaussian_kde_grid(samples, 5, 1e307)
    expected = torch.tensor([[-1.0, -0.5, 0.0, 0.5, 1.0]], dtype=torch.float64) * LARGEST
    torch.testing.assert_close(grid.cpu(), expected, rtol=1e-15, atol=1e290)
    assert density.isfinite().all()


@pytest.mark.parametrize("rtol", [None, 0.0])
def test_bandwidth_whose_inverse_overflows(rtol, device):
    """A subnormal bandwidth is positive and finite: the density is infinite at a sample, else 0."""
    samples = _row([0.5, 1.0, 1.5], device)
    found = gaussian_kde(samples, _row([0.0, 0.75, 1.0], device), 1e-320, rtol=rtol)
    assert found.tolist() == [[0.0, 0.0, math.inf]]


@pytest.mark.parametrize("rule", ["scott", "silverman", "ken"])
@pytest.mark.parametrize("scale", [2.0**-700, 2.0**700])
def test_rules_where_the_variance_leaves_float64(rule, scale, device):
    """The deviation itself is a number, and so is the bandwidth; such a row is not constant."""
    samples = torch.randn(2, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(device)
    expected = gaussian_kde(samples, samples, rule)
    found = gaussian_kde(samples * scale, samples * scale, rule) * scale
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=0)


def test_rtol_of_a_wrong_kind(device):
    samples = _row([0.0, 1.0], device)
    for rtol in ("1e-3", [1e-3]):
        with pytest.raises(TypeError) as error:
            gaussian_kde(samples, samples, rtol=rtol)
        assert re.match("rtol ", str(error.value)), f"the argument is not named: {error.value}"


@pytest.mark.filterwarnings("ignore:.*autograd kernel was not registered")
@pytest.mark.parametrize("function", [gaussian_kde, gaussian_kde_grid])
def test_gradients_are_refused_not_wrong(function, device):
    """Not differentiable: either the result asks for no gradient, or asking it for one is an error."""
    samples = _row([0.0, 1.0, 3.0], device).requires_grad_()
    second = samples.detach() if function is gaussian_kde else 5
    found = function(samples, second, 1.0)
    found = found[1] if isinstance(found, tuple) else found
    if found.requires_grad:
        with pytest.raises(RuntimeError):
            found.sum().backward()


def test_number_of_grid_points_may_vary_in_one_graph(device):
    """With dynamic shapes a number may come from a shape; else the ninth is an error under fullgraph."""
    torch.compiler.reset()

    def use(samples, like):
        return gaussian_kde_grid(samples, like.shape[1], 0.5)[1]

    compiled = torch.compile(use, fullgraph=True, dynamic=True, backend="eager")
    samples = torch.randn(3, 20, device=device)
    for number in range(3, 15):
        like = torch.zeros(2, number, device=device)
        assert torch.equal(compiled(samples, like), use(samples, like))
