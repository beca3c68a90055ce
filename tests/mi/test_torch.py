"""The ops as PyTorch sees them: schema, fake kernels, compilation, threads, instruction sets, repetition."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pruning_ext import (
    contingency,
    discretize,
    mutual_information,
    mutual_information_from_codes,
    mutual_information_sum,
    mutual_information_topk,
)

OPS = torch.ops.pruning_ext
ESTIMATOR = ("miller-madow", "min", "nats")


def test_opcheck(device: torch.device, dtype: torch.dtype, activations: Callable[..., Tensor]) -> None:
    x = activations(70, 0).to(device, dtype)
    for strategy in ("quantile", "uniform", "zero-quantile"):
        torch.library.opcheck(OPS.discretize.default, (x, 16, strategy))
        torch.library.opcheck(OPS.discretize.default, (x.T, 5, strategy))
    _, edges = discretize(x)
    torch.library.opcheck(OPS.encode.default, (x, edges))


@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("bins", [2, 16, 33])
def test_opcheck_of_columns(
    device: torch.device, dtype: torch.dtype, activations: Callable[..., Tensor], bins: int, cross: bool
) -> None:
    x = activations(70, 0).to(device, dtype)
    y = activations(70, 1)[:, :4].to(device) if cross else None
    torch.library.opcheck(OPS.mutual_information_of_columns.default, (x, y, bins, "quantile", *ESTIMATOR))


@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("bins", [2, 16, 33])
def test_opcheck_of_codes(
    device: torch.device, random_codes: Callable[..., Tensor], bins: int, cross: bool
) -> None:
    x = random_codes(7, 50, bins).to(device)
    y = random_codes(4, 50, bins, seed=1).to(device) if cross else None
    torch.library.opcheck(OPS.contingency.default, (x, y, bins))
    for float64 in (False, True):
        torch.library.opcheck(OPS.mutual_information.default, (x, y, bins, *ESTIMATOR, float64))
        torch.library.opcheck(OPS.mutual_information_topk.default, (x, 3, y, bins, *ESTIMATOR, float64))
    torch.library.opcheck(OPS.mutual_information_sum.default, (x, y, bins, *ESTIMATOR))


def _everything(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    codes, edges = discretize(x, 8)
    again, _ = discretize(y, edges=edges[: y.shape[1]].contiguous())
    best = mutual_information_topk(x, 2)
    return (
        codes,
        edges,
        again,
        contingency(codes, bins=8),
        mutual_information_from_codes(codes, again, bins=8, dtype=torch.float64),
        mutual_information(x, y, normalize="mean"),
        best.values,
        best.indices,
        mutual_information_sum(x, y),
    )


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiles_whole(device: torch.device, activations: Callable[..., Tensor], dynamic: bool) -> None:
    compiled = torch.compile(_everything, fullgraph=True, backend="aot_eager", dynamic=dynamic)
    for samples in (60, 61):
        x = activations(samples, 0).float().to(device)
        for found, truth in zip(compiled(x, x[:, :4]), _everything(x, x[:, :4]), strict=True):
            assert torch.equal(found, truth)


def test_threads_and_repetition_change_nothing(
    threads: Callable[[int], None], activations: Callable[..., Tensor]
) -> None:
    x = torch.cat([activations(700, seed) for seed in range(50)], 1)  # 600 columns
    results = []
    for count in (1, 2, 3, 7, 1):
        threads(count)
        results.append(_everything(x, x[:, :200]))
    for other in results[1:]:
        for found, truth in zip(other, results[0], strict=True):
            assert torch.equal(found, truth)


DIGEST = """
import hashlib, sys, torch
sys.path[:0] = {path!r}
from pruning_ext import *
g = torch.Generator().manual_seed(0)
digest = hashlib.sha256()
for samples, columns, bins in ((1009, 150, 16), (300, 40, 100), (70001, 5, 3)):
    x = torch.randn(samples, columns, generator=g).clamp_min(-0.5)
    codes, edges = discretize(x, bins)
    best = mutual_information_topk_from_codes(codes, 3, bins=bins, correction="miller-madow")
    sums = mutual_information_sum_from_codes(codes, bins=bins)
    matrix = mutual_information_from_codes(codes, bins=bins, dtype=torch.float64)
    for tensor in (codes, edges, contingency(codes[:9], bins=bins), matrix, best.values, best.indices, sums):
        digest.update(tensor.numpy().tobytes())
print(digest.hexdigest())
"""


def test_instruction_sets_agree() -> None:
    """To the last bit: counts and terms are whole numbers."""
    digests = {}
    for isa in ("baseline", "avx2", "avx512"):  # one that the CPU has not is lowered to one it has
        script = DIGEST.format(path=[p for p in sys.path if p])
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PRUNING_EXT_ISA": isa, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        digests[isa] = done.stdout.strip()
    assert len(digests["baseline"]) == hashlib.sha256().digest_size * 2
    assert len(set(digests.values())) == 1, digests


def test_gradients_stop_here(activations: Callable[..., Tensor]) -> None:
    x = activations(50, 0).requires_grad_()
    codes, edges = discretize(x)
    assert not codes.requires_grad
    assert not edges.requires_grad
    assert not mutual_information(x).requires_grad


def test_inputs_are_left_alone(activations: Callable[..., Tensor]) -> None:
    x = activations(50, 0)
    before = x.clone()
    codes, edges = discretize(x)
    discretize(x, edges=edges)
    kept = codes.clone()
    mutual_information_from_codes(codes, bins=16)
    assert torch.equal(x, before)
    assert torch.equal(codes, kept)


def test_a_fault_inside_a_graph_is_the_same_sentence(activations: Callable[..., Tensor]) -> None:
    x = activations(50, 0)
    x[3, 5] = float("nan")
    compiled = torch.compile(lambda y: mutual_information(y), fullgraph=True, backend="aot_eager")
    with pytest.raises(RuntimeError, match=r"^pruning_ext: x has NaN or infinity in column 5$"):
        compiled(x)
    with pytest.raises(ValueError, match=r"^x has NaN or infinity in column 5$"):
        mutual_information(x)


def test_forward_and_reverse_derivatives_are_zero(activations: Callable[..., Tensor]) -> None:
    x = activations(50, 0)
    _, tangent = torch.func.jvp(mutual_information, (x,), (x,))
    assert not tangent.any()
    assert not torch.func.grad(lambda y: mutual_information(y).sum())(x).any()
