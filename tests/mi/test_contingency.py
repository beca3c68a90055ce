"""Counts are exact: against NumPy, whatever the bins, the sizes and the strides."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pruning_ext import contingency, reference

Counter = Callable[..., Tensor]


@pytest.mark.parametrize("bins", [*range(2, 65), 100, 128, 255, 256])
def test_counts_equal_numpy(
    device: torch.device, random_codes: Counter, numpy_counts: Counter, bins: int
) -> None:
    codes = random_codes(7, 1009, bins, seed=bins)  # a prime number of samples
    other = random_codes(5, 1009, bins, seed=1000 + bins)
    found = contingency(codes.to(device), other.to(device), bins=bins)
    assert found.dtype == torch.int32
    assert torch.equal(found.cpu().long(), numpy_counts(codes, other, bins))
    assert torch.equal(
        contingency(codes.to(device), bins=bins).cpu().long(), numpy_counts(codes, codes, bins)
    )


@pytest.mark.parametrize("samples", [2, 3, 7, 8, 9, 31, 32, 33, 63, 64, 65, 127, 255, 256, 257, 2047, 4099])
def test_any_number_of_samples(
    device: torch.device, random_codes: Counter, numpy_counts: Counter, samples: int
) -> None:
    codes = random_codes(6, samples, 5, seed=samples)
    found = contingency(codes.to(device), bins=5)
    assert torch.equal(found.cpu().long(), numpy_counts(codes, codes, 5))


# Around the blocks of 128 and 512 columns, and both ways round: the longer side is packed.
@pytest.mark.parametrize("rows", [(1, 1), (1, 130), (130, 1), (129, 127), (16, 513), (513, 17)])
def test_any_number_of_rows(
    device: torch.device, random_codes: Counter, numpy_counts: Counter, rows: tuple[int, int]
) -> None:
    codes, other = random_codes(rows[0], 67, 4, seed=1), random_codes(rows[1], 67, 4, seed=2)
    found = contingency(codes.to(device), other.to(device), bins=4)
    assert torch.equal(found.cpu().long(), numpy_counts(codes, other, 4))


def test_symmetric_blocks_mirror(device: torch.device, random_codes: Counter) -> None:
    codes = random_codes(530, 41, 3)
    found = contingency(codes.to(device), bins=3)
    assert torch.equal(found, contingency(codes.to(device), codes.to(device), bins=3))
    assert torch.equal(found, found.permute(1, 0, 3, 2))


# Counts no longer fit 16 bits from 65536 samples on, and one call of the counter takes 65528.
@pytest.mark.parametrize("samples", [65535, 65536, 200_003])
def test_many_samples(
    device: torch.device, random_codes: Counter, numpy_counts: Counter, samples: int
) -> None:
    codes = random_codes(6, samples, 3)
    codes[0] = 0
    codes[0, 0] = 1
    codes[0, 1:70_000] = 2  # two bins that each need more than one call
    found = contingency(codes.to(device), bins=3)
    assert torch.equal(found.cpu().long(), numpy_counts(codes, codes, 3))


def test_strides(device: torch.device, random_codes: Counter, numpy_counts: Counter) -> None:
    codes = random_codes(8, 202, 16)
    truth = numpy_counts(codes, codes, 16)
    transposed = codes.T.contiguous().to(device).T
    assert not transposed.is_contiguous()
    assert torch.equal(contingency(transposed, bins=16).cpu().long(), truth)
    every_other = codes.repeat_interleave(2, 1).repeat_interleave(3, 0).to(device)[::3, ::2]
    assert torch.equal(contingency(every_other, codes.to(device), bins=16).cpu().long(), truth)
    same = codes[:1].to(device).expand(4, -1)  # stride 0
    assert torch.equal(contingency(same, bins=16).cpu().long(), truth[:1, :1].expand(4, 4, -1, -1))


def test_the_reference_counts_as_numpy_does(random_codes: Counter, numpy_counts: Counter) -> None:
    codes, other = random_codes(4, 333, 9), random_codes(3, 333, 9, seed=5)
    assert torch.equal(reference.contingency(codes, other, 9).long(), numpy_counts(codes, other, 9))


@pytest.mark.parametrize(("rows", "others"), [(0, 3), (3, 0), (0, 0)])
def test_empty(device: torch.device, rows: int, others: int) -> None:
    x = torch.zeros(rows, 5, dtype=torch.uint8, device=device)
    y = torch.zeros(others, 5, dtype=torch.uint8, device=device)
    assert contingency(x, y, bins=4).shape == (rows, others, 4, 4)
    assert contingency(x, bins=4).shape == (rows, rows, 4, 4)
