"""Inputs by regime, and NumPy's word on what their counts are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor


@pytest.fixture(scope="session")
def probe_op() -> str:
    """The op whose kernel tells whether this family has any."""
    return "mutual_information"


@pytest.fixture(scope="session")
def activations() -> Callable[[int, int], Tensor]:
    """``activations(samples, seed)``: float64 ``[T, 12]``, a column for each way to be awkward."""
    return _activations


def _activations(samples: int, seed: int = 0) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(samples, 12, generator=g, dtype=torch.float64)
    x = z.clone()
    x[:, 1] = x[:, 0] + 0.3 * z[:, 1]  # tells much of column 0
    x[:, 2] = -2 * x[:, 0] + 5  # says the same as column 0
    x[:, 3] = 3.5  # dead
    x[:, 4] = 0  # dead at zero
    x[:, 5] = (z[:, 5] - 0.7).clamp_min(0)  # ReLU, three quarters zeros
    x[:, 6] = (z[:, 6] > 1.9).double()  # rarely on
    x[:, 7] = torch.nn.functional.gelu(z[:, 7])
    x[:, 8] = z[:, 8].round()  # few distinct values
    x[0, 9] = 6e4  # one huge outlier, within float16
    x[:, 10] *= 1e-5
    x[:, 11] = z[:, 11].bfloat16().double()  # on a coarse grid: many ties
    return x


@pytest.fixture(scope="session")
def random_codes() -> Callable[..., Tensor]:
    """``random_codes(rows, samples, bins, seed=0)``: uint8, uniform, skewed, constant and related rows."""
    return _random_codes


def _random_codes(rows: int, samples: int, bins: int, seed: int = 0) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, bins, (rows, samples), generator=g)
    u = torch.rand(rows, samples, generator=g)
    for row in range(rows):
        kind = row % 6
        if kind == 1:  # a spike of three quarters at the lowest code, as ReLU has it
            codes[row][u[row] < 0.75] = 0
        elif kind == 2:  # the spike at the highest code
            codes[row][u[row] < 0.75] = bins - 1
        elif kind == 3:
            codes[row] = bins - 1
        elif kind == 4:  # the row before the last, slightly disturbed
            codes[row] = torch.where(u[row] < 0.9, codes[row - 4], codes[row])
        elif kind == 5:  # two codes only
            codes[row] = (u[row] < 0.5) * (bins - 1)
    return codes.to(torch.uint8)


@pytest.fixture(scope="session")
def numpy_counts() -> Callable[..., Tensor]:
    """``numpy_counts(codes_x, codes_y, bins)``: int64 ``[N, M, bins, bins]`` by ``numpy.bincount``."""

    def count(codes_x: Tensor, codes_y: Tensor, bins: int) -> Tensor:
        x, y = codes_x.cpu().numpy().astype(np.int64), codes_y.cpu().numpy().astype(np.int64)
        tables = [[np.bincount(a * bins + b, minlength=bins * bins) for b in y] for a in x]
        return torch.from_numpy(np.array(tables).reshape(len(x), len(y), bins, bins))

    return count
