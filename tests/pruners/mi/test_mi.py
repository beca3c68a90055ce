"""MI pruning of every family: which neurons go, and what the model computes without them."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from pruning_ext import plan, prune
from pruning_ext.calibration.batches import read_batches
from pruning_ext.calibration.statistics import Wanted, gather
from pruning_ext.choices.selections import SELECTIONS
from pruning_ext.models.ffn import FFNBlock, find_blocks
from pruning_ext.pruners import Calibration, MIConfig, Plan
from pruning_ext.pruners.mi.decision import estimate_information
from pruning_ext.storage.sizes import size_text
from tests.calibration.test_batches import padded, sequences, texts, tokenizer
from tests.tiny_models import ALL, CAUSAL, ENCODER, WIDTH, inputs, tiny

PAIRS = {"selection": "joint", "metric": "norm", "bins": 4}
"""The cheapest that looks at activations and at pairs of them."""

DEFAULT: dict[str, Any] = {}


def config(**fields: Any) -> MIConfig:
    """A third of the neurons go, by :data:`PAIRS` unless ``fields`` name another selection."""
    return MIConfig(**{"ratio": 0.34, "round_to": 4, **({} if "selection" in fields else PAIRS), **fields})


def batches(kind: str) -> list[dict[str, torch.Tensor]]:
    return [inputs(kind, batch=8, length=20, seed=seed) for seed in (1, 2)]


def logits(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return model(**batch).logits


def kept(layer: Any) -> list[int]:
    removed: set[int] = set()
    for part in filter(None, layer.details["removed"].split(", ")):
        first, _, last = part.partition("-")
        removed |= set(range(int(first), int(last or first) + 1))
    return [i for i in range(layer.details["width"]) if i not in removed]


@pytest.mark.parametrize("chosen", [PAIRS, DEFAULT], ids=["pairs", "default"])
@pytest.mark.parametrize("kind", ALL)
def test_pruned_model_equals_the_dense_one_with_those_neurons_zeroed(
    kind: str, chosen: dict[str, Any]
) -> None:
    model = tiny(kind)
    state = copy.deepcopy(model.state_dict())
    settings = MIConfig(ratio=0.34, round_to=4, compensation="none", **chosen)
    result = prune(model, settings, calibration=batches(kind))
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert isinstance(result.model, type(model))
    for layer, block in zip(result.plan.layers, find_blocks(model), strict=True):
        gate = torch.zeros(block.width)
        gate[kept(layer)] = 1
        block.down.register_forward_pre_hook(lambda _, args, gate=gate: (args[0] * gate,))
        assert layer.details["kept_width"] == len(kept(layer)) < block.width
    batch = inputs(kind, seed=9)
    expected = logits(model, batch)
    assert (logits(result.model, batch) - expected).abs().max() <= 2e-5 * expected.abs().max()


@pytest.mark.parametrize("kind", CAUSAL)
def test_tied_embeddings_stay_tied_and_generate_works(kind: str) -> None:
    model = tiny(kind)
    result = prune(model, config(), calibration=batches(kind))
    tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert tied == bool(model.config.tie_word_embeddings)
    assert (result.model.get_input_embeddings().weight is result.model.get_output_embeddings().weight) == tied
    prompt = inputs(kind, batch=2, length=4)
    written = result.model.generate(
        **prompt, max_new_tokens=5, min_new_tokens=5, do_sample=False, pad_token_id=0
    )
    assert written.shape == (2, 9)
    following = logits(result.model, {"input_ids": written[:, :-1]})[:, 3:].argmax(-1)  # without a cache
    assert torch.equal(following, written[:, 4:])


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bert", "vit", "phi3"])
def test_compensation_brings_the_output_of_each_block_nearer(kind: str) -> None:
    model = tiny(kind)
    result = prune(model, config(), calibration=batches(kind))
    for layer in result.plan.layers:
        assert 0 <= layer.details["output_error"] < 0.8 * layer.details["output_error_uncompensated"]
    plain = prune(model, config(compensation="none"), calibration=batches(kind))
    truth = [logits(model, batch) for batch in batches(kind)]
    off = [
        sum(float((logits(r.model, b) - t).square().sum()) for b, t in zip(batches(kind), truth, strict=True))
        for r in (result, plain)
    ]
    assert off[0] < off[1]


@pytest.mark.parametrize("selection", SELECTIONS.names)
@pytest.mark.parametrize("estimator", ["histogram", "renyi"])
def test_every_selection_and_estimator(selection: str, estimator: str) -> None:
    of_pairs = (
        {"estimator": estimator, "bins": 4, "max_tokens": 100} if SELECTIONS[selection].pairwise else {}
    )
    settings = config(selection=selection, **of_pairs)
    first, second = (prune(tiny("llama"), settings, calibration=batches("llama")) for _ in range(2))
    assert {block.width for block in find_blocks(first.model)} == {16}
    assert [x.details["removed"] for x in first.plan.layers] == [
        x.details["removed"] for x in second.plan.layers
    ]


@pytest.mark.parametrize("kind", CAUSAL | ENCODER)
def test_padding_does_not_change_the_scores(kind: str) -> None:
    # float64, and no token twice: then no two values lie so near each other that roundoff could swap them
    model = tiny(kind).double()
    blocks = find_blocks(model)
    settings = config(max_tokens=40)
    together = padded()
    mask = together["attention_mask"].bool()
    together["input_ids"][mask] = (
        3 + torch.randperm(61, generator=torch.Generator().manual_seed(0))[: mask.sum()]
    )
    alone = [
        {"input_ids": ids[keep][None], "attention_mask": torch.ones(1, int(keep.sum()))}
        for ids, keep in zip(together["input_ids"], mask, strict=True)
    ]
    found = [
        gather(model, blocks, read_batches(model, form), Wanted(True, settings.tokens, settings.seed))
        for form in (alone, [together])
    ]
    for one, other in zip(*found, strict=True):
        assert one.tokens == other.tokens == mask.sum()
        torch.testing.assert_close(other.square, one.square, rtol=1e-9, atol=0)
        information = estimate_information(one.samples, settings)
        assert information.count_nonzero() > len(information)
        assert torch.equal(estimate_information(other.samples, settings), information)


def test_padding_does_not_change_the_plan() -> None:
    model = tiny("llama")
    alone = [{"input_ids": ids[None], "attention_mask": torch.ones(1, len(ids))} for ids in sequences()]
    forms = (alone, [padded()], Calibration(texts(), tokenizer, batch_size=2))
    plans = [plan(model, config(bins=2, max_tokens=40), calibration=form) for form in forms]
    for other in plans[1:]:
        assert [x.details["removed"] for x in other.layers] == [x.details["removed"] for x in plans[0].layers]
        for name, tensor in other.tensors.items():
            torch.testing.assert_close(tensor, plans[0].tensors[name], rtol=1e-3, atol=1e-3)


def test_plan_predicts_what_prune_does_and_is_applied_from_its_file(tmp_path: Path) -> None:
    model = tiny("gpt2")
    made = plan(model, config(), calibration=batches("gpt2"))
    made.save(tmp_path / "plan.json")
    result = prune(model, Plan.load(tmp_path / "plan.json"))  # no calibration needed any more
    direct = prune(model, config(), calibration=batches("gpt2"))
    batch = inputs("gpt2", seed=9)
    assert torch.equal(logits(result.model, batch), logits(direct.model, batch))
    saved = made.parameters - made.kept
    before, after = result.report["parameters"]
    assert before - after == saved > 0
    assert result.report["bytes"] == [4 * before, 4 * after]
    assert result.report["widths"] == {"transformer.h.0": [WIDTH, 16], "transformer.h.1": [WIDTH, 16]}
    with pytest.raises(ValueError, match="the plan was made for GPT2LMHeadModel"):
        prune(result.model, made)


def test_damaged_plan_is_refused(tmp_path: Path) -> None:
    model = tiny("llama")
    made = plan(model, config(compensation="none"), calibration=batches("llama"))
    path = tmp_path / "plan.json"
    made.save(path)
    whole = path.read_text()
    for wrong in ("5-3", "0-23", "22-40", "x"):
        path.write_text(whole.replace(made.layers[0].details["removed"], wrong, 1))
        with pytest.raises(ValueError, match="`removed` for FFN block"):
            prune(model, Plan.load(path))


def test_plan_whose_parts_disagree_is_refused_before_anything_changes() -> None:
    model = tiny("llama")
    made = plan(model, config(), calibration=batches("llama"))
    state = copy.deepcopy(model.state_dict())
    other = dataclasses.replace(made.layers[1], details={**made.layers[1].details, "removed": "3"})
    with pytest.raises(ValueError, match=r"layers\.1\.mlp\.down_proj\.weight has shape \[16, 16\]"):
        prune(model, dataclasses.replace(made, layers=(made.layers[0], other)), inplace=True)
    stranger = dataclasses.replace(made.layers[1], name="model.layers.9")
    with pytest.raises(ValueError, match=r"names an FFN block model\.layers\.9"):
        prune(model, dataclasses.replace(made, layers=(made.layers[0], stranger)), inplace=True)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_inplace_alters_the_model_given() -> None:
    model = tiny("llama")
    assert prune(model, config(), calibration=batches("llama"), inplace=True).model is model
    assert model.config.intermediate_size == 16


def test_targets_prune_some_blocks_only(tmp_path: Path) -> None:
    model = tiny("llama")
    result = prune(model, config(targets=("layers.1",)), calibration=batches("llama"))
    assert [block.width for block in find_blocks(result.model)] == [WIDTH, 16]
    again = prune(model, config(ignore=(r"re:.*\.0",)), calibration=batches("llama"))
    assert [block.width for block in find_blocks(again.model)] == [WIDTH, 16]
    with pytest.raises(ValueError, match=r"'layers\.7' matches no FFN block"):
        plan(model, config(targets=("layers.7",)), calibration=batches("llama"))


def test_global_allocation_removes_the_ratio_where_it_costs_least() -> None:
    model = tiny("llama")
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight[4:] *= (
            1e-4  # twenty neurons of the first block say next to nothing
        )
    result = prune(model, config(ratio=0.25, allocation="global"), calibration=batches("llama"))
    assert [block.width for block in find_blocks(result.model)] == [WIDTH - 12, WIDTH]


def test_threshold_gives_each_block_its_own_width() -> None:
    model = tiny("llama")
    with torch.no_grad():  # all neurons of the second block are copies of two
        for name in ("gate_proj", "up_proj"):
            weight = model.model.layers[1].mlp.get_submodule(name).weight
            weight.copy_(weight[:2].repeat(WIDTH // 2, 1))
    settings = MIConfig(threshold=1.3, selection="random_pairs", bins=4, round_to=4)
    result = prune(model, settings, calibration=batches("llama"))
    first, second = (block.width for block in find_blocks(result.model))
    assert first == WIDTH
    assert second <= 8
    with pytest.raises(ValueError, match=r"threshold is 9\.0: no random pair"):
        plan(model, dataclasses.replace(settings, threshold=9.0), calibration=batches("llama"))


def test_recalibration_sees_the_blocks_before_it_pruned() -> None:
    model = tiny("llama")
    once, again = (
        plan(model, config(ratio=0.67, recalibrate=flag), calibration=batches("llama"))
        for flag in (False, True)
    )
    first, second = (block.down_name + ".weight" for block in find_blocks(model))
    assert torch.equal(once.tensors[first], again.tensors[first])
    assert not torch.allclose(once.tensors[second], again.tensors[second])
    halfway = prune(model, config(ratio=0.67, targets=("layers.0",)), calibration=batches("llama")).model
    rest = plan(halfway, config(ratio=0.67, targets=("layers.1",)), calibration=batches("llama"))
    torch.testing.assert_close(again.tensors[second], rest.tensors[second], rtol=1e-3, atol=1e-4)


def test_number_of_passes_does_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("llama")
    whole = plan(model, config(), calibration=batches("llama"))
    pieces = [plan(model, config(blocks_per_pass=1), calibration=batches("llama"))]
    monkeypatch.setattr("pruning_ext.calibration.passes.STATISTICS_BYTES", 1)
    pieces.append(plan(model, config(), calibration=batches("llama")))
    for piece in pieces:
        assert piece.layers == whole.layers
        assert all(torch.equal(piece.tensors[name], tensor) for name, tensor in whole.tensors.items())


def test_half_precision_stays_half_precision() -> None:
    model = tiny("llama").to(torch.bfloat16)
    result = prune(model, config(), calibration=batches("llama"))
    assert {p.dtype for p in result.model.parameters()} == {torch.bfloat16}
    assert logits(result.model, inputs("llama")).isfinite().all()


def test_random_without_compensation_needs_no_calibration() -> None:
    result = prune(tiny("llama"), config(selection="random", compensation="none"))
    assert {block.width for block in find_blocks(result.model)} == {16}


def test_blocks_expose_the_down_projection_as_hidden_by_width() -> None:
    for kind in ("gpt2", "llama"):
        block: FFNBlock = find_blocks(tiny(kind))[0]
        assert block.down_weight.shape == (16, WIDTH)


def test_the_summary_says_how_large_the_model_will_be() -> None:
    model = tiny("llama")
    result = prune(model, config(targets=("layers.1",)), calibration=batches("llama"))
    *_, total, rest, whole = (line.split() for line in result.plan.summary().splitlines())
    dense, pruned = (sum(p.numel() for p in each.parameters()) for each in (model, result.model))
    block = result.plan.layers[0]
    assert total[:4] == ["total", "1", f"{block.parameters:,}", f"{block.kept:,}"]
    assert rest[:5] == ["everything", "else", *[f"{dense - block.parameters:,}"] * 2, "100.0%"]
    assert whole[:4] == ["model", f"{dense:,}", f"{pruned:,}", f"{pruned / dense:.1%}"]
    assert whole[4:] == [*size_text(4 * dense).split(), *size_text(4 * pruned).split()]
