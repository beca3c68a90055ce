"""Finite weights at the ends of float64, and numbers of entries that come from elsewhere."""

import subprocess
import sys

import torch

from pruning_ext import ken_mask

_OVERFLOWING_RANGE = """
import torch
from pruning_ext import ken_mask

row = torch.tensor([[-1, 1, 0, 1e-300, 0.25, -0.5, 1 / 3]], dtype=torch.float64)
for k in (1, 2, 3, 5, 6):
    for repeats in (1, 20):
        weight = row.repeat(2, repeats)
        assert torch.equal(ken_mask(weight * 2.0**1023, k), ken_mask(weight * 2.0**900, k)), k
"""


_SUBNORMAL_SPREAD = """
import torch
from pruning_ext import ken_mask
from pruning_ext.numpy import ken_mask as ken_mask_of_array

normal = torch.randn(4, 33, dtype=torch.double, generator=torch.Generator().manual_seed(0))
one = torch.zeros(2, 33, dtype=torch.double).index_fill_(1, torch.tensor(7), 1.0)
for row in (normal, one):
    for scale in (1e-300, 1e-308, 1e-310, 1e-322):
        weight = row * scale
        lifted = weight * 2.0**500  # exactly
        for k in (1, 2, 5, 16, 32):
            for keep_ties in (False, True):
                expected = ken_mask(lifted, k, keep_ties=keep_ties)
                assert torch.equal(ken_mask(weight, k, keep_ties=keep_ties), expected), (scale, k)
                found = torch.from_numpy(ken_mask_of_array(weight.numpy(), k, keep_ties=keep_ties))
                assert torch.equal(found, expected), (scale, k)
"""


def _survives(program):
    """In a process of its own: it may not survive."""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"exit status {run.returncode}: {run.stderr}"


def test_range_that_no_float64_holds():
    """max - min overflows, no weight does."""
    _survives(_OVERFLOWING_RANGE)


def test_spread_below_the_normal_numbers():
    """The inverse of the bandwidth overflows; the mask is that of the same rows 2^500 times as large."""
    _survives(_SUBNORMAL_SPREAD)


def test_k_may_vary_in_one_graph(device):
    """With dynamic shapes k may come from a shape; else the ninth is an error under fullgraph."""
    torch.compiler.reset()

    def use(weight):
        return ken_mask(weight, weight.shape[1] // 2)

    compiled = torch.compile(use, fullgraph=True, dynamic=True, backend="eager")
    for n in range(4, 28, 2):
        weight = torch.randn(3, n, device=device)
        assert torch.equal(compiled(weight), use(weight))
