"""KEN on models: what is kept, what is reset, and what is left alone."""

import copy
import warnings

import pytest
import torch

from pruning_ext.choices.criteria import CRITERIA
from pruning_ext.ops import ken_mask
from pruning_ext.pruners import KENConfig, LayerPlan, Plan, PruningWarning, plan, prune
from pruning_ext.pruners.ken.details import TensorDetails
from tests.tiny_models import DTYPES, FAMILIES, assert_same_bits, base_state, bits, make_pair, snapshot


def rows_of(tensor):
    return tensor.reshape(tensor.shape[0], -1)


def kept_mask(result, model, name, base):
    """Entries that are not the base's; every entry of the pair differs, so these are the kept ones."""
    assert (bits(model.state_dict()[name]) != bits(base)).all(), "the pair must differ everywhere"
    return rows_of(bits(result.state_dict()[name]) != bits(base))


def pair_that_differs_everywhere(family, dtype):
    model, base = make_pair(family, dtype)
    with torch.no_grad():
        for name, pretrained in base_state(model, base).items():
            parameter = model.get_parameter(name)
            equal = bits(parameter) == bits(pretrained)
            parameter[equal] = parameter[equal] + 1
    return model, base


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("family", FAMILIES)
def test_kept_entries_are_the_masks_and_the_rest_is_pretrained(family, dtype):
    model, base = make_pair(family, dtype)
    before, base_before = snapshot(model), snapshot(base)
    result = prune(model, KENConfig(density=0.4), pretrained=base)

    expected = dict(before)
    for name, pretrained in base_state(model, base).items():
        if pretrained.dim() >= 2:
            ours = rows_of(before[name])
            mask = ken_mask(ours, round(0.4 * ours.shape[1]))
            assert 0 < mask.sum() < mask.numel()
            expected[name] = torch.where(mask, ours, rows_of(pretrained)).reshape(before[name].shape)
    assert_same_bits(result.model.state_dict(), expected)
    assert_same_bits(snapshot(model), before)
    assert_same_bits(snapshot(base), base_before)
    assert type(result.model) is type(model)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("on", ["weight", "delta"])
@pytest.mark.parametrize("criterion", CRITERIA.names)
def test_every_criterion_keeps_exactly_k_of_each_row(criterion, on, dtype):
    model, base = pair_that_differs_everywhere("bert", dtype)
    result = prune(model, KENConfig(k=5, criterion=criterion, on=on), pretrained=base)
    for name, pretrained in base_state(model, base).items():
        if pretrained.dim() >= 2:
            assert (kept_mask(result.model, model, name, pretrained).sum(1) == 5).all(), name
    assert result.report["kept"] == 5 * sum(
        t.shape[0] for t in base_state(model, base).values() if t.dim() >= 2
    )


def test_keep_ties_keeps_equal_values():
    model, base = pair_that_differs_everywhere("llama", torch.float32)
    name = "model.layers.0.mlp.up_proj.weight"
    with torch.no_grad():
        weight = model.get_parameter(name)
        weight.copy_((weight * 4).round() / 4 + 0.125)  # a coarse grid: many equal values
        base.get_parameter(name).fill_(100)
    without = prune(model, KENConfig(k=6), pretrained=base)
    result = prune(model, KENConfig(k=6, keep_ties=True), pretrained=base)
    mask = kept_mask(result.model, model, name, base.get_parameter(name))
    assert torch.equal(mask, ken_mask(weight.detach(), 6, keep_ties=True))
    assert mask.sum() > 6 * len(mask)
    assert result.report["kept_per_tensor"][name] == mask.sum()
    assert without.report["kept_per_tensor"][name] == 6 * len(mask)


def test_tied_tensors_are_pruned_once_and_stay_tied():
    model, base = make_pair("gpt2")
    result = prune(model, KENConfig(density=0.5), pretrained=base)
    pruned = result.model
    assert pruned.lm_head.weight is pruned.transformer.wte.weight
    layer = next(x for x in result.plan.layers if x.name == "transformer.wte.weight")
    assert layer.details["tied"] == ["lm_head.weight"]
    assert result.plan.parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("option", ["targets", "ignore"])
