"""The Fisher metric of columns, against finite differences of the KL divergence it is the curvature of."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pruning_ext import plan
from pruning_ext.calibration.batches import Batch, count_tokens, read_batches
from pruning_ext.calibration.sensitivity import Sensitivity, column_sensitivity, split
from pruning_ext.calibration.statistics import Wanted, gather
from pruning_ext.models.ffn import find_blocks
from pruning_ext.pruners import MIConfig
from pruning_ext.pruners.mi.layers import kept_of
from tests.calibration.test_batches import padded, sequences
from tests.tiny_models import ALL, ENCODER, inputs, tiny


def test_sensitivity_is_the_curvature_of_the_divergence() -> None:
    """``KL(p || p_step) = step^2 / 2 E (g . w)^2`` for one position, whose labels are drawn many times."""
    model = tiny("bert").double()
    one = {name: value[:1] for name, value in inputs("bert").items()}
    block = find_blocks(model)[-1]
    with torch.no_grad():
        clean = model(**one).logits.log_softmax(-1)
        divergence = []
        for column in block.down_weight.T:
            step = torch.zeros(12, 16, dtype=torch.float64)
            step[0] = 1e-3 * column  # the classifier reads the first token only
            handle = block.down.register_forward_hook(lambda _, args, out, step=step: out + step)
            divergence.append(float((clean.exp() * (clean - model(**one).logits.log_softmax(-1))).sum()))
            handle.remove()
    curvature = 2 * torch.tensor(divergence) / 1e-6
    many = {name: value.expand(500, -1) for name, value in one.items()}
    repeated = [Batch(many, None)] * 8  # without a mask a batch counts by its items: one classification each
    found = column_sensitivity(model, [block], repeated, seed=0)[0].square().float()
    torch.testing.assert_close(found, curvature, rtol=0.1, atol=float(curvature.max()) * 1e-3)


@pytest.mark.parametrize("kind", ALL)
def test_every_family_has_sensitivities_and_is_left_as_it_was(kind: str) -> None:
    model = tiny(kind)
    blocks = find_blocks(model)
    batches = read_batches(model, [inputs(kind)])
    first, again = (column_sensitivity(model, blocks, batches, seed=3) for _ in range(2))
    for block, one, other in zip(blocks, first, again, strict=True):
        assert one.shape == (block.width,)
        assert torch.equal(one, other)
        assert (one >= 0).all()
        assert one.isfinite().all()
        assert one.max() > 0
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert all(not module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("kind", ["llama", "gpt2", "roberta"])
@pytest.mark.parametrize("tokens", [10**6, 30, 12, 1])
def test_neither_padding_nor_batching_changes_sensitivities(
    kind: str, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind in ENCODER and tokens < 48:
        tokens = 48  # a class is drawn for each sequence
    model = tiny(kind).double()
    blocks = find_blocks(model)
    alone = [{"input_ids": ids[None], "attention_mask": torch.ones(1, len(ids))} for ids in sequences()]
    monkeypatch.setattr("pruning_ext.calibration.sensitivity.TOKENS", tokens)
    expected = column_sensitivity(model, blocks, read_batches(model, alone), seed=2)
    for part in (10**6, 30, 1):
        monkeypatch.setattr("pruning_ext.calibration.sensitivity.PART", part)
        found = column_sensitivity(model, blocks, read_batches(model, [padded()]), seed=2)
        for one, other in zip(expected, found, strict=True):
            torch.testing.assert_close(other, one, rtol=1e-6, atol=1e-9)


def test_only_the_first_sequences_are_used_and_no_part_is_longer_than_stated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batches = read_batches(tiny("llama"), [padded(), inputs("llama")])  # 48 tokens each
    monkeypatch.setattr("pruning_ext.calibration.sensitivity.PART", 30)
    for tokens, expected in ((1, 12), (12, 12), (13, 17), (48, 48), (49, 60), (1000, 96)):
        monkeypatch.setattr("pruning_ext.calibration.sensitivity.TOKENS", tokens)
        parts, rest = split(batches)
        assert count_tokens(parts) == expected
        assert count_tokens([*parts, *rest]) == 96
        assert all(part.inputs["input_ids"].numel() <= 30 for part in parts)
        ids = [batch.inputs["input_ids"][batch.mask] for batch in (*parts, *rest)]
        assert torch.equal(torch.cat(ids), torch.cat([b.inputs["input_ids"][b.mask] for b in batches]))
    shared = Batch({"input_ids": torch.ones(4, 6).long(), "position_ids": torch.arange(6)[None]}, None)
    assert split([shared]) == ([shared], [])  # cannot be cut: goes whole


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bert", "vit"])
@pytest.mark.parametrize("tokens", [10**6, 50])
def test_the_forward_pass_is_shared_and_nothing_changes(
    kind: str, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny(kind).double()
    blocks = find_blocks(model)
    given = [inputs(kind)] if kind == "vit" else [padded(), inputs(kind, 8, 20)]
    batches = read_batches(model, given)
    monkeypatch.setattr("pruning_ext.calibration.sensitivity.TOKENS", tokens)
    monkeypatch.setattr("pruning_ext.calibration.sensitivity.PART", 40)
    wanted = Wanted(True, 25, 1)
    parts, rest = split(batches)
    calls = 0

    def count(*_: Any) -> None:
        nonlocal calls
        calls += 1

    handle = model.register_forward_pre_hook(count)
    shared = Sensitivity(model, blocks, seed=4)
    together = gather(model, blocks, rest, wanted, ahead=parts, through=shared.observe)
    assert calls == len(parts) + len(rest)
    handle.remove()
    apart = gather(model, blocks, batches, wanted)
    columns = column_sensitivity(model, blocks, batches, seed=4)
    for number, (one, other) in enumerate(zip(together, apart, strict=True)):
        assert one.tokens == other.tokens
        for name in ("mean", "square", "second_moment", "samples"):
            torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=1e-9, atol=1e-12)
        assert not one.samples.requires_grad
        assert torch.equal(shared.columns(number), columns[number])


@pytest.mark.parametrize(
    "fields", [{}, {"blocks_per_pass": 1}, {"recalibrate": True}, {"allocation": "global"}]
)
def test_no_token_goes_forward_once_more_for_the_metric(fields: dict[str, Any]) -> None:
    model = tiny("llama")
    went: dict[str, int] = {}
    for metric in ("norm", "fisher"):
        rows: list[int] = []
        handle = model.model.layers[0].register_forward_pre_hook(
            lambda _, args, rows=rows: rows.append(args[0].shape[0])
        )
        plan(
            model,
            MIConfig(ratio=0.34, round_to=4, metric=metric, **fields),
            calibration=[inputs("llama", 8, 20)],
        )
        handle.remove()
        went[metric] = sum(rows)
    assert went["fisher"] == went["norm"]


def test_gradients_that_are_not_finite_name_the_tensor() -> None:
    model = tiny("llama")
    with torch.no_grad():
        model.model.layers[1].post_attention_layernorm.weight[3] = torch.nan
    with pytest.raises(
        ValueError, match=r"not finite: parameter model\.layers\.1\.post_.*norm\.weight holds nan$"
    ):
        plan(model, MIConfig(ratio=0.34, round_to=4), calibration=[inputs("llama")])


def test_models_without_a_head_and_frozen_ones_work() -> None:
    model = tiny("llama").model.requires_grad_(False)
    found = column_sensitivity(model, find_blocks(model), read_batches(model, [padded()]), seed=0)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert all(float(each.max()) > 0 for each in found)


def test_the_fisher_metric_decides_what_is_important() -> None:
    model = tiny("llama")
    blocks = find_blocks(model)
    batches = read_batches(model, [inputs("llama", 8, 20)])
    statistics = gather(model, blocks, batches, Wanted(False, 0, 0))
    sensitivity = column_sensitivity(model, blocks, batches, seed=0)
    config = MIConfig(ratio=0.34, round_to=4, selection="importance", metric="fisher")
    made = plan(model, config, calibration=[inputs("llama", 8, 20)])
    for layer, block, found, columns in zip(made.layers, blocks, statistics, sensitivity, strict=True):
        least = (found.square.sqrt() * columns).argsort()[:8].sort().values
        kept = kept_of(layer, block)
        assert sorted({*range(block.width)} - {*kept.tolist()}) == least.tolist()
    plain = plan(model, MIConfig(ratio=0.34, round_to=4, metric="norm"), calibration=[inputs("llama", 8, 20)])
    assert [x.details["removed"] for x in plain.layers] != [x.details["removed"] for x in made.layers]
