"""Every instruction set keeps the bound, each in a process confined to it."""

import torch


def test_density(on_isa, dtype, assert_density):
    name = str(dtype)[6:]
    samples, points = on_isa[f"{name} samples"].to(dtype), on_isa[f"{name} points"].to(dtype)
    h, weights = on_isa["h"], on_isa[f"{name} weights"]
    out = torch.float64 if dtype == torch.float64 else torch.float32
    for rtol in (None, 1e-3, 1e-9, 0.0):
        found = on_isa[f"{name} density {rtol}"].to(out)
        assert_density(found, samples, points, h, rtol, weights=weights, what=f"rtol {rtol}")
    own = on_isa[f"{name} own"].to(out)
    assert_density(own, samples, samples, h, leave_one_out=True, what="leave one out")
    grid, on_grid = on_isa[f"{name} grid"].to(out), on_isa[f"{name} on grid"].to(out)
    assert_density(on_grid, samples, grid, h, what="grid")


def test_log(on_isa, dtype, kde_truth, assert_within):
    name = str(dtype)[6:]
    wide = dtype == torch.float64
    samples, points = on_isa[f"{name} samples"], on_isa[f"{name} points"].to(dtype) * 100
    truth = kde_truth(samples, points, on_isa["h"], log=True)
    found = on_isa[f"{name} log"]
    assert found.isfinite().all()
    eps = torch.finfo(torch.float64 if wide else torch.float32).eps
    assert_within(
        found, truth, (1e-10 if wide else 1e-4) + 4 * eps * truth.abs()
    )  # z and its square are rounded, here and there
