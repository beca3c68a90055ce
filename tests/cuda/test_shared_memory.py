"""Sizes whose shared memory lies about what a kernel may have unasked, 48 KB with what it declares itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pruning_ext import gaussian_kde, ken_mask

OPS = torch.ops.pruning_ext


@pytest.mark.parametrize("k", [472, 480, 512, 574, 575])
def test_ken(device: torch.device, k: int) -> None:
    weight = torch.randn(3, 1024, generator=torch.Generator().manual_seed(k))
    assert torch.equal(ken_mask(weight.to(device), k).cpu(), ken_mask(weight, k))


@pytest.mark.parametrize("samples", [5088, 5089, 5120, 5121])
def test_discretize(device: torch.device, samples: int) -> None:
    x = torch.randn(samples, 3, generator=torch.Generator().manual_seed(samples))
    for found, truth in zip(
        OPS.discretize(x.to(device), 16, "quantile"), OPS.discretize(x, 16, "quantile"), strict=True
    ):
        assert torch.equal(found.cpu(), truth)


@pytest.mark.parametrize("points", [320, 321, 340, 341])
def test_lattice(device: torch.device, assert_within: Callable[..., None], points: int) -> None:
    generator = torch.Generator().manual_seed(points)
    samples, at = (torch.randn(2, n, generator=generator) for n in (3584, points))
    truth: Tensor = gaussian_kde(samples, at, 0.3, rtol=0.0)
    found = gaussian_kde(samples.to(device), at.to(device), 0.3)
    assert_within(found, truth, 1.1e-5 * truth.clamp_min(1e-12 * float(truth.max())), f"{points} points")
