"""What KEN refuses, in one sentence, before anything is altered."""

import dataclasses

import pytest
import torch
import transformers

from pruning_ext.pruners import KENConfig, plan, prune
from tests.tiny_models import assert_same_bits, make_pair, snapshot


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("role", ["model", "pretrained"])
def test_a_value_that_is_not_finite_is_named_and_nothing_is_altered(role, value):
    model, base = make_pair("bert")
    broken = model.bert if role == "model" else base
    with torch.no_grad():
        broken.encoder.layer[1].output.dense.weight[3, 5] = value
    before = snapshot(model)
    name = r"bert\.encoder\.layer\.1\.output\.dense\.weight"
    sentence = rf"{role}: tensor {name} holds -?(nan|inf) in row 3, column 5"
    for call in (plan, prune):
        with pytest.raises(ValueError, match=sentence):
            call(model, KENConfig(density=0.5), pretrained=base)
    clean = plan(make_pair("bert")[0], KENConfig(density=0.5), pretrained=make_pair("bert")[1])
    refused = "the plan was made for" if role == "model" else sentence
    with pytest.raises(ValueError, match=refused):  # a plan made before the value went bad
        prune(model, clean, pretrained=base, inplace=True)
    assert_same_bits(snapshot(model), before)


def test_a_bad_value_in_a_tensor_that_is_not_pruned_is_none_of_our_business():
    model, base = make_pair("bert")
    with torch.no_grad():
        model.bert.encoder.layer[1].output.dense.weight[3, 5] = float("nan")
    before = snapshot(model)
    pruned = snapshot(prune(model, KENConfig(density=0.5, ignore=["layer.1"]), pretrained=base).model)
    ignored = [name for name in before if ".layer.1." in name]
    assert_same_bits({name: pruned[name] for name in ignored}, {name: before[name] for name in ignored})
    assert not torch.equal(pruned["bert.pooler.dense.weight"], before["bert.pooler.dense.weight"])


def test_differences_that_overflow_are_refused():
    model, base = make_pair("bert")
    with torch.no_grad():
        model.bert.pooler.dense.weight[0, 0] = 3e38
        base.pooler.dense.weight[0, 0] = -3e38
    with pytest.raises(ValueError, match=r"pooler\.dense\.weight: differences"):
        prune(model, KENConfig(density=0.5, criterion="delta"), pretrained=base)
    prune(model, KENConfig(density=0.5), pretrained=base)


def expanded(parameter):
    return torch.nn.Parameter(parameter.detach()[:, :1].expand(parameter.shape))


def made_in_inference_mode(parameter):
    with torch.inference_mode():
        return torch.nn.Parameter(parameter.detach().clone(), requires_grad=False)


@pytest.mark.parametrize(
    ("remade", "sentence"),
    [
        (expanded, "is expanded: several of its entries are one"),
        (made_in_inference_mode, r"was made under torch\.inference_mode\(\)"),
    ],
)
def test_what_cannot_be_written_in_place_is_told_before_anything_is_altered(remade, sentence):
    model, base = make_pair("bert")
    last = model.bert.pooler.dense
    last.weight = remade(last.weight)
    before = snapshot(model)
    with pytest.raises(
        ValueError, match=rf"model: tensor bert\.pooler\.dense\.weight {sentence}.*prune a copy"
    ):
        prune(model, KENConfig(density=0.5), pretrained=base, inplace=True)
    assert_same_bits(snapshot(model), before)
    pruned = prune(model, KENConfig(density=0.5), pretrained=base).model
    assert (pruned.bert.pooler.dense.weight == base.pooler.dense.weight).sum() >= 16 * 8


@pytest.mark.parametrize(
    ("details", "sentence"),
    [
        ({"k": -5}, "the plan has k=-5 for"),
        ({"k": 2.5}, "the plan has k=2.5 for"),
        ({"k": "x"}, "the plan has k='x' for"),
        ({"k": True}, "the plan has k=True for"),
        ({"k": None}, "the plan has k=None for"),
        ({"action": "drop"}, "the plan has action 'drop' for"),
        ({"action": None}, "the plan has action None for"),
    ],
)
def test_a_plan_edited_into_nonsense_alters_nothing(details, sentence):
    model, base = make_pair("bert")
    made = plan(model, KENConfig(density=0.5), pretrained=base)
    *layers, last = (layer for layer in made.layers if layer.details["action"] == "rows")
    edited = dataclasses.replace(last, details={**last.details, **details})
    broken = dataclasses.replace(made, layers=(*layers, edited))
    before = snapshot(model)
    with pytest.raises(ValueError, match=f"{sentence} {last.name}"):
        prune(model, broken, pretrained=base, inplace=True)
    assert_same_bits(snapshot(model), before)


