"""What can be seen of the CUDA kernels without a GPU: that they load into a CUDA torch, all symbols found."""

import sys

import torch

import pruning_ext
from pruning_ext import info
from pruning_ext.ops import _native

if torch.version.cuda is None:
    sys.exit(f"torch {torch.__version__} is built without CUDA: nothing to check")
assert not _native.cuda_problem, _native.cuda_problem

ops = info.info()["ops"]
assert ops, "no ops are registered"
missing = [name for name, where in ops.items() if "cuda" not in where]

rows = torch.randn(3, 100)
assert pruning_ext.ken_mask(rows, 10).sum() == 30  # the CPU ops are untouched

if torch.cuda.is_available():
    assert torch.equal(pruning_ext.ken_mask(rows.cuda(), 10).cpu(), pruning_ext.ken_mask(rows, 10))
    device = torch.cuda.get_device_name()
else:
    # The kernel is called without a device to run on, and torch says so.
    with torch.device("meta"):
        assert torch.ops.pruning_ext.ken_mask(torch.empty(3, 100), 10, False).shape == (3, 100)
    device = "no GPU"

built = _native.build_info()
architectures = built["cuda_architectures"].replace(";", ", ")
print(f"torch {torch.__version__} (CUDA {torch.version.cuda}, {device}) loads _C and _C_cuda")
print(f"built with torch {built['torch_built_with']} and CUDA {built['cuda']} for {architectures}")
print(f"{len(ops) - len(missing)} of {len(ops)} functions run on CUDA; not: {', '.join(missing) or 'none'}")
