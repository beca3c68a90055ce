"""``ken_mask`` as torch's own machinery sees it: opcheck, fake tensors, ``torch.compile``."""

import pytest
import torch

from pruning_ext import ken_mask
from tests.checkout import needs_compiler

CHECKS = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")


def _normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("keep_ties", [False, True])
@pytest.mark.parametrize("k", [0, 7, 20])
def test_opcheck(k, keep_ties, dtype, device):
    weight = _normal(5, 20).to(device, dtype)
    op = torch.ops.pruning_ext.ken_mask.default
    for view in (weight, weight.T, weight[::2, ::3], weight[:1].expand(3, -1), weight[:0], weight[:, :0]):
        torch.library.opcheck(op, (view, k, keep_ties), test_utils=CHECKS)


def _prune(weight, base):
    """What a pruner does with a mask, for the compiler to fuse; three dimensions and two."""
    kept = ken_mask(weight, 7)
    tied = ken_mask(weight.unflatten(1, (2, -1)), 7, keep_ties=True)
    return torch.where(kept, weight, base), tied.flatten(1).sum(1)


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=needs_compiler)])
def test_compile(backend, device):
    torch.compiler.reset()
    compiled = torch.compile(_prune, fullgraph=True, backend=backend)
    weight, base = _normal(6, 40).to(device), _normal(6, 40, seed=1).to(device)
    for found, expected in zip(compiled(weight, base), _prune(weight, base), strict=True):
        assert torch.equal(found, expected)


def test_compile_for_any_size(device):
    """One graph serves all sizes of tensors: a second size must not compile again."""
    torch.compiler.reset()
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(_prune, fullgraph=True, dynamic=True, backend=backend)
    for shape in ((4, 50), (5, 78), (9, 20)):
        weight, base = _normal(*shape).to(device), _normal(*shape, seed=1).to(device)
        for found, expected in zip(compiled(weight, base), _prune(weight, base), strict=True):
            assert torch.equal(found, expected)
    assert len(graphs) == 1


def test_meta_tensors(dtype):
    for shape in ((4, 5), (4, 5, 6), (0, 3)):
        found = ken_mask(torch.empty(shape, dtype=dtype, device="meta"), 2)
        assert (found.shape, found.dtype, found.device.type) == (shape, torch.bool, "meta")
