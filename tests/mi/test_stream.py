"""A stream gives what one call gives, however it was cut."""

from __future__ import annotations

import copy
import itertools
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
import torch
from torch import Tensor

from pruning_ext import (
    MutualInformation,
    discretize,
    mutual_information,
    mutual_information_from_codes,
    mutual_information_sum,
    mutual_information_topk,
)


def _stream(x: Tensor, size: int, **options: object) -> MutualInformation:
    information = MutualInformation(**options)  # type: ignore[arg-type]
    for batch in x.split(size):
        information.update(batch)
    return information


@pytest.mark.parametrize("size", [1, 7, 64, 300, 1000])
@pytest.mark.parametrize("strategy", ["quantile", "uniform", "zero-quantile"])
def test_one_pass_equals_one_shot(
    device: torch.device, dtype: torch.dtype, activations: Callable[..., Tensor], size: int, strategy: str
) -> None:
    x = activations(300, 0).to(device, dtype)
    # Whether the edges are fixed by now or not: both hold all samples.
    for edge_samples in (300, 8192):
        information = _stream(x, size, bins=8, strategy=strategy, edge_samples=edge_samples)
        assert information.num_samples == 300
        assert (information.edges is None) == (edge_samples > 300)
        assert torch.equal(information.compute(), mutual_information(x, bins=8, strategy=strategy))


@pytest.mark.parametrize("size", [1, 7, 99, 100, 101, 500])
def test_edges_come_from_the_first_samples(
    device: torch.device, activations: Callable[..., Tensor], size: int
) -> None:
    x = activations(500, 0).to(device)
    information = _stream(x, size, edge_samples=100, correction="miller-madow")
    _, edges = discretize(x[:100])
    codes, _ = discretize(x, edges=edges)
    assert information.edges is not None
    assert torch.equal(information.edges, edges)
    assert torch.equal(information.codes(), codes)
    truth = mutual_information_from_codes(codes, bins=16, correction="miller-madow", dtype=torch.float64)
    assert torch.equal(information.compute(), truth)


def test_computing_in_between_changes_nothing(activations: Callable[..., Tensor]) -> None:
    x = activations(600, 0)
    information = MutualInformation(edge_samples=250)
    for batch in x.split(90):
        information.update(batch)
        information.compute()
    assert torch.equal(information.compute(), _stream(x, 600, edge_samples=250).compute())


def test_reductions_and_options(activations: Callable[..., Tensor]) -> None:
    x = activations(400, 0).float()
    options = {"bins": 12, "correction": "miller-madow", "normalize": "mean", "unit": "nats"}
    information = _stream(x, 33, **options)
    assert torch.equal(information.compute(), mutual_information(x, **options))
    found, truth = information.topk(3), mutual_information_topk(x, 3, **options)
    assert torch.equal(found.values, truth.values)
    assert torch.equal(found.indices, truth.indices)
    assert torch.equal(information.sum(), mutual_information_sum(x, **options))


def test_reset_forgets(activations: Callable[..., Tensor]) -> None:
    x = activations(300, 0)
    information = _stream(x * 100, 50, edge_samples=300)
    information.reset()
    assert information.num_samples == 0
    assert information.edges is None
    information.update(x[:, :3].float())  # another width and dtype
    assert torch.equal(information.compute(), mutual_information(x[:, :3].float()))


@pytest.mark.parametrize("bins", [2, 16, 17, 256])
def test_codes_are_those_of_one_shot(
    device: torch.device, activations: Callable[..., Tensor], bins: int
) -> None:
    """Also where two share a byte and a batch has an odd number of them, and asked for more than once."""
    x = activations(301, 0).to(device)
    information = _stream(x[:200], 33, bins=bins, edge_samples=100)
    _, edges = discretize(x[:100], bins)
    assert torch.equal(information.codes(), discretize(x[:200], edges=edges)[0])
    information.update(x[200:])
    for _ in range(2):
        assert torch.equal(information.codes(), discretize(x, edges=edges)[0])


