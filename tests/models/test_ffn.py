"""FFN blocks: found in every family, resized in place, refused with a sentence where they are not known."""

from __future__ import annotations

import copy

import pytest
import torch
import transformers as tr
from torch import nn

from pruning_ext.models.ffn import find_blocks
from pruning_ext.models.resizing import WIDTHS_KEY, narrow, record_widths, widen
from tests.tiny_models import ALL, WIDTH, inputs, tiny


@pytest.mark.parametrize("kind", ALL)
def test_blocks_are_found_in_the_order_they_run(kind: str) -> None:
    model = tiny(kind)
    blocks = find_blocks(model)
    assert [block.width for block in blocks] == [64 if kind == "bloom" else WIDTH] * 2
    seen: list[str] = []
    for block in blocks:
        block.down.register_forward_pre_hook(lambda _, args, name=block.name: seen.append(name))
    model(**inputs(kind))
    assert seen == [block.name for block in blocks]


@pytest.mark.parametrize("kind", ALL)
def test_narrowed_model_equals_the_dense_one_with_those_neurons_zeroed(kind: str) -> None:
    dense = tiny(kind)
    pruned = copy.deepcopy(dense)
    keep = torch.tensor([0, 1, 5, 6, 7, 11, 20, 23])
    for number, block in enumerate(find_blocks(dense)):
        gate = torch.zeros(block.width).index_fill_(0, keep[number:], 1)
        block.down.register_forward_pre_hook(lambda _, args, gate=gate: (args[0] * gate,))
    for number, block in enumerate(find_blocks(pruned)):
        narrow(block, keep[number:])
    batch = inputs(kind)
    with torch.no_grad():
        expected, found = dense(**batch).logits, pruned(**batch).logits
    assert (found - expected).abs().max() <= 2e-5 * expected.abs().max()
    assert not torch.allclose(expected, tiny(kind)(**batch).logits, rtol=1e-3)  # the neurons did matter


@pytest.mark.parametrize("kind", ALL)
def test_zero_neurons_change_nothing(kind: str) -> None:
    model = tiny(kind)
    batch = inputs(kind)
    with torch.no_grad():
        before = model(**batch).logits
        for block in find_blocks(model):
            width = block.width
            widen(block, width + 5)
            assert block.width == width + 5
        after = model(**batch).logits
    assert (after - before).abs().max() <= 2e-5 * before.abs().max()


@pytest.mark.parametrize("kind", ["llama", "gpt2", "phi3", "bert"])
def test_parameters_per_neuron_is_what_narrowing_saves(kind: str) -> None:
    model = tiny(kind)
    block = find_blocks(model)[0]
    per_neuron, before = block.parameters_per_neuron(), sum(p.numel() for p in model.parameters())
    narrow(block, torch.arange(block.width - 3))
    assert before - sum(p.numel() for p in model.parameters()) == 3 * per_neuron


def test_narrowing_keeps_requires_grad_and_dtype_and_owns_its_memory() -> None:
    model = tiny("llama").to(torch.bfloat16)
    block = find_blocks(model)[0]
    block.down.weight.requires_grad_(False)
    narrow(block, torch.arange(4))
    assert not block.down.weight.requires_grad
    assert block.inputs[0].weight.requires_grad
    for parameter in block.parameters():
        assert parameter.dtype == torch.bfloat16
        assert parameter.is_contiguous()
        assert parameter.untyped_storage().nbytes() == parameter.nbytes
    assert (block.down.in_features, block.inputs[0].out_features) == (4, 4)


def test_uniform_widths_go_to_the_config_and_others_to_our_key() -> None:
    model = tiny("llama")
    first, second = blocks = find_blocks(model)
    narrow(first, torch.arange(8))
    record_widths(model, blocks)
    assert model.config.intermediate_size == WIDTH
    assert getattr(model.config, WIDTHS_KEY) == {"model.layers.0": 8, "model.layers.1": WIDTH}
    assert model.model.layers[0].mlp.intermediate_size == 8
    narrow(second, torch.arange(8))
    record_widths(model, blocks)
    assert model.config.intermediate_size == 8
    assert not hasattr(model.config, WIDTHS_KEY)


def test_mixture_of_experts_is_refused() -> None:
    config = tr.MixtralConfig(
        vocab_size=32,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        num_local_experts=2,
    )
    with pytest.raises(ValueError, match=r"mixture of experts \(MixtralForCausalLM"):
        find_blocks(tr.MixtralForCausalLM(config))


def test_unknown_architecture_lists_the_known_ones() -> None:
    config = tr.AlbertConfig(
        vocab_size=32, embedding_size=8, hidden_size=8, intermediate_size=8, num_attention_heads=2
    )
    with pytest.raises(ValueError, match=r"AlbertModel \(model_type 'albert'\) are not known; .*llama"):
        find_blocks(tr.AlbertModel(config))
    with pytest.raises(ValueError, match="Linear without config"):
        find_blocks(nn.Linear(2, 2))


def test_replaced_linear_is_refused_by_name() -> None:
    model = tiny("llama")

    class Quantised(nn.Linear):
        pass

    model.model.layers[1].mlp.up_proj = Quantised(16, WIDTH)
    with pytest.raises(ValueError, match=r"model\.layers\.1\.mlp\.up_proj is a .*Quantised.*dequantise"):
        find_blocks(model)


def test_blocks_that_share_weights_are_refused() -> None:
    model = tiny("llama")
    model.model.layers[1].mlp.down_proj = model.model.layers[0].mlp.down_proj
    model.model.layers[1].mlp.up_proj.weight = model.model.layers[0].mlp.up_proj.weight
    with pytest.raises(ValueError, match=r"model\.layers\.0 and model\.layers\.1 share weights"):
        find_blocks(model)
