"""The KDE ops as torch's own machinery sees them: opcheck, fake tensors, ``torch.compile``."""

import pytest
import torch

from pruning_ext import gaussian_kde, gaussian_kde_grid
from tests.checkout import needs_compiler

CHECKS = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")


def _normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("weighted", "log", "leave_one_out", "rtol"),
    [
        (False, False, False, None),
        (True, True, False, 1e-3),
        (True, False, True, 0.0),
        (False, True, True, 1e-9),
    ],
)
def test_opcheck_density(weighted, log, leave_one_out, rtol, dtype, device):
    samples, points = _normal(3, 20).to(device, dtype), _normal(3, 20, seed=1).to(device, dtype)
    weights = _normal(3, 20, seed=2).abs().to(device, dtype) if weighted else None
    h = torch.full((3,), 0.3, dtype=torch.float64, device=device)
    arguments = (samples, points, h, weights, log, leave_one_out, rtol)
    torch.library.opcheck(torch.ops.pruning_ext.gaussian_kde.default, arguments, test_utils=CHECKS)


def test_opcheck_strides_and_empty(dtype, device):
    h = torch.full((3,), 0.3, dtype=torch.float64, device=device)
    transposed = _normal(20, 3).to(device, dtype).T
    op = torch.ops.pruning_ext.gaussian_kde.default
    shared = _normal(7, seed=1).to(device, dtype).expand(3, -1)
    for points in (shared, shared[:, :0], transposed[:, ::2]):
        torch.library.opcheck(op, (transposed, points, h, None, False, False, None), test_utils=CHECKS)
    torch.library.opcheck(
        op, (transposed[:0], shared[:0], h[:0], None, False, False, None), test_utils=CHECKS
    )


def test_opcheck_grid(dtype, device):
    samples = _normal(3, 20).to(device, dtype)
    h = torch.full((3,), 0.3, dtype=torch.float64, device=device)
    for rtol in (None, 1e-3, 0.0):
        torch.library.opcheck(
            torch.ops.pruning_ext.gaussian_kde_grid.default, (samples, 33, h, rtol), test_utils=CHECKS
        )


@pytest.mark.parametrize("rule", ["scott", "silverman", "ken"])
def test_opcheck_bandwidth(rule, dtype, device):
    samples = _normal(3, 20).to(device, dtype)
    weights = _normal(3, 20, seed=2).abs().to(device, dtype)
    op = torch.ops.pruning_ext.kde_bandwidth.default
    torch.library.opcheck(op, (samples, None, rule), test_utils=CHECKS)
    torch.library.opcheck(op, (samples, weights, rule), test_utils=CHECKS)


def _uses(samples, points, weights):
    """Every branch of the public functions, among other operations that the compiler may fuse."""
    density = gaussian_kde(samples * 2, points, "silverman", weights=weights)
    log_density = gaussian_kde(samples, points + 1, 0.5, log=True, rtol=1e-4)
    own = gaussian_kde(samples, samples, samples.std(1), leave_one_out=True)
    grid, on_grid = gaussian_kde_grid(samples, 9, "ken")
    return density.sum(1), log_density.exp(), own.mean(1), grid + 1, on_grid


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=needs_compiler)])
def test_compile(backend, device):
    torch.compiler.reset()
    compiled = torch.compile(_uses, fullgraph=True, backend=backend)
    inputs = [
        _normal(4, 50).to(device),
        _normal(4, 30, seed=1).to(device),
        _normal(4, 50, seed=2).abs().to(device),
    ]
    for found, expected in zip(compiled(*inputs), _uses(*inputs), strict=True):
        assert found.dtype == expected.dtype
        torch.testing.assert_close(found, expected, rtol=5e-5, atol=1e-12)


def _counting(graphs):
    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    return backend


def test_compile_for_any_size(device):
    """One graph serves all sizes of tensors: a second size must not compile again."""
    torch.compiler.reset()
    graphs = []
    compiled = torch.compile(_uses, fullgraph=True, dynamic=True, backend=_counting(graphs))
    for rows, samples, points in ((4, 50, 30), (5, 77, 31), (9, 20, 64)):
        inputs = [_normal(rows, samples), _normal(rows, points, seed=1), _normal(rows, samples, seed=2).abs()]
        inputs = [tensor.to(device) for tensor in inputs]
        for found, expected in zip(compiled(*inputs), _uses(*inputs), strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert len(graphs) == 1


def test_meta_tensors(dtype):
    """Shapes without data, as when a model is planned before it is loaded."""
    samples, points = torch.empty(3, 20, dtype=dtype, device="meta"), torch.empty(3, 9, device="meta")
    out = torch.float64 if dtype == torch.float64 else torch.float32
    for bandwidth in ("scott", 0.5, torch.empty(3, device="meta")):
        found = gaussian_kde(samples, points, bandwidth)
        assert (found.shape, found.dtype, found.device.type) == ((3, 9), out, "meta")
    for found in gaussian_kde_grid(samples, 7):
        assert (found.shape, found.dtype, found.device.type) == ((3, 7), out, "meta")
