"""What all tests share: the devices to run on, and a comparison that shows its worst element."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pruning_ext.ops._native import has_kernel
from tests.checkout import SOURCES

# What is about the folders beside the package. Other tests that need the sources say so themselves.
collect_ignore = [] if SOURCES else ["bench", "benchmarks", "examples", "real"]
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


@pytest.fixture(scope="session")
def probe_op() -> str:
    """An op of the family under test, whose kernel tells whether the family is there; others override it."""
    return "ken_mask"


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest, probe_op: str) -> torch.device:
    """Each device once. Without a GPU the CUDA half is skipped, or fails under PRUNING_EXT_REQUIRE_CUDA=1."""
    if request.param == "cuda":
        missing = None
        if not torch.cuda.is_available():
            missing = "no CUDA device"
        elif not has_kernel(probe_op, "cuda"):
            missing = f"pruning_ext was built without the CUDA kernel of {probe_op}"
        if missing and os.environ.get("PRUNING_EXT_REQUIRE_CUDA") == "1":
            pytest.fail(f"PRUNING_EXT_REQUIRE_CUDA=1, but {missing}")
        if missing:
            pytest.skip(missing)
    return torch.device(request.param)


@pytest.fixture(params=FLOATS, ids=lambda dtype: str(dtype)[6:])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    """Each dtype that the ops take."""
    return request.param


@pytest.fixture(scope="session")
def assert_within() -> Callable[..., None]:
    """``assert_within(found, truth, allowed, what="")``: no element is further off than ``allowed``."""
    return _assert_within


def _assert_within(found: Tensor, truth: Tensor, allowed: Tensor | float, what: str = "") -> None:
    assert found.shape == truth.shape, f"{what}: shape {tuple(found.shape)}, not {tuple(truth.shape)}"
    if found.numel() == 0:
        return
    found, truth = found.detach().cpu().double(), truth.detach().cpu().double()
    allowed = torch.as_tensor(allowed, dtype=torch.float64).expand_as(truth)
    error = torch.where(found == truth, 0, (found - truth).abs())  # an infinity equals itself
    share = torch.where(error == 0, 0, error / allowed).nan_to_num(nan=float("inf"), posinf=float("inf"))
    worst = int(share.argmax())
    if share.flatten()[worst] > 1:
        index = tuple(int(i) for i in torch.unravel_index(torch.tensor(worst), share.shape))
        raise AssertionError(
            f"{what}: {int((share > 1).sum())} of {share.numel()} elements are off; worst at {index}: "
            f"{found[index].item():.17g} instead of {truth[index].item():.17g}, "
            f"error {error[index].item():.3g}, allowed {allowed[index].item():.3g}"
        )


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """``threads(n)`` sets torch's number of threads; the old one returns afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


_ON_ONE_ISA = """
import sys
import numpy as np
import torch
from pruning_ext import _core, gaussian_kde, gaussian_kde_grid, ken_mask

print(_core.isa())
torch.manual_seed(0)
saved = {}
for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
    name = str(dtype)[6:]
    samples, points = (0.05 * torch.randn(24, 129)).to(dtype), (0.1 * torch.randn(24, 77)).to(dtype)
    samples[3, 5], samples[4], samples[5, ::2] = 40, samples[4, 0], samples[5, 0]
    weights = torch.rand(24, 129)
    h = torch.logspace(-4, 0, 24).double()
    saved |= {f"{name} samples": samples, f"{name} points": points, f"{name} weights": weights, "h": h}
    for rtol in (None, 1e-3, 1e-9, 0.0):
        saved[f"{name} density {rtol}"] = gaussian_kde(samples, points, h, weights=weights, rtol=rtol)
    saved[f"{name} log"] = gaussian_kde(samples, points * 100, h, log=True)
    saved[f"{name} own"] = gaussian_kde(samples, samples, h, leave_one_out=True)
    saved[f"{name} grid"], saved[f"{name} on grid"] = gaussian_kde_grid(samples, 65, h)
    for k in (1, 32, 64, 128):
        saved[f"{name} mask {k}"] = ken_mask(samples, k)
        saved[f"{name} mask {k} with ties"] = ken_mask(samples, k, keep_ties=True)
saved["mask of many"] = ken_mask(0.05 * torch.randn(3000, 97), 48)
arrays = {name: (v if v.dtype == torch.bool else v.double()).numpy() for name, v in saved.items()}
np.savez(sys.argv[1], **arrays)
"""


@pytest.fixture(scope="session", params=["baseline", "avx2", "avx512"])
def on_isa(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    """The same KDE and KEN calls made by a process confined to one instruction set, with their inputs."""
    file = tmp_path_factory.mktemp("isa") / f"{request.param}.npz"
    chosen = _run_on_isa(request.param, file)
    if chosen != request.param:
        pytest.skip(f"this CPU or build has no {request.param}: {chosen} was chosen")
    return _load(file)


@pytest.fixture(scope="session")
def on_best_isa(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    """The same by a process that chooses for itself."""
    file = tmp_path_factory.mktemp("isa") / "best.npz"
    _run_on_isa(None, file)
    return _load(file)


def _run_on_isa(isa: str | None, file: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PRUNING_EXT_ISA"}
    if isa is not None:
        environment["PRUNING_EXT_ISA"] = isa
    run = subprocess.run(
        [sys.executable, "-c", _ON_ONE_ISA, str(file)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def _load(file: Path) -> dict[str, Tensor]:
    with np.load(file) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the demo takes for its cache."""
    monkeypatch.setenv("PRUNING_EXT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
