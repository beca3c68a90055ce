"""The delta on disk: bit for bit, small, and refused when anything about it or its base is off."""

import copy
import hashlib
import json

import pytest
import torch
import transformers
from safetensors.torch import load_file

from pruning_ext.delta import load_delta, save_delta
from pruning_ext.delta.file import CONFIG_NAME, WEIGHTS_NAME
from pruning_ext.pruners import KENConfig, prune
from pruning_ext.storage.encoding import row_shape
from tests.tiny_models import DTYPES, FAMILIES, assert_same_bits, make_pair, snapshot


def config_of(directory):
    return json.loads((directory / CONFIG_NAME).read_text())


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("density", [0.5, 0.02])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("family", FAMILIES)
def test_round_trip_is_bit_exact(tmp_path, family, dtype, density, inplace):
    model, base = make_pair(family, dtype)
    pruned = prune(model, KENConfig(density=density), pretrained=base).model
    before, base_before = snapshot(pruned), snapshot(base)
    save_delta(pruned, base, tmp_path / "delta")
    assert_same_bits(snapshot(pruned), before)
    assert_same_bits(snapshot(base), base_before)

    restored = load_delta(base, tmp_path / "delta", inplace=inplace)
    assert type(restored) is type(pruned)
    assert_same_bits(snapshot(restored), before)
    assert restored.config.to_dict().keys() == pruned.config.to_dict().keys()
    if not inplace:
        assert_same_bits(snapshot(base), base_before)
        addresses = {t.data_ptr() for t in base.state_dict().values()}
        assert addresses.isdisjoint(t.data_ptr() for t in restored.state_dict().values())


def test_the_restored_model_computes_the_same(tmp_path):
    for family in ("bert", "gpt2", "llama"):
        model, base = make_pair(family)
        pruned = prune(model, KENConfig(density=0.5), pretrained=base).model
        save_delta(pruned, base, tmp_path / family)
        restored = load_delta(base, tmp_path / family).eval()
        tokens = torch.randint(3, 50, (2, 7))
        assert torch.equal(restored(tokens).logits, pruned(tokens).logits), family


def test_tied_tensors_are_written_once_and_come_back_tied(tmp_path):
    model, base = make_pair("gpt2")
    pruned = prune(model, KENConfig(density=0.5), pretrained=base).model
    save_delta(pruned, base, tmp_path / "delta")
    stored = load_file(tmp_path / "delta" / WEIGHTS_NAME)
    assert not [name for name in stored if name.startswith("lm_head")]
    restored = load_delta(base, tmp_path / "delta")
    assert restored.lm_head.weight is restored.transformer.wte.weight


def test_the_labels_of_a_new_head_come_back(tmp_path):
    model, base = make_pair("bert")
    model.config.id2label = {0: "bad", 1: "fair", 2: "good"}
    save_delta(model, base, tmp_path / "bert")
    assert load_delta(base, tmp_path / "bert").config.id2label == {0: "bad", 1: "fair", 2: "good"}


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("density", [None, 0.5])
def test_a_head_that_was_untied_in_fine_tuning_comes_back_untied(tmp_path, density, inplace):
    tied_model, base = make_pair("gpt2")
    config = transformers.GPT2Config.from_dict(base.config.to_dict() | {"tie_word_embeddings": False})
    model = transformers.GPT2LMHeadModel(config)
    model.load_state_dict(tied_model.state_dict())
    if density is None:  # the head equals the base, the embedding does not
        model.lm_head.weight.data.copy_(base.lm_head.weight)
    else:
        model.lm_head.weight.data += 1
        prune(model, KENConfig(density=density), pretrained=base, inplace=True)
    assert not torch.equal(model.lm_head.weight, model.transformer.wte.weight)
    save_delta(model, base, tmp_path / "delta")
    restored = load_delta(base, tmp_path / "delta", inplace=inplace)
    assert_same_bits(snapshot(restored), snapshot(model))
    assert restored.lm_head.weight.data_ptr() != restored.transformer.wte.weight.data_ptr()


