"""Models that cannot be a copy of their base: with a new head, other ties, widths of their own."""

import copy

import pytest
import torch
import transformers

from pruning_ext import KENConfig, MIConfig, apply_delta, export, load_delta, load_pruned, prune, save_delta
from pruning_ext.models.ffn import find_blocks
from pruning_ext.models.resizing import WIDTHS_KEY
from tests.tiny_models import assert_same_bits, inputs, make_pair, snapshot, tiny


def content(directory):
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def restored_both_ways(base, directory, tmp_path):
    """By ``load_delta``; what ``apply_delta`` writes is that model saved."""
    restored = load_delta(base, directory)
    restored.save_pretrained(tmp_path / "saved")
    apply_delta(base, directory, tmp_path / "applied")
    assert content(tmp_path / "applied") == content(tmp_path / "saved")
    return restored


def untied(tied):
    """A copy of a model with a head of its own, though the configuration says that it is tied."""
    model = copy.deepcopy(tied)
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    assert model.config.tie_word_embeddings
    return model


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("moved", [0.0, 1.0])
def test_a_head_untied_by_hand_stays_untied(tmp_path, moved, inplace):
    _, base = make_pair("gpt2")
    model = untied(base)
    model.lm_head.weight.data += moved
    save_delta(model, base, tmp_path / "delta")
    if not inplace:
        restored_both_ways(base, tmp_path / "delta", tmp_path)
    restored = load_delta(base, tmp_path / "delta", inplace=inplace)
    assert_same_bits(snapshot(restored), snapshot(model))
    assert restored.lm_head.weight is not restored.transformer.wte.weight
    assert all(parameter.requires_grad for parameter in restored.parameters())


def test_no_bit_depends_on_how_transformers_loads(tmp_path, monkeypatch):
    """Versions differ in what they tie, and read several dtypes as one."""
    _, base = make_pair("gpt2")
    model = untied(base)
    model.lm_head.weight.data += 1
    save_delta(model, base, tmp_path / "delta")
    load = transformers.GPT2LMHeadModel.from_pretrained

    def careless(*arguments, **options):
        made, told = load(*arguments, **options)
        made = made.to(torch.float64)
        made.lm_head.weight = made.transformer.wte.weight
        made.transformer.ln_f.weight.data += 1
        return made, told

    monkeypatch.setattr(transformers.GPT2LMHeadModel, "from_pretrained", careless)
    assert_same_bits(snapshot(load_delta(base, tmp_path / "delta")), snapshot(model))


def test_a_class_that_cannot_hold_the_tensors_is_refused(tmp_path, monkeypatch):
    _, base = make_pair("gpt2")
    model = untied(base)
    model.transformer.h[1].mlp.c_fc.weight.data += 1
    save_delta(model, base, tmp_path / "delta")
    load = transformers.GPT2LMHeadModel.from_pretrained

    def shares_layers(*arguments, **options):
        made, told = load(*arguments, **options)
        made.transformer.h[1] = made.transformer.h[0]
        return made, told

    monkeypatch.setattr(transformers.GPT2LMHeadModel, "from_pretrained", shares_layers)
    with pytest.raises(ValueError, match=r"GPT2LMHeadModel cannot be built: what holds transformer\.h\.0\."):
        load_delta(base, tmp_path / "delta")


@pytest.mark.parametrize("training", [False, True])
def test_a_built_model_is_in_the_mode_of_its_base(tmp_path, training):
    model, base = make_pair("bert")
    save_delta(model, base, tmp_path / "delta")
    restored = load_delta(base.train(training), tmp_path / "delta")
    assert {module.training for module in restored.modules()} == {training}


