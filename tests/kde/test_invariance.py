"""The same answer, bit for bit, however often and on however many threads; the inputs as they were."""

import pytest
import torch

from pruning_ext import gaussian_kde, gaussian_kde_grid


def _normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


SHAPES = {"many rows": (701, 60, 40), "few long rows": (3, 40_000, 30_001), "one row": (1, 100_000, 50_000)}


def _calls(samples, points, weights):
    small = samples.shape[1] <= 1000
    yield gaussian_kde(samples, points)
    yield gaussian_kde(samples, points, "ken", weights=weights, rtol=1e-9)
    yield gaussian_kde(samples, points, 0.01, log=True)
    yield torch.stack(gaussian_kde_grid(samples, 333))
    if small:
        yield gaussian_kde(samples, points, rtol=0)
        yield gaussian_kde(samples.double(), samples, 0.1, leave_one_out=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_number_of_threads(shape, threads):
    rows, count, num_points = SHAPES[shape]
    samples, points = _normal(rows, count), _normal(rows, num_points, seed=1)
    weights = _normal(rows, count, seed=2).abs()
    threads(1)
    expected = list(_calls(samples, points, weights))
    for number in (2, 5):
        threads(number)
        for index, (found, one) in enumerate(zip(_calls(samples, points, weights), expected, strict=True)):
            assert torch.equal(found, one), f"call {index} differs on {number} threads"


@pytest.mark.parametrize("shape", ["many rows", "few long rows"])
def test_twice(shape, device):
    rows, count, num_points = SHAPES[shape]
    samples, points = _normal(rows, count).to(device), _normal(rows, num_points, seed=1).to(device)
    weights = _normal(rows, count, seed=2).abs().to(device)
    for first, second in zip(_calls(samples, points, weights), _calls(samples, points, weights), strict=True):
        assert torch.equal(first, second)


def test_rows_do_not_know_each_other(device):
    """A row's bits are the same alone, among others, and among others of another kind."""
    samples, points = _normal(40, 97), _normal(40, 33, seed=1)
    samples[::7] *= 1e4
    h = torch.logspace(-3, 1, 40)
    together = gaussian_kde(samples.to(device), points.to(device), h.to(device))
    for r in range(0, 40, 3):
        one = slice(r, r + 1)
        alone = gaussian_kde(samples[one].to(device), points[one].to(device), h[one].to(device))
        assert torch.equal(alone, together[one])


def test_inputs_stay_as_they_were(dtype, device):
    inputs = {
        "samples": _normal(5, 64).to(device, dtype),
        "points": _normal(5, 64, seed=1).to(device, dtype),
        "weights": _normal(5, 64, seed=2).abs().to(device, dtype),
        "bandwidth": torch.full((5,), 0.3, device=device, dtype=dtype),
    }
    before = {name: tensor.clone() for name, tensor in inputs.items()}
    versions = {name: tensor._version for name, tensor in inputs.items()}
    gaussian_kde(**inputs)
    gaussian_kde(**inputs, leave_one_out=True)
    gaussian_kde(**inputs, log=True, rtol=0)
    gaussian_kde_grid(inputs["samples"], 50, inputs["bandwidth"])
    for name, tensor in inputs.items():
        assert torch.equal(tensor, before[name]), name
        assert tensor._version == versions[name], name


def test_threads_of_python_at_once():
    """Two threads of the caller's in the kernels together: no buffer is shared."""
    from concurrent.futures import ThreadPoolExecutor

    jobs = [(_normal(50, 200, seed=i), _normal(50, 80, seed=i + 100)) for i in range(8)]
    expected = [gaussian_kde(samples, points, 0.1) for samples, points in jobs]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda job: gaussian_kde(*job, 0.1), jobs * 5))
    for index, result in enumerate(found):
        assert torch.equal(result, expected[index % len(jobs)])