@pytest.mark.parametrize("rebuilt", [False, True])
def test_generation_settings_come_back(tmp_path, rebuilt):
    model, base = make_pair("gpt2")
    model.generation_config.max_new_tokens = 17
    if rebuilt:  # another configuration, so that the result cannot be a copy of the base
        model.config.scale_attn_by_inverse_layer_idx = True
    save_delta(model, base, tmp_path / "delta")
    restored = load_delta(base, tmp_path / "delta")
    assert restored.generation_config.max_new_tokens == 17
    assert restored.config.scale_attn_by_inverse_layer_idx is rebuilt
    assert restored.lm_head.weight is restored.transformer.wte.weight
    assert base.generation_config.max_new_tokens is None
    assert base.config.scale_attn_by_inverse_layer_idx is False


def test_a_base_of_another_class_serves_if_it_has_the_tensors(tmp_path):
    model, backbone = make_pair("bert")
    prune(model, KENConfig(density=0.3), pretrained=backbone, inplace=True)
    save_delta(model, backbone, tmp_path / "delta")
    other = transformers.BertForMaskedLM(backbone.config)
    other.bert.load_state_dict(backbone.state_dict(), strict=False)  # the language model has no pooler
    with pytest.raises(ValueError, match=r"BertForMaskedLM without pooler\.dense\.weight of"):
        load_delta(other, tmp_path / "delta")
    complete = transformers.BertForPreTraining(backbone.config)
    complete.bert.load_state_dict(backbone.state_dict())
    assert_same_bits(snapshot(load_delta(complete, tmp_path / "delta")), snapshot(model))


def linear(rows, n, dtype=torch.float32):
    torch.manual_seed(0)
    module = torch.nn.Linear(n, rows, bias=False)
    module.weight.data = torch.randn(rows, n).to(dtype)
    return module


def changed_copy(base, mask):
    model = linear(*base.weight.shape, base.weight.dtype)
    model.weight.data = torch.where(mask, base.weight.data + 1, base.weight.data)
    return model


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_bit_patterns_survive(tmp_path, dtype):
    integers = {4: torch.int32, 2: torch.int16}[dtype.itemsize]
    base, model = linear(4, 64, dtype), linear(4, 64, dtype)
    with torch.no_grad():
        base.weight[0], model.weight[0] = 0.0, -0.0
        base.weight[1], model.weight[1] = float("nan"), float("nan")
        patterns = model.weight.data.view(integers)
        patterns[1, :8] += torch.arange(8).to(integers)  # NaN payloads
        patterns[2, :8] = torch.arange(1, 9).to(integers)  # subnormal numbers
        model.weight[3, :8] = torch.tensor([float("inf"), -float("inf")] * 4)
    expected = snapshot(model)
    save_delta(model, base, tmp_path / "delta")
    assert_same_bits(snapshot(load_delta(base, tmp_path / "delta")), expected)
    assert config_of(tmp_path / "delta")["tensors"]["weight"]["changed"] == 64 + 7 + 8 + 8


