"""Every CUDA kernel once, on little data, against the CPU: what compute-sanitizer is given to watch."""

import torch

import pruning_ext  # noqa: F401  (loads the ops)
from pruning_ext.ops import gaussian_kde, gaussian_kde_grid, ken_mask

ops = torch.ops.pruning_ext
torch.manual_seed(0)


def close(found: torch.Tensor, truth: torch.Tensor, rtol: float) -> None:
    torch.testing.assert_close(found.cpu(), truth, rtol=rtol, atol=1e-30)


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
    for scale in (1e-6, 1.0):  # the fine lattice, the coarse one
        for matching in (0, 1):
            mask = ops._ken_mask_by(scale * samples.cuda(), 100, True, matching)
            assert torch.equal(mask.cpu(), ken_mask(scale * samples, 100, keep_ties=True))
long = torch.randn(2, 20_000)  # beyond shared memory
assert torch.equal(ken_mask(long.cuda(), 3000).cpu(), ken_mask(long, 3000))
print("every kernel agrees with the CPU")