@pytest.mark.parametrize("name", ["lm_head", "wte"])
def test_any_name_of_a_tied_tensor_will_do(option, name):
    model, base = make_pair("gpt2")
    before = snapshot(model)
    result = prune(model, KENConfig(density=0.5, **{option: [name]}), pretrained=base).model
    changed = {n for n, t in result.state_dict().items() if not torch.equal(t, before[n])}
    tied = {"transformer.wte.weight", "lm_head.weight"}
    assert changed
    assert changed == tied if option == "targets" else changed.isdisjoint(tied)


def test_targets_and_ignore_limit_what_changes():
    model, base = make_pair("bert")
    before = snapshot(model)
    config = KENConfig(
        density=0.5, targets=["attention", r"re:bert\.embeddings\..*"], ignore=["key", "layer.1"]
    )
    result = prune(model, config, pretrained=base)
    changed = {name for name, t in result.model.state_dict().items() if not torch.equal(t, before[name])}
    self_attention = "bert.encoder.layer.0.attention"
    assert changed == {
        "bert.embeddings.word_embeddings.weight",
        "bert.embeddings.position_embeddings.weight",
        "bert.embeddings.token_type_embeddings.weight",
        f"{self_attention}.self.query.weight",
        f"{self_attention}.self.value.weight",
        f"{self_attention}.output.dense.weight",
    }


def test_ignore_may_name_the_new_head_and_targets_may_not():
    model, base = make_pair("bert")
    prune(model, KENConfig(density=0.5, ignore=["classifier", "LayerNorm"]), pretrained=base)
    with pytest.raises(ValueError, match="'classifier' matches names, but no weight matrix"):
        prune(model, KENConfig(density=0.5, targets=["classifier"]), pretrained=base)
    with pytest.raises(ValueError, match=r"'qeury' matches no .*near names: .*query"):
        prune(model, KENConfig(density=0.5, targets=["qeury"]), pretrained=base)


def test_a_resized_embedding_is_new_and_kept_whole():
    model, base = make_pair("bert")
    model.resize_token_embeddings(VOCABULARY_GROWN := 60)
    name = "bert.embeddings.word_embeddings.weight"
    before = snapshot(model)[name]
    result = prune(model, KENConfig(density=0.2), pretrained=base)
    assert before.shape[0] == VOCABULARY_GROWN
    assert_same_bits({name: result.model.state_dict()[name]}, {name: before})
    assert name in result.report["new"]


@pytest.mark.parametrize(("density", "whose"), [(1.0, "model"), (0.0, "base")])
def test_the_ends_of_the_range(density, whose):
    model, base = make_pair("llama")
    result = prune(model, KENConfig(density=density), pretrained=base).model
    expected = (model if whose == "model" else base).state_dict()
    matrices = [name for name, t in expected.items() if t.dim() >= 2]
    assert_same_bits({n: result.state_dict()[n] for n in matrices}, {n: expected[n] for n in matrices})


def test_density_is_a_share_of_each_row_length():
    model, base = pair_that_differs_everywhere("bert", torch.float32)
    result = prune(model, KENConfig(density=0.3), pretrained=base)
    for name, pretrained in base_state(model, base).items():
        if pretrained.dim() >= 2:
            n = rows_of(pretrained).shape[1]
            kept = kept_mask(result.model, model, name, pretrained).sum(1)
            assert (kept == round(0.3 * n)).all(), name


def test_short_rows_are_kept_whole_by_a_large_k():
    model, base = pair_that_differs_everywhere("bert", torch.float32)  # rows of 16 and of 37
    result = prune(model, KENConfig(k=20), pretrained=base).model
    assert_same_bits(
        {"q": result.bert.encoder.layer[0].attention.self.query.weight.detach()},
        {"q": model.bert.encoder.layer[0].attention.self.query.weight.detach()},
    )
    down = "bert.encoder.layer.0.output.dense.weight"
    assert (kept_mask(result, model, down, base_state(model, base)[down]).sum(1) == 20).all()