def masks():
    generator = torch.Generator().manual_seed(0)

    def uniform(rows, n, k):
        order = torch.rand(rows, n, generator=generator).argsort(1)
        return order < k

    return {
        "nothing": (torch.zeros(8, 100, dtype=torch.bool), "same"),
        "half": (uniform(8, 768, 384), "bitmask"),
        "one in a hundred": (uniform(64, 1000, 10), "columns"),
        "one in a hundred, unevenly": (torch.rand(64, 1000, generator=generator) < 0.01, "columns"),
        "everything": (torch.ones(8, 100, dtype=torch.bool), "whole"),
        "rows too long for uint16": (uniform(2, 70_001, 100), "bitmask"),
        "rows just short enough": (uniform(2, 65_536, 100), "columns"),
        "one row of odd length": (uniform(1, 13, 6), "bitmask"),
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", masks())
def test_the_smallest_encoding_is_taken_and_the_file_is_no_larger(tmp_path, case, dtype):
    mask, expected = masks()[case]
    base = linear(*mask.shape, dtype)
    model = changed_copy(base, mask)
    mask = model.weight.data != base.weight.data  # rounding may have swallowed a change
    save_delta(model, base, tmp_path / "delta")
    entry = config_of(tmp_path / "delta")["tensors"]["weight"]
    assert entry["encoding"] == expected
    assert entry["changed"] == mask.sum()

    values, (rows, n) = int(mask.sum()) * dtype.itemsize, row_shape(mask.shape)
    even = len(set(mask.sum(1).tolist())) == 1
    smallest = min(
        rows * n * dtype.itemsize,
        values + -(-rows * n // 8),
        values + 2 * int(mask.sum()) + (0 if even else 4 * rows) if n <= 65_536 else rows * n * 8,
    )
    file = tmp_path / "delta" / WEIGHTS_NAME
    header = 8 + int.from_bytes(file.read_bytes()[:8], "little")
    assert file.stat().st_size - header == (smallest if mask.any() else 0)
    assert_same_bits(snapshot(load_delta(base, tmp_path / "delta")), snapshot(model))


def test_a_pruned_model_costs_what_its_plan_says(tmp_path):
    for dtype in DTYPES:
        model, base = make_pair("bert", dtype)
        result = prune(model, KENConfig(density=0.25), pretrained=base)
        directory = save_delta(result.model, base, tmp_path / str(dtype))
        file = directory / WEIGHTS_NAME
        payload = file.stat().st_size - 8 - int.from_bytes(file.read_bytes()[:8], "little")
        assert 0.9 * result.plan.kept_bytes < payload <= result.plan.kept_bytes


def record(directory):
    document = config_of(directory)
    return document["method"], document["config"], document["earlier_config"]


def test_the_record_says_how_the_model_was_pruned_only_while_that_is_true(tmp_path):
    model, base = make_pair("bert")
    config = KENConfig(density=0.1, ignore=["embeddings"])
    pruned = prune(model, config, pretrained=base).model
    save_delta(pruned, base, tmp_path / "pruned")
    assert record(tmp_path / "pruned") == ("ken", config.to_dict(), None)
    card = (tmp_path / "pruned" / "README.md").read_text()
    assert "Pruned with method=ken, ignore=['embeddings'], seed=0, density=0.1" in card
    assert "has changed since" not in card

    trained = copy.deepcopy(pruned)  # as masked training does: what is kept moves, the rest stays
    with torch.no_grad():
        for name, parameter in trained.bert.named_parameters():
            parameter[parameter != base.get_parameter(name)] += 0.5
    save_delta(trained, base, tmp_path / "masked")
    assert record(tmp_path / "masked")[0] == "ken"

    weight = pruned.bert.encoder.layer[1].output.dense.weight
    at_base = (weight == base.encoder.layer[1].output.dense.weight).nonzero()[0].tolist()
    weight.data[tuple(at_base)] += 1  # one entry more than is kept
    assert_same_bits(
        {"embeddings": pruned.bert.embeddings.word_embeddings.weight},
        {"embeddings": model.bert.embeddings.word_embeddings.weight},
    )
    for options in ({}, {"config": config}):
        directory = tmp_path / f"changed {len(options)}"
        save_delta(pruned, base, directory, **options)
        assert record(directory) == (None, None, config.to_dict())
        card = (directory / "README.md").read_text()
        assert "once pruned with method=ken, ignore=['embeddings'], seed=0, density=0.1" in card
        assert "Pruned with" not in card
        assert_same_bits(snapshot(load_delta(base, directory)), snapshot(pruned))


def test_the_record_of_a_model_whose_targets_are_gone(tmp_path):
    model, base = make_pair("bert")
    config = KENConfig(density=0.1, targets=["encoder"])
    pruned = prune(model, config, pretrained=base).model
    pruned.bert.encoder.layer = torch.nn.ModuleList()
    base.encoder.layer = torch.nn.ModuleList()
    save_delta(pruned, base, tmp_path / "delta")
    assert record(tmp_path / "delta") == (None, None, config.to_dict())


def test_the_record_of_ties_and_of_other_methods_is_taken_as_given(tmp_path):
    model, base = make_pair("llama", torch.bfloat16)
    config = KENConfig(density=0.3, keep_ties=True)  # may keep any number of entries
    save_delta(prune(model, config, pretrained=base).model, base, tmp_path / "ties")
    assert record(tmp_path / "ties") == ("ken", config.to_dict(), None)
    save_delta(model, base, tmp_path / "unpruned")
    assert record(tmp_path / "unpruned") == (None, None, None)


def test_buffers_that_differ_are_stored(tmp_path):
    def network():
        return torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6))

    torch.manual_seed(0)
    base = network()
    model = network()
    model.load_state_dict(base.state_dict())
    for module in (base, model):
        module.register_buffer("seen", torch.zeros(5, dtype=torch.bool))
        module.register_buffer("empty", torch.zeros(0, 3))
        module.register_buffer("scalar", torch.tensor(1.5, dtype=torch.float64))
    model(torch.randn(8, 4))  # moves the running statistics
    model.seen[2] = True
    model.scalar += 1
    save_delta(model, base, tmp_path / "delta")
    assert_same_bits(snapshot(load_delta(base, tmp_path / "delta")), snapshot(model))
    changed = {name for name, t in config_of(tmp_path / "delta")["tensors"].items() if t["changed"]}
    assert changed == {"1.running_mean", "1.running_var", "1.num_batches_tracked", "seen", "scalar"}