@pytest.mark.parametrize(("bins", "bytes_each"), [(16, 0.5), (17, 1)])
def test_memory_is_as_promised(activations: Callable[..., Tensor], bins: int, bytes_each: float) -> None:
    x = activations(400, 0)
    information = _stream(x, 100, bins=bins, edge_samples=100)
    for _ in range(2):
        kept = [tensor for tensor in _tensors(vars(information)) if tensor.dtype == torch.uint8]
        assert sum(tensor.untyped_storage().nbytes() for tensor in kept) == bytes_each * x.numel()
        information.compute()


@pytest.mark.parametrize(("bins", "bytes_each"), [(16, 0.5), (40, 1)])
@pytest.mark.parametrize("edge_samples", [100, 5000])
@pytest.mark.parametrize("sizes", [[1], [2], [3], [129], [0, 1, 60, 7, 200]], ids=str)
def test_short_batches_leave_few_pieces(
    monkeypatch: pytest.MonkeyPatch, sizes: list[int], edge_samples: int, bins: int, bytes_each: float
) -> None:
    """A tensor for each would take many times the memory of what is in it."""
    monkeypatch.setattr(sys.modules[MutualInformation.__module__], "PIECE", 256)
    x = torch.randn(2000, 5, generator=torch.Generator().manual_seed(0))
    information = MutualInformation(bins=bins, edge_samples=edge_samples)
    for size in itertools.cycle(sizes):
        if information.num_samples == len(x):
            break
        information.update(x[information.num_samples :][:size])
    kept = _tensors(vars(information))
    assert len(kept) < 2 + 2 * len(x) / 256 + 10
    codes = sum(tensor.untyped_storage().nbytes() for tensor in kept if tensor.dtype == torch.uint8)
    if edge_samples == 100:
        assert bytes_each * x.numel() <= codes <= bytes_each * x.numel() + 5 * len(kept)
    edges = None if edge_samples > len(x) else discretize(x[:edge_samples], bins)[1]
    assert torch.equal(information.codes(), discretize(x, bins, edges=edges)[0])


@pytest.mark.parametrize("bins", [8, 40])
def test_what_is_handed_out_may_be_written_to(activations: Callable[..., Tensor], bins: int) -> None:
    x = activations(300, 0)
    information = _stream(x[:200], 200, bins=bins, edge_samples=100)
    edges = discretize(x[:100], bins)[1]
    information.codes().zero_()
    assert information.edges is not None
    information.edges.zero_()
    information.update(x[200:])
    assert torch.equal(information.edges, edges)
    assert torch.equal(information.codes(), discretize(x, edges=edges)[0])


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("bins", [8, 40])
@pytest.mark.parametrize("edge_samples", [50, 120, 1000])
def test_a_copy_goes_on_by_itself(
    activations: Callable[..., Tensor],
    copied: Callable[[MutualInformation], MutualInformation],
    bins: int,
    edge_samples: int,
) -> None:
    x = activations(300, 0)
    one = _stream(x[:100], 33, bins=bins, edge_samples=edge_samples)
    other = copied(one)
    other.update(-x[200:])
    one.update(x[100:])
    both = _stream(torch.cat([x[:100], -x[200:]]), 200, bins=bins, edge_samples=edge_samples)
    assert torch.equal(one.codes(), _stream(x, 300, bins=bins, edge_samples=edge_samples).codes())
    assert torch.equal(other.codes(), both.codes())


def _tensors(value: object) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [tensor for part in values for tensor in _tensors(part)]


def test_batches_may_share_memory(activations: Callable[..., Tensor]) -> None:
    x = activations(300, 0)
    information, batch = MutualInformation(edge_samples=200), torch.empty(100, 12, dtype=torch.float64)
    for part in x.split(100):
        information.update(batch.copy_(part))
    assert torch.equal(information.compute(), _stream(x, 300, edge_samples=200).compute())