def bert(**fields):
    sizes = {
        "vocab_size": 53,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 37,
        "max_position_embeddings": 20,
    }
    return transformers.BertModel(transformers.BertConfig(**sizes | fields))


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (
            lambda: bert(num_hidden_layers=3),
            r"pretrained has encoder\.layer\.2\..*number or size of their layers",
        ),
        (
            lambda: bert(num_hidden_layers=1),
            r"model has bert\.encoder\.layer\.1\..*number or size of their layers",
        ),
        (lambda: bert(intermediate_size=40), r"model has .*intermediate\.dense\.weight of shape \[37, 16\]"),
        (lambda: bert(hidden_size=32), r"model has bert\.encoder\.layer\.0\..* of shape \[16, 16\]"),
        (lambda: make_pair("gpt2")[1], "'bert'.*'gpt2'.*do not belong together"),
        (lambda: torch.nn.Linear(3, 3), "no parameter of the same name and shape"),
        (lambda: bert().half(), r"torch\.float32 in model and torch\.float16 in pretrained"),
        (lambda: bert().to("meta"), r"pretrained: tensor embeddings\..* is on the meta device"),
    ],
)
def test_models_that_do_not_belong_together(other, sentence):
    model, _ = make_pair("bert")
    before = snapshot(model)
    with pytest.raises(ValueError, match=sentence):
        prune(model, KENConfig(density=0.5), pretrained=other(), inplace=True)
    assert_same_bits(snapshot(model), before)


def test_a_model_without_values_is_refused():
    model, base = make_pair("bert")
    with pytest.raises(ValueError, match=r"model: tensor bert\..* is on the meta device"):
        plan(model.to("meta"), KENConfig(density=0.5), pretrained=base)


def test_missing_and_needless_arguments():
    model, base = make_pair("bert")
    with pytest.raises(ValueError, match="pretrained is missing"):
        prune(model, KENConfig(density=0.5))
    with pytest.raises(ValueError, match="calibration is not used by KEN"):
        prune(model, KENConfig(density=0.5), pretrained=base, calibration=["text"])
    with pytest.raises(
        ValueError, match=r"k is 99 and the longest row has 37 entries \(bert\..*output\.dense"
    ):
        prune(model, KENConfig(k=99), pretrained=base)


@pytest.mark.parametrize(
    ("targets", "ignore"),
    [(["query"], ["attention"]), (["lm_head"], ["wte"])],
    ids=["all", "by its tied name"],
)
def test_nothing_left_to_prune(targets, ignore):
    model, base = make_pair("gpt2" if "wte" in ignore else "bert")
    sentence = "^nothing to prune: targets and ignore leave no weight matrix that KEN can prune$"
    with pytest.raises(ValueError, match=sentence):
        plan(model, KENConfig(density=0.5, targets=targets, ignore=ignore), pretrained=base)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "either k or density"),
        ({"k": 3, "density": 0.5}, "either k or density"),
        ({"k": -1}, "k must be at least 0"),
        ({"k": 2.0}, "k must be a whole number"),
        ({"k": True}, "k must be a whole number"),
        ({"density": 1.5}, "density must lie from 0 to 1"),
        ({"density": float("nan")}, "density must lie from 0 to 1"),
        ({"density": "half"}, "density must be a number"),
        ({"k": 3, "criterion": "best"}, "criterion must be one of ken, density"),
        ({"k": 3, "on": "gradient"}, "on must be one of weight, delta"),
        ({"k": 3, "keep_ties": 1}, "keep_ties must be true or false"),
        ({"k": 3, "keep_ties": True, "criterion": "magnitude"}, "keep_ties belongs to criterion 'ken'"),
    ],
)
def test_bad_configurations(fields, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        KENConfig(**fields)


def test_the_configuration_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        KENConfig(k=3).k = 4


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_layers_that_all_have_other_names_are_no_new_head(family):
    model, base = make_pair(family)
    stack = model.bert.encoder if family == "bert" else model.model
    name = "layer" if family == "bert" else "layers"
    stack.blocks = getattr(stack, name)
    delattr(stack, name)
    with pytest.raises(ValueError, match=rf"pretrained has .*{name}\.0\..* nor any other of its layers"):
        plan(model, KENConfig(density=0.1), pretrained=base)


def test_a_head_of_numbered_modules_is_new():
    model, base = make_pair("bert")
    headed = transformers.BertForSequenceClassification(base.config)
    headed.bert.load_state_dict(base.state_dict())
    for each, width in ((model, 5), (headed, 7)):
        each.classifier = torch.nn.Sequential(torch.nn.Linear(16, width), torch.nn.Linear(width, width))
    assert "classifier.0.weight" in prune(model, KENConfig(density=0.1), pretrained=headed).report["new"]