def test_random_depends_on_the_seed_and_the_name_only():
    model, base = make_pair("bert")

    def pruned(**fields):
        config = KENConfig(density=0.5, criterion="random", **fields)
        return prune(model, config, pretrained=base).model.state_dict()

    name = "bert.encoder.layer.1.output.dense.weight"
    everything, again, alone, other = pruned(), pruned(), pruned(targets=[name]), pruned(seed=1)
    assert_same_bits(everything, again)
    assert torch.equal(everything[name], alone[name])
    assert not torch.equal(everything[name], other[name])
    twin = "bert.encoder.layer.0.output.dense.weight"
    base_of = base_state(model, base)
    assert not torch.equal(everything[name] == base_of[name], everything[twin] == base_of[twin])


def test_inplace_prunes_the_model_it_was_given():
    model, base = make_pair("gpt2")
    expected = snapshot(prune(model, KENConfig(density=0.5), pretrained=base).model)
    weight = model.transformer.wte.weight
    result = prune(model, KENConfig(density=0.5), pretrained=base, inplace=True)
    assert result.model is model
    assert model.transformer.wte.weight is weight
    assert_same_bits(snapshot(model), expected)


def test_weights_that_do_not_lie_in_rows_are_pruned_all_the_same():
    model, base = make_pair("vit")
    name = "vit.embeddings.patch_embeddings.projection.weight"
    expected = snapshot(prune(model, KENConfig(density=0.5), pretrained=base).model)
    weight = model.get_parameter(name)
    weight.data = weight.data.to(memory_format=torch.channels_last)
    assert not weight.is_contiguous()
    result = prune(model, KENConfig(density=0.5), pretrained=base).model
    assert_same_bits(snapshot(result), expected)


def test_plain_modules_work():
    torch.manual_seed(0)
    base = torch.nn.Sequential(torch.nn.Linear(9, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 3))
    model = copy.deepcopy(base)
    with torch.no_grad():
        model[0].weight += 1
        model[1].running_mean += 1
        model[2] = torch.nn.Linear(8, 5)  # a new head
    result = prune(model, KENConfig(k=4), pretrained=base)
    kept = result.model[0].weight != base[0].weight
    assert (kept.sum(1) == 4).all()
    assert torch.equal(result.model[1].running_mean, model[1].running_mean)
    assert torch.equal(result.model[2].weight, model[2].weight)


def test_the_plan_says_what_prune_does(tmp_path):
    model, base = pair_that_differs_everywhere("bert", torch.float16)
    config = KENConfig(density=0.5, ignore=["embeddings"])
    before = snapshot(model)
    made = plan(model, config, pretrained=base)
    assert_same_bits(snapshot(model), before)
    made.save(tmp_path / "plan.json")
    read = Plan.load(tmp_path / "plan.json")
    assert read == made
    by_plan, direct = prune(model, read, pretrained=base), prune(model, config, pretrained=base)
    assert_same_bits(snapshot(by_plan.model), snapshot(direct.model))

    actions = {layer.name: layer.details["action"] for layer in made.layers}
    assert actions["classifier.weight"] == "new"
    assert actions["bert.embeddings.word_embeddings.weight"] == "as fine-tuned"
    assert actions["bert.encoder.layer.0.output.dense.weight"] == "rows"
    assert made.parameters == sum(p.numel() for p in model.parameters())
    rows = [layer for layer in made.layers if layer.details["action"] == "rows"]
    assert direct.report["kept"] == sum(layer.kept for layer in rows)
    assert "bert.encoder.layer.*.output.dense.weight" in made.summary()


def test_a_tensor_that_did_not_move_costs_nothing():
    model, base = make_pair("bert")
    with torch.no_grad():
        model.bert.embeddings.word_embeddings.weight.copy_(base.embeddings.word_embeddings.weight)
    made = plan(model, KENConfig(density=0.5), pretrained=base)
    layer = next(x for x in made.layers if x.name == "bert.embeddings.word_embeddings.weight")
    assert (layer.details["changed"], layer.kept_bytes) == (0, 0)
    result = prune(model, made, pretrained=base)
    assert result.report["kept_per_tensor"][layer.name] == layer.kept == layer.parameters // 2


