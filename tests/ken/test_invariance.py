"""The same mask however often and on however many threads; the weights as they were."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from pruning_ext import ken_mask


def _normal(*shape, seed=0):
    return 0.05 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _weights():
    yield _normal(701, 97)
    yield _normal(3, 20_000).to(torch.bfloat16)
    yield _normal(64, 300).T.double()


def _masks(weight):
    n = weight.shape[1]
    return [ken_mask(weight, k, keep_ties=ties) for k in (1, n // 4, n // 2, n - 1) for ties in (False, True)]


def test_number_of_threads(threads):
    for weight in _weights():
        threads(1)
        expected = _masks(weight)
        for number in (2, 5):
            threads(number)
            for found, one in zip(_masks(weight), expected, strict=True):
                assert torch.equal(found, one), f"{number} threads, {tuple(weight.shape)}"


def test_twice(device):
    for weight in _weights():
        on_device = weight.to(device)
        for first, second in zip(_masks(on_device), _masks(on_device), strict=True):
            assert torch.equal(first, second)


@pytest.mark.parametrize("k", [0, 11, 30, 99])
def test_weight_stays_as_it_was(k, dtype, device):
    weight = _normal(7, 30).to(device, dtype)
    before, version = weight.clone(), weight._version
    ken_mask(weight, k)
    ken_mask(weight, k, keep_ties=True)
    assert torch.equal(weight, before)
    assert weight._version == version


def test_threads_of_python_at_once():
    """Two threads of the caller's in the kernel together: no buffer is shared."""
    jobs = [_normal(40, 100 + 31 * i, seed=i) for i in range(8)]
    expected = [ken_mask(weight, 50) for weight in jobs]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda weight: ken_mask(weight, 50), jobs * 5))
    for index, mask in enumerate(found):
        assert torch.equal(mask, expected[index % len(jobs)])