def test_a_new_head_on_a_backbone_whose_blocks_have_widths_of_their_own(tmp_path):
    """Both pruners, one after the other."""
    dense = tiny("bert")
    keep = MIConfig(ratio=0.5, targets=("layer.1",), round_to=4, selection="random", compensation="none")
    export(prune(dense, keep).model, tmp_path / "small")
    base = load_pruned(tmp_path / "small", model_class=transformers.BertModel)
    tuned = load_pruned(tmp_path / "small", model_class=transformers.BertForSequenceClassification)
    with torch.no_grad():
        for parameter in tuned.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    pruned = prune(tuned, KENConfig(density=0.3), pretrained=base).model
    save_delta(pruned, base, tmp_path / "delta")

    restored = restored_both_ways(base, tmp_path / "delta", tmp_path)
    assert type(restored) is type(pruned)
    assert_same_bits(snapshot(restored), snapshot(pruned))
    widths = [block.width for block in find_blocks(restored)]
    assert widths == [block.width for block in find_blocks(pruned)]
    assert len(set(widths)) == 2
    assert getattr(restored.config, WIDTHS_KEY) == getattr(base.config, WIDTHS_KEY)
    batch = inputs("bert")
    assert torch.equal(restored(**batch).logits, pruned(**batch).logits)
    assert_same_bits(snapshot(load_pruned(tmp_path / "applied")), snapshot(pruned))


class Net(torch.nn.Module):
    """No model of transformers, so nothing can build it."""

    def __init__(self, labels):
        super().__init__()
        self.body = torch.nn.Linear(8, 8)
        self.head = torch.nn.Linear(8, labels)


def test_another_head_outside_transformers_is_restored_on_a_base_that_has_it(tmp_path):
    base, model = Net(10), Net(3)
    model.body.load_state_dict(base.body.state_dict())
    model.body.weight.data[0] += 1
    save_delta(model, base, tmp_path / "delta")
    sentence = (
        r"the delta is of a Net with head\.weight of shape \[3, 8\], where base \(Net\) has shape \[10, 8\], "
        r"and transformers [\d.]+ cannot build one: build a Net like that with the values of base, and give "
        r"it as base$"
    )
    with pytest.raises(ValueError, match=sentence):
        load_delta(base, tmp_path / "delta")
    remedy = Net(3)
    remedy.body.load_state_dict(base.body.state_dict())
    assert_same_bits(snapshot(load_delta(remedy, tmp_path / "delta")), snapshot(model))

    model.extra = torch.nn.Linear(2, 2)
    save_delta(model, base, tmp_path / "extra")
    with pytest.raises(ValueError, match=r"head\.weight of shape"):
        load_delta(base, tmp_path / "extra")
    with pytest.raises(
        ValueError, match=r"a Net with extra\.weight of shape \[2, 2\], where base \(Net\) has none"
    ):
        load_delta(remedy, tmp_path / "extra")
    more = copy.deepcopy(base)
    more.extra = torch.nn.Linear(2, 2)
    save_delta(base, more, tmp_path / "less")
    with pytest.raises(ValueError, match=r"a Net without extra\.weight, which base \(Net\) has"):
        load_delta(more, tmp_path / "less")


def test_a_configuration_that_does_not_fit_the_tensors_is_refused(tmp_path):
    model, base = make_pair("bert")
    model.config.num_labels = 4  # the head was made for three
    save_delta(model, base, tmp_path / "delta")
    sentence = r"a BertForSequenceClassification: tensor classifier\.weight has shape \[3, 16\] .*\[4, 16\]"
    with pytest.raises(ValueError, match=sentence):
        load_delta(base, tmp_path / "delta")


def test_a_buffer_that_shares_memory_with_a_parameter_stays_a_buffer(tmp_path, monkeypatch):
    """Ties are told by memory; what shares it may be held in two ways."""
    init = transformers.BertForSequenceClassification.__init__

    def with_buffer(self, *arguments, **options):
        init(self, *arguments, **options)
        self.register_buffer("start", self.classifier.weight.detach())

    monkeypatch.setattr(transformers.BertForSequenceClassification, "__init__", with_buffer)
    model, base = make_pair("bert")
    model.start = model.classifier.weight.detach()
    save_delta(model, base, tmp_path / "delta")
    restored = load_delta(base, tmp_path / "delta")
    assert_same_bits(snapshot(restored), snapshot(model))
    assert [name for name, _ in restored.named_buffers() if name == "start"]
    assert restored.start.data_ptr() == restored.classifier.weight.data_ptr()