def test_equal_models_are_warned_of_and_others_are_not(tmp_path):
    model, base = make_pair("llama")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prune(model, KENConfig(density=0.5), pretrained=base)
    with pytest.warns(
        PruningWarning, match="model and pretrained are equal, so the delta stores nothing"
    ) as seen:
        result = prune(model, KENConfig(density=0.5), pretrained=copy.deepcopy(model))
    assert len(seen) == 1
    assert seen[0].filename == __file__, "it points at the call, not at our code"
    assert_same_bits(snapshot(result.model), snapshot(model))
    with pytest.warns(PruningWarning, match="are equal"):
        plan(model, KENConfig(k=3, targets=["q_proj"]), pretrained=model)


def test_a_trained_head_on_a_frozen_backbone_is_warned_of():
    model, base = make_pair("bert")
    model.bert.load_state_dict(base.state_dict())
    with pytest.warns(PruningWarning, match="nothing to choose from; the 2 tensors that differ are kept as"):
        result = prune(model, KENConfig(density=0.5), pretrained=base)
    assert_same_bits(snapshot(result.model), snapshot(model))
    with torch.no_grad():
        model.bert.pooler.dense.weight[0, 0] += 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plan(model, KENConfig(density=0.5), pretrained=base)


@pytest.mark.parametrize("inplace", [False, True])
def test_compiled_models_are_those_that_were_compiled(tmp_path, inplace):
    model, base = make_pair("llama")
    expected = prune(model, KENConfig(density=0.4), pretrained=base)
    compiled, compiled_base = torch.compile(model), torch.compile(base)
    assert plan(compiled, KENConfig(density=0.4), pretrained=compiled_base) == expected.plan
    result = prune(compiled, expected.plan, pretrained=compiled_base, inplace=inplace)
    assert type(result.model) is type(model)
    assert (result.model is model) is inplace
    assert_same_bits(snapshot(result.model), snapshot(expected.model))


def test_a_copy_made_in_inference_mode_can_be_trained():
    model, base = make_pair("llama")
    expected = prune(model, KENConfig(density=0.4), pretrained=base).model
    with torch.inference_mode():
        found = prune(model, KENConfig(density=0.4), pretrained=base).model
    assert not any(parameter.is_inference() for parameter in found.parameters())
    assert_same_bits(snapshot(found), snapshot(expected))


@pytest.mark.parametrize(
    "details",
    [
        TensorDetails((3, 4), ("head.weight",), "new"),
        TensorDetails((3, 4), (), "as fine-tuned", 0),
        TensorDetails((3, 4), (), "rows", 5, 0),
    ],
)
def test_details_survive_a_plan(details):
    assert TensorDetails.of(LayerPlan("weight", 12, 0, 48, 0, details.to_dict())) == details


def test_a_view_of_another_shape_is_pruned_in_place_on_top_of_the_other():
    """Also where it equalled its counterpart before the other was reset."""
    torch.manual_seed(0)
    model, base = torch.nn.Module(), torch.nn.Module()
    model.weight = torch.nn.Parameter(torch.randn(6, 9))
    model.transpose = torch.nn.Parameter(model.weight.detach().T)
    base.weight = torch.nn.Parameter(torch.randn(6, 9))
    base.transpose = torch.nn.Parameter(model.transpose.detach().clone())
    ours, theirs = model.weight.detach().clone(), base.weight.detach()
    reset = torch.where(ken_mask(ours, 3), ours, theirs)
    expected = torch.where(ken_mask(reset.T, 3), reset.T, ours.T)
    prune(model, KENConfig(k=3), pretrained=base, inplace=True)
    assert torch.equal(model.transpose, expected)
    assert torch.equal(model.weight, expected.T)
