"""One launch of every CUDA kernel at sizes that fill a GPU, for ncu.

``python scripts/gpu_once.py [kde] [ken] [mi] [wgmma]``: all families by default. Nothing is checked here;
``scripts/gpu_small.py`` does that. Under ``ncu --profile-from-start no`` only this package's calls are seen.
"""

import sys
from collections.abc import Callable
from typing import Any

import torch

import pruning_ext  # noqa: F401  (loads the ops)

ops = torch.ops.pruning_ext
COLUMNS, SAMPLES = 8192, 65_536


def watched(op: Callable[..., Any], *arguments: Any) -> None:
    """One call, profiled without the work that makes its arguments."""
    torch.cuda.synchronize()
    torch.cuda.profiler.start()
    op(*arguments)
    torch.cuda.synchronize()
    torch.cuda.profiler.stop()


def kde() -> None:
    samples, points = (torch.randn(4096, n, device="cuda") for n in (4096, 2048))
    bandwidth = torch.full((4096,), 0.2, dtype=torch.float64, device="cuda")
    for method, rows in ((3, 4096), (2, 4096), (1, 256)):
        given = (tensor[:rows] for tensor in (samples, points, bandwidth))
        watched(ops._gaussian_kde_by, *given, None, False, False, None, method)
    watched(ops.kde_bandwidth, samples, None, "scott")


def ken() -> None:
    for rows, n, scale in ((8448, 768, 1.0), (4096, 4096, 1.0), (1056, 11_008, 1.0), (1056, 4096, 1e-6)):
        weight = (scale * torch.randn(rows, n, device="cuda")).bfloat16()
        watched(ops.ken_mask, weight, n // 2, False)


def codes() -> torch.Tensor:
    return torch.randint(0, 16, (COLUMNS, SAMPLES), dtype=torch.uint8, device="cuda")


def mi() -> None:
    x = codes()
    for way in (2, 3, 4):
        watched(ops._mutual_information_by, x, None, 16, way)
    watched(ops._mutual_information_by, x[:512], None, 16, 1)
    for samples in (16_384, SAMPLES):  # in shared memory, and not
        watched(ops.discretize, torch.randn(samples, 1024, device="cuda"), 16, "quantile")


def wgmma() -> None:
    if torch.cuda.get_device_capability() == (9, 0):
        watched(ops._mutual_information_by, codes(), None, 16, 5)


if __name__ == "__main__":
    families = {"kde": kde, "ken": ken, "mi": mi, "wgmma": wgmma}
    torch.manual_seed(0)
    for name in sys.argv[1:] or families:
        families[name]()
