"""Statistics of the neurons, and what accumulates them: against the activations, recorded independently."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pruning_ext.calibration.accumulate import ROWS, Moments, RowSample
from pruning_ext.calibration.batches import read_batches
from pruning_ext.calibration.statistics import Wanted, _Collector, block_bytes, gather
from pruning_ext.models.ffn import find_blocks
from tests.calibration.test_batches import LENGTHS, WANTED, padded, sequences
from tests.tiny_models import WIDTH, inputs, tiny


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt", "bert", "deberta-v2"])
def test_padding_changes_nothing(kind: str) -> None:
    model = tiny(kind)
    blocks = find_blocks(model)
    single = [{"input_ids": ids[None], "attention_mask": torch.ones(1, len(ids))} for ids in sequences()]
    alone, together = (
        gather(model, blocks, read_batches(model, form), WANTED) for form in (single, [padded()])
    )
    for one, other in zip(alone, together, strict=True):
        assert one.tokens == other.tokens == sum(LENGTHS)
        torch.testing.assert_close(one.mean, other.mean, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(one.second_moment, other.second_moment, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(one.samples, other.samples, rtol=1e-4, atol=1e-5)


def activations(model: Any, batches: list[Any]) -> list[torch.Tensor]:
    """The inputs of the down projections at the tokens that count, recorded independently."""
    rows: list[list[torch.Tensor]] = []
    handles = []
    for block in find_blocks(model):
        rows.append([])
        keep = rows[-1]
        handles.append(block.down.register_forward_pre_hook(lambda _, args, keep=keep: keep.append(args[0])))
    with torch.no_grad():
        for batch in batches:
            model(**batch)
    for handle in handles:
        handle.remove()
    masks = [batch["attention_mask"].bool().flatten() for batch in batches]
    return [
        torch.cat([x.reshape(-1, x.shape[-1])[m] for x, m in zip(each, masks, strict=True)]) for each in rows
    ]


@pytest.mark.parametrize("kind", ["llama", "opt", "phi3", "gpt2"])
def test_statistics_are_those_of_the_activations(kind: str) -> None:
    model = tiny(kind)
    batches = [padded(), inputs(kind)]
    found = gather(model, find_blocks(model), read_batches(model, batches), WANTED)
    for statistics, x in zip(found, activations(model, batches), strict=True):
        x = x.double()
        assert statistics.tokens == len(x)
        torch.testing.assert_close(statistics.mean, x.mean(0), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(statistics.square, x.square().mean(0), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(statistics.second_moment, x.T @ x / len(x), rtol=1e-5, atol=1e-5)
        assert statistics.samples.shape == (20, WIDTH)
        distance = (statistics.samples.double()[:, None] - x[None]).abs().amax(2)
        assert (distance.amin(1) < 1e-5).all()  # every sample is one of the tokens
        assert (distance.argmin(1).diff() >= 0).all()  # in the order they came


def test_sample_is_uniform_reproducible_and_of_the_seed() -> None:
    model = tiny("llama")
    block = find_blocks(model)[:1]
    batches = read_batches(model, [inputs("llama", seed=s) for s in range(4)])
    draw = lambda seed: gather(model, block, batches, Wanted(False, 30, seed))[0].samples  # noqa: E731
    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    everything = gather(model, block, batches, Wanted(False, 10**6, 0))[0].samples
    assert len(everything) == 4 * 48


@pytest.mark.parametrize("size", [0, 1, 7, 29, 30, 31, 100])
def test_sample_is_that_of_the_lowest_priorities_however_rows_come(size: int) -> None:
    rows = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    priorities = np.random.default_rng(8).random(30)
    expected = rows[torch.from_numpy(np.sort(priorities.argsort()[:size]))]
    for cuts in ([30], [1] * 30, [4, 0, 13, 2, 11], [29, 1]):
        for expected_rows in (0, 5, 29, 30):
            sample = RowSample(size, expected_rows, rows, seed=8)
            for part in rows.split(cuts):
                sample.offer(part)
            assert torch.equal(sample.rows(), expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("width", [5, 256, 257, 700])  # the triangle's edges
def test_moments_are_those_of_the_rows_however_they_come(width: int, dtype: torch.dtype) -> None:
    rows = torch.randn(2 * ROWS + 3, width, generator=torch.Generator().manual_seed(1)).to(dtype) + 0.5
    exact = rows.double()
    rounding = 1e-14 if dtype == torch.float64 else ROWS * 2**-24 / 10
    for cuts in ([len(rows)], [3, 1, ROWS, 40, ROWS - 41]):
        moments = Moments(width, rows.device, products=True)
        for part in rows.split(cuts):
            moments.add(part)
        square = exact.square().mean(0)
        assert (moments.mean() - exact.mean(0)).abs().max() < rounding
        assert ((moments.square() - square) / square).abs().max() < rounding
        product = moments.second_moment()
        assert product is not None
        scale = (square[:, None] * square).sqrt()
        assert ((product - exact.T @ exact / len(rows)) / scale).abs().max() < rounding


def test_early_blocks_may_be_replaced() -> None:
    model = tiny("llama")
    first, second = find_blocks(model)
    batches = read_batches(model, [padded()])
    dense = gather(model, [second], batches, WANTED)[0]
    same = {first.down: lambda z: torch.nn.functional.linear(z, first.down_weight)}
    none = {first.down: lambda z: torch.zeros(*z.shape[:-1], 16)}
    torch.testing.assert_close(gather(model, [second], batches, WANTED, replaced=same)[0].mean, dense.mean)
    assert not torch.allclose(gather(model, [second], batches, WANTED, replaced=none)[0].mean, dense.mean)


def test_model_is_left_as_it_was() -> None:
    model = tiny("bert")
    model.train()
    model.bert.encoder.layer[0].eval()
    gather(model, find_blocks(model), read_batches(model, [padded()]), WANTED)
    assert model.training
    assert not model.bert.encoder.layer[0].training
    assert all(not module._forward_pre_hooks and not module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("wanted", [Wanted(True, 50, 0), Wanted(False, 50, 0), Wanted(True, 0, 0)])
def test_memory_of_a_block_is_at_most_what_is_stated(wanted: Wanted) -> None:
    block = find_blocks(tiny("llama"))[0]
    collector = _Collector(block, wanted, expected=1000)
    generator = torch.Generator().manual_seed(0)
    most = 0
    for length in (11, 1, 3, 200, 7, 4, 300):
        collector.add(torch.randn(length, WIDTH, generator=generator))
        own = [*vars(collector.moments).values(), *vars(collector.sample).values()]
        own += collector.moments._waiting
        most = max(most, sum(value.nbytes for value in own if isinstance(value, torch.Tensor)))
    stated = block_bytes(block, wanted)
    assert 0.8 * stated < most <= stated  # not more, and not half of it either


def test_activations_that_are_not_finite_name_their_block_and_the_tensor() -> None:
    model = tiny("llama")
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[0, 0] = -torch.inf
        model.model.layers[1].mlp.down_proj.weight[0, 0] = torch.nan  # the second one
    sentence = r"FFN block model\.layers\.1 are not finite: parameter model\.layers\.1\.mlp\.up_proj\.weight "
    with pytest.raises(ValueError, match=sentence + "holds -inf$"):
        gather(model, find_blocks(model), read_batches(model, [padded()]), WANTED)


def test_overflow_does_not_accuse_a_tensor() -> None:
    model = tiny("llama").half()
    with torch.no_grad():
        for name in ("gate_proj", "up_proj"):
            getattr(model.model.layers[0].mlp, name).weight.mul_(3e3)
    with pytest.raises(
        ValueError, match=r"layers\.0 are not finite: every parameter is, .* torch\.float16 overflows"
    ):
        gather(model, find_blocks(model), read_batches(model, [padded()]), WANTED)


def test_chunked_feed_forward_is_a_sentence() -> None:
    model = tiny("bert")
    for layer in model.bert.encoder.layer:
        layer.chunk_size_feed_forward = 3
    with pytest.raises(ValueError, match="chunk_size_feed_forward"):
        gather(model, find_blocks(model), read_batches(model, [padded()]), WANTED)
