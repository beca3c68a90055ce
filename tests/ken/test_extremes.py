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


def test_range_that_no_float64_holds():
    """max - min overflows, no weight does. In a process of its own: it may not survive."""
    run = subprocess.run(
        [sys.executable, "-c", _OVERFLOWING_RANGE], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"exit status {run.returncode}: {run.stderr}"


def test_k_may_vary_in_one_graph(device):
    """With dynamic shapes k may come from a shape; else the ninth is an error under fullgraph."""
    torch.compiler.reset()

    def use(weight):
        return ken_mask(weight, weight.shape[1] // 2)

    compiled = torch.compile(use, fullgraph=True, dynamic=True, backend="eager")
    for n in range(4, 28, 2):
        weight = torch.randn(3, n, device=device)
        assert torch.equal(compiled(weight), use(weight))
