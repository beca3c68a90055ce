"""CUDA tensors where the kernels are missing: one sentence with the cause and the remedy."""

import pytest
import torch

from pruning_ext.ops import _native


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("pruning_ext was built without CUDA kernels; rebuild it with PRUNING_EXT_CUDA=on", "rebuild it"),
        ("", "no CUDA kernels in this version"),
    ],
)
def test_a_cuda_tensor_gets_one_sentence(monkeypatch, problem, words):
    """What a caller sees, without a device to put a tensor on: the call names one."""
    monkeypatch.setattr(_native, "cuda_problem", problem)
    monkeypatch.setattr(_native, "has_kernel", lambda op, device_type: False)
    with pytest.raises(RuntimeError, match=words) as caught:
        _native.call("ken_mask", torch.device("cuda", 0), None, 3, False)
    assert "\n" not in str(caught.value)
    assert "ken_mask" in str(caught.value)


def test_devices_without_kernels_are_one_sentence():
    with pytest.raises(RuntimeError, match="no kernels for 'xpu' devices; move the tensors to the CPU"):
        _native.call("ken_mask", torch.device("xpu"), None, 3, False)


def test_nothing_is_loaded_without_a_cuda_torch():
    if torch.version.cuda is None:
        assert _native.cuda_problem
        assert not _native.has_kernel("ken_mask", "cuda")
    else:
        assert not _native.cuda_problem
