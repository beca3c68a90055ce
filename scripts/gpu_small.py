"""One launch of every CUDA kernel on little data, compared with the CPU; for compute-sanitizer, too.

``python scripts/gpu_small.py [kde] [ken] [mi] [wgmma] [--matching N...]``: all families by default, KEN by
each of its matchings.
"""

import argparse

import torch

import pruning_ext  # noqa: F401  (loads the ops)
from pruning_ext.ops import gaussian_kde, gaussian_kde_grid, ken_mask, mutual_information

ops = torch.ops.pruning_ext


def close(found: torch.Tensor, truth: torch.Tensor, rtol: float) -> None:
    torch.testing.assert_close(found.cpu(), truth, rtol=rtol, atol=1e-30)


def kde() -> None:
    for dtype, rtol in ((torch.float32, 1.1e-5), (torch.float64, 1.1e-12)):
        samples, points = torch.randn(3, 700, dtype=dtype), torch.randn(3, 130, dtype=dtype)
        bandwidth = torch.full((3,), 0.3, dtype=torch.float64)
        truth = gaussian_kde(samples, points, bandwidth, rtol=0.0)
        on_device = [tensor.cuda() for tensor in (samples, points, bandwidth)]
        for method in (1, 2, 3) if dtype == torch.float32 else (1, 3):
            close(ops._gaussian_kde_by(*on_device, None, False, False, None, method), truth, rtol)
        far = gaussian_kde(samples.cuda(), 50 * points.cuda(), 0.3, log=True)
        torch.testing.assert_close(
            far.cpu(), gaussian_kde(samples, 50 * points, 0.3, log=True), rtol=1e-6, atol=1e-4
        )
        close(gaussian_kde_grid(samples.cuda(), 65)[1], gaussian_kde_grid(samples, 65)[1], rtol)


def ken(matchings: list[int]) -> None:
    rows = torch.randn(3, 700)
    for weight, k in (
        (rows, 100),
        (1e-6 * rows, 100),  # the fine lattice
        (rows.double(), 100),  # in global memory
        (torch.randn(2, 70_000), 300),  # beyond shared memory
    ):
        truth = ken_mask(weight, k, keep_ties=True)
        for matching in matchings:
            mask = ops._ken_mask_by(weight.cuda(), k, True, matching)
            assert torch.equal(mask.cpu(), truth)


def mi() -> None:
    x = torch.randn(300, 9).relu() + torch.randn(300, 1)
    for strategy in ("quantile", "uniform", "zero-quantile"):
        codes, edges = ops.discretize(x, 16, strategy)
        for found, truth in zip(ops.discretize(x.cuda(), 16, strategy), (codes, edges), strict=True):
            assert torch.equal(found.cpu(), truth)
        assert torch.equal(ops.encode(x.cuda(), edges.cuda()).cpu(), codes)
        assert torch.equal(ops.contingency(codes.cuda(), None, 16).cpu(), ops.contingency(codes, None, 16))
        truth = ops.mutual_information(codes, None, 16, "none", "none", "nats", True)
        for counting in (1, 2, 3, 4):
            found = ops._mutual_information_by(codes.cuda(), None, 16, counting).cpu()
            torch.testing.assert_close(found, truth, rtol=0, atol=1e-11)
        found = mutual_information(x.cuda(), strategy=strategy).cpu()  # by packed codes
        torch.testing.assert_close(found, truth.float(), rtol=0, atol=1e-6)
        options = (None, 16, "none", "none", "nats")
        sums = ops.mutual_information_sum(codes.cuda(), *options).cpu()
        torch.testing.assert_close(sums, ops.mutual_information_sum(codes, *options), rtol=0, atol=1e-10)
        best = ops.mutual_information_topk(codes.cuda(), 3, *options, True)[0].cpu()
        torch.testing.assert_close(
            best, ops.mutual_information_topk(codes, 3, *options, True)[0], rtol=0, atol=1e-11
        )
    for bins in (7, 24, 100):  # other shapes of tiles, and none
        codes = torch.randint(0, bins, (20, 300), dtype=torch.uint8)
        truth = ops.mutual_information(codes, None, bins, "none", "none", "nats", True)
        for counting in [1] + [2] * (bins <= 32) + [3] * (bins <= 16):
            found = ops._mutual_information_by(codes.cuda(), codes.cuda(), bins, counting).cpu()
            torch.testing.assert_close(found, truth, rtol=0, atol=1e-11)


def wgmma() -> None:
    """In a call of its own: its warps wait for each other, and an error there may hang."""
    if torch.cuda.get_device_capability() != (9, 0):
        return
    codes = torch.randint(0, 16, (40, 5000), dtype=torch.uint8)
    codes[3], codes[5] = 0, codes[4]
    truth = ops.mutual_information(codes, None, 16, "none", "none", "nats", True)
    found = ops._mutual_information_by(codes.cuda(), None, 16, 5).cpu()
    torch.testing.assert_close(found, truth, rtol=0, atol=1e-11)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", default=[])
    parser.add_argument("--matching", nargs="+", type=int, default=[0, 1, 2])
    chosen = parser.parse_args()
    families = {"kde": kde, "ken": lambda: ken(chosen.matching), "mi": mi, "wgmma": wgmma}
    for name in chosen.families or families:
        torch.manual_seed(0)
        families[name]()
        print(f"{name}: every kernel agrees with the CPU", flush=True)
