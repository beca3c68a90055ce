"""A file written tensor by tensor is the one that safetensors writes at once."""

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pruning_ext.storage.tensor_file import TensorFile
from tests.tiny_models import assert_same_bits

DTYPES = [
    torch.float64,
    torch.float32,
    torch.bfloat16,
    torch.float16,
    torch.float8_e4m3fn,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
]


def tensors():
    """Every dtype in several shapes, in no order; names that JSON must quote; scalars and empty ones."""
    torch.manual_seed(0)
    found = {}
    for i, dtype in enumerate(DTYPES):
        for shape in [(3, 5), (), (0, 4), (7,)]:
            found[f'{i % 4} "{dtype}" größe {shape}'] = (torch.rand(shape) * 3).to(dtype)
    found["across"] = torch.rand(4, 6).t()
    return found


@pytest.mark.parametrize("backwards", [False, True])
def test_byte_for_byte_what_safetensors_writes(tmp_path, backwards):
    whole = {name: tensor.contiguous() for name, tensor in tensors().items()}
    save_file(whole, tmp_path / "expected", {"format": "pt"})
    announced = {name: tensor.to("meta") for name, tensor in tensors().items()}
    with TensorFile(tmp_path / "found", announced, {"format": "pt"}) as file:
        for name, tensor in sorted(tensors().items(), reverse=backwards):
            file.write(name, tensor)
    assert (tmp_path / "found").read_bytes() == (tmp_path / "expected").read_bytes()
    with safe_open(tmp_path / "found", "pt") as opened:
        assert_same_bits({name: opened.get_tensor(name) for name in whole}, whole)


def test_what_was_not_announced_has_no_place(tmp_path):
    one = torch.ones(2, 3)
    for name, tensor in (("other", one), ("one", one.half()), ("one", one.t())):
        with (
            pytest.raises(ValueError, match=f"file has no place for {name}, {tensor.dtype} "),
            TensorFile(tmp_path / "file", {"one": one}, {}) as file,
        ):
            file.write(name, tensor)
    with TensorFile(tmp_path / "file", {"one": one}, {}) as file:
        file.write("one", one)
        with pytest.raises(ValueError, match="no place for one"):
            file.write("one", one)


def test_a_tensor_that_never_came_is_named(tmp_path):
    announced = {"one": torch.ones(2), "two": torch.ones(3)}
    with (
        pytest.raises(ValueError, match="file got no values for two"),
        TensorFile(tmp_path / "file", announced, {}) as file,
    ):
        file.write("one", torch.ones(2))
    with pytest.raises(KeyError), TensorFile(tmp_path / "file", announced, {}):
        raise KeyError("what went wrong, not what is missing therefore")
