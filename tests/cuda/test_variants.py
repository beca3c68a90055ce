"""Each numbered kernel of an op gives what the CPU gives; the choice between them must not show."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pruning_ext import gaussian_kde, ken_mask

OPS = torch.ops.pruning_ext


def _codes(rows: int, samples: int, bins: int) -> Tensor:
    generator = torch.Generator().manual_seed(bins)
    codes = torch.randint(0, bins, (rows, samples), generator=generator, dtype=torch.uint8)
    codes[1::3][torch.rand(codes[1::3].shape, generator=generator) < 0.75] = 0  # as ReLU leaves them
    codes[2] = 0
    return codes


@pytest.mark.parametrize("bins", [2, 5, 8, 9, 15, 16, 17, 32, 33, 256])
@pytest.mark.parametrize("samples", [2, 255, 256, 257, 1000, 70_000])
def test_ways_of_counting_agree(
    cuda: torch.device, assert_within: Callable[..., None], bins: int, samples: int
) -> None:
    x, y = _codes(37, samples, bins), _codes(19, samples, bins)
    ways = [1] + [2] * (bins <= 32) + [3] * (bins <= 16) + [4] * (9 <= bins <= 16)
    ways += [5] * (9 <= bins <= 16 and torch.cuda.get_device_capability(cuda) == (9, 0))
    for other in (None, y):
        truth = OPS.mutual_information(x, other, bins, "none", "none", "nats", True)
        partner = None if other is None else other.to(cuda)
        for way in ways:
            found = OPS._mutual_information_by(x.to(cuda), partner, bins, way)
            assert_within(found, truth, 1e-11, f"way {way}")


def test_ways_that_cannot_count_so_many_bins(cuda: torch.device) -> None:
    for bins, way in ((33, 2), (17, 3), (17, 4), (8, 4), (17, 5), (8, 5), (16, 6)):
        with pytest.raises(RuntimeError, match="counting must be"):
            OPS._mutual_information_by(_codes(3, 10, 2).to(cuda), None, bins, way)


def test_wgmma_over_bands_of_tiles_and_slabs(cuda: torch.device, assert_within: Callable[..., None]) -> None:
    """More columns than a band has, more slabs than the ring, run after run: as planes count them."""
    if torch.cuda.get_device_capability(cuda) != (9, 0):
        pytest.skip("wgmma is of sm_90")
    for columns, samples in ((300, 5000), (1100, 1024), (2100, 40)):
        codes = _codes(columns, samples, 16).to(cuda)
        truth = OPS._mutual_information_by(codes, None, 16, 2)
        for _ in range(3):
            assert_within(OPS._mutual_information_by(codes, None, 16, 5), truth, 1e-11, f"{columns} columns")


def test_wgmma_elsewhere(cuda: torch.device) -> None:
    if torch.cuda.get_device_capability(cuda) == (9, 0):
        pytest.skip("this GPU has wgmma")
    with pytest.raises(RuntimeError, match="instructions that only sm_90 has; this GPU is sm_"):
        OPS._mutual_information_by(_codes(3, 10, 16).to(cuda), None, 16, 5)


def test_columns_are_one_op(cuda: torch.device, dtype: torch.dtype) -> None:
    x = torch.randn(100, 9, generator=torch.Generator().manual_seed(0)).to(cuda, dtype)
    for other in (None, x[:, :4]):
        for bins in (2, 16, 33):
            arguments = (x, other, bins, "quantile", "none", "none", "nats")
            torch.library.opcheck(OPS.mutual_information_of_columns.default, arguments)


def test_methods_of_densities_agree(cuda: torch.device, assert_within: Callable[..., None]) -> None:
    generator = torch.Generator().manual_seed(0)
    samples, points = (torch.randn(5, n, generator=generator) for n in (3000, 700))
    bandwidth = torch.full((5,), 0.3, dtype=torch.float64)
    truth = gaussian_kde(samples, points, bandwidth, rtol=0.0)
    allowed = 1.1e-5 * truth.clamp_min(1e-12 * float(truth.max()))
    for method in (1, 2, 3):
        found = OPS._gaussian_kde_by(
            samples.to(cuda), points.to(cuda), bandwidth.to(cuda), None, False, False, None, method
        )
        assert_within(found, truth, allowed, f"method {method}")


def test_matchings_agree(cuda: torch.device) -> None:
    """Also beside an outlier, from which all other weights are equally far."""
    weight = torch.randn(9, 2000, generator=torch.Generator().manual_seed(0))
    weight[4, 7] = 1e16
    for matching in (0, 1, 2):
        mask = OPS._ken_mask_by(weight.to(cuda), 900, False, matching).cpu()
        assert torch.equal(mask, ken_mask(weight, 900))