@pytest.mark.parametrize("edge_samples", [50, 120, 1000])
def test_a_bad_batch_loses_nothing(activations: Callable[..., Tensor], edge_samples: int) -> None:
    x = activations(300, 0)
    information = MutualInformation(edge_samples=edge_samples)
    information.update(x[:100])
    bad = x[100:].clone()
    bad[150, 7] = float("nan")
    with pytest.raises(ValueError, match=r"^batch has NaN or infinity in column 7$"):
        information.update(bad)
    with pytest.raises(ValueError, match="12 columns"):
        information.update(x[:, :3])
    with pytest.raises(TypeError, match="float64"):
        information.update(x.float())
    with pytest.raises(ValueError, match="2 dimensions"):
        information.update(x[0])
    assert information.num_samples == 100
    information.update(x[100:])
    assert torch.equal(information.compute(), _stream(x, 300, edge_samples=edge_samples).compute())


class Interruption:
    """Raises ``KeyboardInterrupt`` before the ``n``-th step of the interpreter in the stream's own file."""

    def __init__(self, n: int) -> None:
        self.left = n

    def __call__(self, frame: FrameType, event: str, _: Any) -> Interruption | None:
        if frame.f_code.co_filename != sys.modules[MutualInformation.__module__].__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self


@pytest.mark.parametrize(
    ("edge_samples", "before", "bins"),
    [(60, 0, 8), (60, 20, 8), (25, 20, 8), (25, 20, 40), (10, 20, 8), (10, 20, 40)],
    ids=["first", "no edges yet", "edges now", "edges now, bytes", "edges before", "edges before, bytes"],
)
def test_an_interrupted_batch_is_taken_whole_or_not_at_all(
    activations: Callable[..., Tensor], edge_samples: int, before: int, bins: int
) -> None:
    x = activations(70, 0)
    start = MutualInformation(bins=bins, edge_samples=edge_samples)
    if before:
        start.update(x[:before])
    whole = _stream(x, 70, bins=bins, edge_samples=edge_samples).codes()
    outcomes = []
    for n in range(1, 2000):
        information, interrupted, traced = copy.deepcopy(start), False, sys.gettrace()
        sys.settrace(Interruption(n))
        try:
            information.update(x[before:50])
        except KeyboardInterrupt:
            interrupted = True
        finally:
            sys.settrace(traced)
        if not interrupted:
            break
        outcomes.append(information.num_samples)
        assert outcomes[-1] in (before, 50)
        information.update(x[outcomes[-1] :])
        assert torch.equal(information.codes(), whole)
    assert len(outcomes) > 20
    assert outcomes.count(before) > 0.9 * len(outcomes)  # the batch is taken at the end


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("name", ["discretize", "CodePiece.of"])
def test_a_batch_that_does_not_fit_loses_nothing(
    activations: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch, name: str, step: int
) -> None:
    """Memory may run out wherever it is asked for: for the first samples' codes, and for those after them."""
    x = activations(100, 0)
    information = MutualInformation(bins=8, edge_samples=50)
    information.update(x[:20])
    place: Any = sys.modules[MutualInformation.__module__]
    owner, _, attribute = name.rpartition(".")
    place = getattr(place, owner) if owner else place
    genuine, calls = getattr(place, attribute), []

    def fails(*args: Any, **options: Any) -> Any:
        calls.append(args)
        if len(calls) == step:
            raise RuntimeError("out of memory")
        return genuine(*args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(place, attribute, fails)
        with pytest.raises(RuntimeError, match="out of memory"):
            information.update(x[20:])
    assert (information.num_samples, information.edges) == (20, None)
    information.update(x[20:])
    assert torch.equal(information.codes(), _stream(x, 100, bins=8, edge_samples=50).codes())


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="edge_samples must be a whole number of at least 2, is 1"):
        MutualInformation(edge_samples=1)
    with pytest.raises(ValueError, match="bins must be between 2 and 256, is 1"):
        MutualInformation(bins=1)
    with pytest.raises(ValueError, match="strategy must be one of"):
        MutualInformation(strategy="random")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 2 samples, has 0"):
        MutualInformation().compute()
    one = MutualInformation()
    one.update(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="at least 2 samples, has 1"):
        one.topk(1)
