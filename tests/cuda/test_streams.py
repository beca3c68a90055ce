"""Launches go to the current stream, and can be captured in a graph: one call of each family."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pruning_ext import gaussian_kde, gaussian_kde_grid, ken_mask, mutual_information

CALLS: dict[str, Callable[[Tensor], Tensor]] = {
    "direct": lambda x: gaussian_kde(x, x[:, :20], 0.3),
    "lattice": lambda x: gaussian_kde(x, x[:, :300], 0.3),
    "grid": lambda x: gaussian_kde_grid(x, 300)[1],
    "ken": lambda x: ken_mask(x, 300),
    "mi": lambda x: mutual_information(x.T),
}


@pytest.fixture(params=CALLS)
def call(request: pytest.FixtureRequest) -> Callable[[Tensor], Tensor]:
    return CALLS[request.param]


def _rows(seed: int, device: torch.device) -> Tensor:
    return torch.randn(9, 700, generator=torch.Generator().manual_seed(seed)).to(device)


def test_a_side_stream(cuda: torch.device, call: Callable[[Tensor], Tensor]) -> None:
    """Anywhere else a kernel would read what was there before the copy."""
    x, y = _rows(0, cuda), _rows(1, cuda)
    truth = call(x)
    stream = torch.cuda.Stream(cuda)
    torch.cuda.synchronize(cuda)
    with torch.cuda.stream(stream):
        torch.cuda._sleep(100_000_000)  # a twentieth of a second
        y.copy_(x)
        found = call(y)
    stream.synchronize()
    assert torch.equal(found, truth)


def test_capture_and_replay(cuda: torch.device, call: Callable[[Tensor], Tensor]) -> None:
    x = _rows(0, cuda)
    call(x)  # kernels are loaded before
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = call(x)
    for seed in (1, 2):
        x.copy_(_rows(seed, cuda))
        graph.replay()
        torch.cuda.synchronize(cuda)
        assert torch.equal(found, call(x))


@pytest.mark.parametrize(
    ("name", "empty"), [("direct", float("nan")), ("lattice", float("nan")), ("ken", False)]
)
def test_a_row_at_fault_in_a_graph(cuda: torch.device, name: str, empty: float | bool) -> None:
    """Nothing may wait while a graph is captured, so nothing is raised."""
    x = _rows(0, cuda)
    truth = CALLS[name](x)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = CALLS[name](x)
    x[4, 600] = float("inf")
    graph.replay()
    torch.cuda.synchronize(cuda)
    at_fault = torch.full_like(truth[4], empty)
    assert torch.equal(found[4].nan_to_num(nan=-1), at_fault.nan_to_num(nan=-1))
    sound = [r for r in range(len(x)) if r != 4]
    assert torch.equal(found[sound], truth[sound])
