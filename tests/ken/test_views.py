"""Shapes, strides and dtypes of ``ken_mask``: a view gives what its contiguous copy gives."""

import pytest
import torch

from pruning_ext import ken_mask


def _normal(*shape, seed=0):
    return 0.05 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_strides(dtype, device):
    base = _normal(60, 80).to(device, dtype)
    views = {
        "transposed": base.T,
        "every third column": base[:, ::3],
        "every second row": base[::2],
        "offset": base[7:, 11:],
        "both": base.T[::2, 3::5],
        "expanded row": base[:1].expand(4, -1),
        "expanded columns": base[:, :1].expand(-1, 9),
        "overlapping": base.flatten().as_strided((10, 40), (13, 2)),
        "one row": base[5:6, ::7],
        "one column": base[:, 5:6],
    }
    for name, weight in views.items():
        for k in (0, 1, weight.shape[1] // 2, weight.shape[1]):
            for keep_ties in (False, True):
                found = ken_mask(weight, k, keep_ties=keep_ties)
                assert found.dtype == torch.bool
                assert found.shape == weight.shape
                assert torch.equal(found, ken_mask(weight.contiguous(), k, keep_ties=keep_ties)), name


def test_more_dimensions(dtype, device):
    """Viewed as rows over the first dimension, in the order of indices whatever the order in memory."""
    for shape in ((4, 5, 6), (4, 3, 2, 7), (2, 2, 2, 2, 3), (3, 1, 9), (1, 4, 4)):
        weight = _normal(*shape).to(device, dtype)
        expected = ken_mask(weight.reshape(shape[0], -1), 5).view(shape)
        assert torch.equal(ken_mask(weight, 5), expected)
        assert (expected.flatten(1).sum(1) == 5).all()
    weight = _normal(6, 5, 4).to(device, dtype)
    moved = weight.permute(2, 0, 1)
    assert torch.equal(ken_mask(moved, 9), ken_mask(moved.contiguous(), 9))
    image = _normal(4, 3, 5, 5).to(device, dtype).to(memory_format=torch.channels_last)
    assert torch.equal(ken_mask(image, 9), ken_mask(image.contiguous(), 9))
    assert torch.equal(ken_mask(weight[:, 1:, ::2], 3), ken_mask(weight[:, 1:, ::2].contiguous(), 3))


def test_narrow_dtypes_have_the_mask_of_their_values(device):
    """16-bit numbers are numbers: their masks are those of the same values held in float64."""
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        weight = _normal(20, 65).to(device, dtype)
        for k in (1, 16, 40, 64):
            for keep_ties in (False, True):
                wide = ken_mask(weight.double(), k, keep_ties=keep_ties)
                assert torch.equal(ken_mask(weight, k, keep_ties=keep_ties), wide)


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (0, 0), (0, 4, 2), (3, 0, 2)])
def test_empty(shape, dtype, device):
    for k in (0, 1, 7):
        for keep_ties in (False, True):
            found = ken_mask(torch.empty(shape, dtype=dtype, device=device), k, keep_ties=keep_ties)
            assert (found.shape, found.dtype, found.device.type) == (shape, torch.bool, device.type)


def test_result_is_fresh_and_dense(device):
    """A mask that may be written to, even for k = 0 and k >= n, and never shared between calls."""
    weight = _normal(4, 8).to(device)
    for k in (0, 3, 8, 100):
        first, second = ken_mask(weight, k), ken_mask(weight, k)
        assert first.is_contiguous()
        assert first.data_ptr() != second.data_ptr()
        first.logical_not_()
        assert torch.equal(~first, second)


def test_parameters_and_inference_mode(device):
    weight = torch.nn.Parameter(_normal(4, 30).to(device))
    expected = ken_mask(weight.detach(), 11)
    assert torch.equal(ken_mask(weight, 11), expected)
    assert not ken_mask(weight, 11).requires_grad
    with torch.inference_mode():
        assert torch.equal(ken_mask(weight * 1, 11), expected)
