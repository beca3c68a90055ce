"""Which entries of a row each criterion keeps."""

import numpy as np
import pytest
import torch

from pruning_ext.choices.criteria import CRITERIA
from pruning_ext.choices.criteria.largest import largest
from pruning_ext.ops import ken_mask, reference
from pruning_ext.pruners.ken.criteria import select_entries


def test_magnitude_and_delta_keep_the_largest():
    weight, base = torch.randn(7, 33, dtype=torch.float64), torch.randn(7, 33, dtype=torch.float64)
    for criterion, on, scores in [
        ("magnitude", "weight", weight.abs()),
        ("magnitude", "delta", (weight - base).abs()),
        ("delta", "weight", (weight - base).abs()),
    ]:
        mask = select_entries(weight, base, 9, criterion=criterion, on=on)
        worst_kept = scores.masked_fill(~mask, np.inf).amin(1)
        best_reset = scores.masked_fill(mask, -np.inf).amax(1)
        assert (worst_kept > best_reset).all()


def test_density_keeps_the_densest_by_the_definition():
    torch.manual_seed(1)
    weight = torch.randn(6, 65, dtype=torch.float64)
    h = reference.kde_bandwidth(weight, "ken")
    density = reference.gaussian_kde(weight, weight, h)
    mask = select_entries(weight, torch.zeros_like(weight), 20, criterion="density")
    assert (mask.sum(1) == 20).all()
    assert torch.equal(mask, largest(density, 20))


def test_ken_on_the_delta_is_the_mask_of_the_difference():
    weight, base = torch.randn(5, 40), torch.randn(5, 40)
    mask = select_entries(weight, base, 11, criterion="ken", on="delta")
    assert torch.equal(mask, ken_mask(weight - base, 11))
    assert not torch.equal(mask, ken_mask(weight, 11))


@pytest.mark.parametrize("k", [0, 1, 2, 5, 8])
def test_equal_scores_keep_the_earlier_entry(k):
    scores = torch.tensor([[1, 3, 3, 0, 3, 1, 3, 1.0], [2] * 8, [0, 1, 2, 3, 4, 5, 6, 7]])
    order = np.argsort(-scores.numpy(), axis=1, kind="stable")
    expected = np.zeros(scores.shape, bool)
    np.put_along_axis(expected, order[:, :k], True, axis=1)
    assert (largest(scores, k).numpy() == expected).all()


@pytest.mark.parametrize("criterion", CRITERIA.names)
def test_a_constant_row_keeps_k(criterion):
    weight, base = torch.full((3, 12), 0.5), torch.zeros(3, 12)
    mask = select_entries(weight, base, 4, criterion=criterion, generator=torch.Generator().manual_seed(0))
    assert (mask.sum(1) == 4).all()
    if criterion != "random":
        assert mask[:, :4].all()
