"""KDE and KEN on a GPU: every result is checked first, then timed by events, the medians written as JSON.

Usage: ``python benchmarks/gpu.py OUT.json``
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable

import torch

from pruning_ext.ops import gaussian_kde, ken_mask

OPS = torch.ops.pruning_ext


def median_ms(run: Callable[[], object], repeats: int = 20) -> float:
    for _ in range(3):
        run()
    times = []
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times)


@torch.compile
def broadcast(samples: torch.Tensor, points: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    z = (points[:, :, None] - samples[:, None, :]) / h[:, None, None]
    return torch.exp(-z.square() / 2).sum(2) / (h[:, None] * samples.shape[1] * (2 * torch.pi) ** 0.5)


def kde_case(rows: int, n: int, k: int) -> dict[str, object]:
    samples, points = torch.randn(rows, n, device="cuda"), torch.randn(rows, k, device="cuda")
    h = torch.full((rows,), 0.3, dtype=torch.float64, device="cuda")
    truth = gaussian_kde(samples[:4].cpu(), points[:4].cpu(), h[:4].cpu(), rtol=0.0)
    result: dict[str, object] = {"case": "kde", "rows": rows, "n": n, "k": k}
    for name, method in (("direct", 1), ("direct_fast", 2), ("lattice", 3)):
        found = OPS._gaussian_kde_by(samples, points, h, None, False, False, None, method)[:4].cpu()
        error = float(((found - truth).abs() / truth.clamp_min(1e-12 * truth.max())).max())
        assert error < 1.1e-5, (name, error)

        def run(method: int = method) -> object:
            return OPS._gaussian_kde_by(samples, points, h, None, False, False, None, method)

        result[name] = {"ms": median_ms(run), "error": error}
    h32 = h.float()
    result["torch_compile"] = {"ms": median_ms(lambda: broadcast(samples, points, h32), 5)}
    return result


def ken_case(rows: int, n: int, k: int) -> dict[str, object]:
    weight = 0.02 * torch.randn(rows, n, device="cuda")
    assert torch.equal(ken_mask(weight[:64], k).cpu(), ken_mask(weight[:64].cpu(), k))
    result: dict[str, object] = {"case": "ken", "rows": rows, "n": n, "k": k}
    for name, matching in (("one_by_one", 0), ("proposals", 1)):
        repeats = 3 if matching == 0 else 20

        def run(matching: int = matching) -> object:
            return OPS._ken_mask_by(weight, k, False, matching)

        result[name] = {"ms": median_ms(run, repeats)}
    return result


def main() -> None:
    torch.manual_seed(0)
    cases = [kde_case(1024, 768, 384), kde_case(256, 4096, 2048), kde_case(1, 1_000_000, 1024)]
    cases += [ken_case(4096, 768, 384), ken_case(4096, 4096, 2048), ken_case(512, 11008, 5504)]
    device = torch.cuda.get_device_properties(0)
    report = {
        "device": device.name,
        "multiprocessors": device.multi_processor_count,
        "torch": torch.__version__,
        "cases": cases,
    }
    with open(sys.argv[1], "w") as file:
        json.dump(report, file, indent=1)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