def test_tensors_that_do_not_lie_in_order(tmp_path):
    base, model = linear(6, 40), linear(6, 40)
    with torch.no_grad():
        model.weight[:, 3] += 1
    for module in (base, model):
        module.weight.data = module.weight.data.t().contiguous().t()
    expected = snapshot(model)
    save_delta(model, base, tmp_path / "delta")
    assert_same_bits(snapshot(load_delta(base, tmp_path / "delta")), expected)
    restored = load_delta(base, tmp_path / "delta", inplace=True)
    assert restored is base
    assert_same_bits(snapshot(base), expected)


def test_inplace_builds_in_the_memory_of_the_base(tmp_path):
    model, base = make_pair("llama")
    save_delta(model, base, tmp_path / "delta")
    addresses = {name: t.data_ptr() for name, t in base.state_dict().items()}
    restored = load_delta(base, tmp_path / "delta", inplace=True)
    assert {name: t.data_ptr() for name, t in restored.state_dict().items()} == addresses


def test_the_files_say_what_they_are(tmp_path):
    model, base = make_pair("bert", torch.bfloat16)
    base.config._name_or_path = "someone/tiny-bert"
    result = prune(model, KENConfig(density=0.25, targets=["attention"]), pretrained=base)
    extra = tmp_path / "vocab.txt"
    extra.write_text("[PAD]\n")
    directory = save_delta(result.model, base, tmp_path / "delta", files=[extra])
    assert {p.name for p in directory.iterdir()} == {"README.md", CONFIG_NAME, WEIGHTS_NAME, "vocab.txt"}
    document = config_of(directory)
    assert document["method"] == "ken"
    assert document["config"] == KENConfig(density=0.25, targets=["attention"]).to_dict()
    assert document["base_model_name_or_path"] == "someone/tiny-bert"
    assert (document["architecture"], document["dtype"]) == ("BertForSequenceClassification", "bfloat16")
    name = "bert.encoder.layer.0.attention.self.query.weight"
    entry, source = document["tensors"][name], base.encoder.layer[0].attention.self.query.weight
    raw = source.detach().view(torch.uint8).numpy().tobytes()
    assert entry["base_sha256"] == hashlib.sha256(raw).hexdigest()
    card = (directory / "README.md").read_text()
    for words in ("base_model: someone/tiny-bert", "density=0.25", "BertForSequenceClassification"):
        assert words in card
    stored = (directory / WEIGHTS_NAME).stat().st_size
    assert f"| `{WEIGHTS_NAME}` | {stored / 1000:.1f} kB |" in card


@pytest.mark.parametrize(
    ("name", "public"),
    [
        ("someone/tiny-bert", True),
        ("gpt2", True),
        ("runs/base", False),
        ("base", False),
        ("/a/path", False),
        ("./base", False),
        ("~/base", False),
        ("a/longer/path", False),
        (None, False),
    ],
)
def test_the_card_takes_no_path_for_a_name_on_the_hub(tmp_path, monkeypatch, name, public):
    (tmp_path / "runs" / "base").mkdir(parents=True)
    (tmp_path / "base").mkdir()
    monkeypatch.chdir(tmp_path)
    model, base = make_pair("llama")
    base.config._name_or_path = name
    card = (save_delta(model, base, tmp_path / "delta") / "README.md").read_text()
    assert (f"base_model: {name}\n" in card) is public
    assert f'from_pretrained("{name if public else "BASE"}"' in card


def test_any_fine_tuned_model_has_a_delta(tmp_path):
    model, base = make_pair("llama")
    save_delta(model, base, tmp_path / "delta")
    assert config_of(tmp_path / "delta")["method"] is None
    (tmp_path / "plain").touch()
    modes = {file.stat().st_mode for file in (tmp_path / "delta").iterdir()}
    assert modes == {(tmp_path / "plain").stat().st_mode}, "as readable as any other new file"
    assert_same_bits(snapshot(load_delta(base, tmp_path / "delta")), snapshot(model))
