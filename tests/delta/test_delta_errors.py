"""What a delta refuses: another base, damaged files, half-written directories. Nothing is half-applied."""

import copy
import hashlib
import json
import os
import re
import shutil

import numpy
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from pruning_ext.delta import load_delta, prune_to_delta, save_delta
from pruning_ext.delta.file import CONFIG_NAME, WEIGHTS_NAME, checksum
from pruning_ext.pruners import KENConfig, plan, prune
from tests.tiny_models import assert_same_bits, make_pair, snapshot


def config_of(directory):
    return json.loads((directory / CONFIG_NAME).read_text())


@pytest.fixture
def written(tmp_path):
    model, base = make_pair("llama")
    pruned = prune(model, KENConfig(density=0.3), pretrained=base).model
    return save_delta(pruned, base, tmp_path / "delta"), base


def rewrite(directory, document):
    """Write a configuration whose checksum is right, as another program would."""
    document["checksum"] = checksum(document)
    (directory / CONFIG_NAME).write_text(json.dumps(document))


def refuses(directory, base, sentence, error=ValueError):
    before = snapshot(base)
    for inplace in (False, True):
        with pytest.raises(error, match=sentence) as caught:
            load_delta(base, directory, inplace=inplace)
        assert "\n" not in str(caught.value)
    assert_same_bits(snapshot(base), before)


@pytest.mark.parametrize("tensor", ["model.embed_tokens.weight", "model.layers.1.mlp.up_proj.weight"])
def test_another_base_is_refused(written, tensor):
    directory, base = written
    base.get_parameter(tensor).data.view(-1)[-1] += 1e-6
    name = re.escape(str(directory))
    refuses(directory, base, rf"base is not the one .* {name} was made from: the sha256 of {tensor} differs$")


def test_a_base_that_differs_in_many_tensors_names_the_first_and_counts_the_rest(written):
    directory, base = written
    for parameter in base.parameters():
        parameter.data += 1
    count = sum(entry["base"] is not None for entry in config_of(directory)["tensors"].values())
    first = "model.embed_tokens.weight, model.layers.0.self_attn.q_proj.weight, .*k_proj.weight"
    refuses(directory, base, rf"the sha256 of {first} and {count - 3} more differs")


def test_a_base_that_differs_only_where_nothing_was_stored_is_refused(tmp_path):
    base = torch.nn.Linear(32, 4, bias=False)
    base.weight.data.zero_()
    model = copy.deepcopy(base)
    model.weight.data[0, 0] = 1
    save_delta(model, base, tmp_path / "delta")
    base.weight.data[3, 31] = -0.0
    refuses(tmp_path / "delta", base, r"the sha256 of weight differs$")


def test_a_base_without_a_tensor_or_of_another_dtype_is_refused(written):
    directory, base = written
    refuses(directory, base.half(), r"is torch\.float16, the delta was made for torch\.float32")
    config = transformers.LlamaConfig(**base.config.to_dict() | {"num_hidden_layers": 1})
    refuses(
        directory,
        transformers.LlamaForCausalLM(config),
        r"not the one .*LlamaForCausalLM without model\.layers\.1\..* and \d more$",
    )


def test_truncated_and_altered_files_are_refused(written):
    directory, base = written
    weights = directory / WEIGHTS_NAME
    whole = weights.read_bytes()
    for content in (whole[:-1], whole[: len(whole) // 2], b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        weights.write_bytes(content)
        refuses(directory, base, r"delta_model\.safetensors is truncated or altered")
    weights.unlink()
    refuses(directory, base, r"has no delta_model\.safetensors", FileNotFoundError)
    weights.write_bytes(whole)

    config = directory / CONFIG_NAME
    text = config.read_text()
    config.write_text(text.replace('"density": 0.3', '"density": 0.4'))
    refuses(directory, base, "was altered after it was written")
    config.write_text(text[:-40])
    refuses(directory, base, "not valid JSON")
    config.unlink()
    refuses(directory, base, r"is not a delta: it has no delta_config\.json", FileNotFoundError)


def test_foreign_formats_and_versions_are_refused(written):
    directory, base = written
    document = config_of(directory)
    rewrite(directory, document | {"format": "peft"})
    refuses(directory, base, "holds format 'peft'")
    rewrite(directory, document | {"format_version": 2, "library_version": "9.0"})
    refuses(directory, base, r"format version 2 .* reads version 1.*pruning_ext 9\.0")


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("files", ..., "has nothing for files, expected an object"),
        ("generation_config", ..., "has nothing for generation_config, expected an object or null"),
        ("tensors", [], "has a list for tensors, expected an object"),
        ("architecture", None, "has null for architecture, expected a text"),
        ("base_model_prefixes", 3, "has a number for base_model_prefixes, expected a list"),
    ],
)
def test_a_configuration_that_is_not_whole_is_refused(written, field, value, sentence):
    """Its checksum is right: somebody's program wrote it so."""
    directory, base = written
    document = config_of(directory) | {field: value}
    rewrite(directory, {key: each for key, each in document.items() if each is not ...})
    refuses(directory, base, rf"delta_config\.json {sentence}$")


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (3, "is described by 3, expected an object"),
        ({"shape": "ab"}, "has shape 'ab', expected whole numbers"),
        ({"shape": [-1, 16]}, r"has shape \[-1, 16\], expected whole numbers"),
        ({"shape": [40, 16.0]}, r"has shape \[40, 16\.0\], expected whole numbers"),
        ({"shape": 3}, "is not described completely"),
        ({"tied": None}, "is not described completely"),
        ({"tied": [3]}, "has parts or ties that are no names"),
        ({"unknown": 1}, "is not described completely"),
    ],
)
def test_a_tensor_that_is_described_wrongly_is_named(written, entry, sentence):
    directory, base = written
    document = config_of(directory)
    name = "model.layers.0.mlp.up_proj.weight"
    whole = document["tensors"][name]
    document["tensors"][name] = {**whole, **entry} if isinstance(entry, dict) else entry
    rewrite(directory, document)
    refuses(directory, base, rf"^tensor {re.escape(name)} {sentence}")


def test_files_that_contradict_each_other_are_refused(written):
    directory, base = written
    document = config_of(directory)
    name = "model.layers.0.mlp.up_proj.weight"
    stored = load_file(directory / WEIGHTS_NAME)

    def store(tensors, entry):
        save_file(tensors, directory / WEIGHTS_NAME)
        digest = hashlib.sha256((directory / WEIGHTS_NAME).read_bytes()).hexdigest()
        changed = {**document, "files": {WEIGHTS_NAME: digest}}
        changed["tensors"] = {**document["tensors"], name: document["tensors"][name] | entry}
        rewrite(directory, changed)

    assert document["tensors"][name]["encoding"] == "bitmask"
    sentence = rf"tensor {name.replace('.', chr(92) + '.')} cannot be decoded"
    store(stored | {f"{name}.values": stored[f"{name}.values"][:-1]}, {})
    refuses(directory, base, sentence + ".*values for")
    store(stored | {f"{name}.bitmask": stored[f"{name}.bitmask"][:-1]}, {})
    refuses(directory, base, sentence + ".*bitmask has")
    store(stored | {f"{name}.values": stored[f"{name}.values"].half()}, {})
    refuses(directory, base, sentence + r".*torch\.float16")
    store({key: value for key, value in stored.items() if key != f"{name}.values"}, {})
    refuses(directory, base, sentence)
    store(stored, {"encoding": "columns"})
    refuses(directory, base, sentence + ".*'columns' with parts")
    store(stored, {"encoding": "zip"})
    refuses(directory, base, sentence + ".*'zip'")
    store(stored, {"dtype": "float33"})
    refuses(directory, base, "dtype 'float33'")


def test_writing_refuses_what_it_cannot_write(tmp_path):
    model, _ = make_pair("llama")
    for other, sentence in [
        (make_pair("gpt2")[1], "do not belong together"),
        (make_pair("llama", torch.float16)[1], r"torch\.float32 in model and torch\.float16 in base"),
        (make_pair("llama")[1].to("meta"), "base: tensor .* is on the meta device"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            save_delta(model, other, tmp_path / "delta")
    assert not list(tmp_path.iterdir())


def test_models_without_a_name_in_common_are_told_by_their_first_tensors(tmp_path):
    model, base = make_pair("bert")
    first = r"embeddings\.word_embeddings\.weight of shape \[53, 16\]"
    sentence = rf"the first are module\.bert\.{first} and {first}: .* or one is wrapped"
    with pytest.raises(ValueError, match=sentence):
        save_delta(torch.nn.DataParallel(model), base, tmp_path / "delta")
    with pytest.raises(ValueError, match="the first are none at all and weight of shape"):
        save_delta(torch.nn.Identity(), torch.nn.Linear(3, 2), tmp_path / "delta")
    for arguments, role in ((("a/path", base), "model"), ((model, "a/path"), "base")):
        with pytest.raises(TypeError, match=f"{role} is a str, expected a torch.nn.Module: load it first"):
            save_delta(*arguments, tmp_path / "delta")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"config": "ken"}, TypeError, "config is a str, expected a KENConfig"),
        ({"config": {"method": "ken"}}, TypeError, "config is a dict, expected a KENConfig"),
        ({"max_shard_size": 1e9}, TypeError, "max_shard_size is 1000000000.0, expected a number of bytes"),
        ({"max_shard_size": "much"}, ValueError, "max_shard_size is 'much'"),
    ],
)
def test_bad_arguments_are_told_before_the_work(tmp_path, monkeypatch, options, error, sentence):
    model, base = make_pair("llama")
    monkeypatch.setattr("pruning_ext.delta.writing.encode", lambda *_: pytest.fail("work was begun"))
    with pytest.raises(error, match=sentence):
        save_delta(model, base, tmp_path / "delta", **options)
    assert not list(tmp_path.iterdir())


def test_a_configuration_that_json_cannot_hold_is_told_before_the_work(tmp_path, monkeypatch):
    model, base = make_pair("llama")
    model.config.learning_rate = numpy.float32(0.1)
    monkeypatch.setattr("pruning_ext.delta.writing.encode", lambda *_: pytest.fail("work was begun"))
    sentence = r"the configuration of model \(LlamaForCausalLM\) cannot be stored: .*float32"
    with pytest.raises(TypeError, match=sentence):
        save_delta(model, base, tmp_path / "delta")
    with pytest.raises(TypeError, match=sentence):
        prune_to_delta(model, KENConfig(density=0.5), tmp_path / "delta", pretrained=base)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("device", ["cuda:99", "meta", "nowhere"])
def test_a_device_that_cannot_be_used_is_told_before_the_work(tmp_path, monkeypatch, device):
    model, base = make_pair("llama")
    monkeypatch.setattr(
        "pruning_ext.pruners.ken.to_delta.plan_for", lambda *_, **__: pytest.fail("work was begun")
    )
    with pytest.raises(ValueError, match=f"device is '{device}', which torch cannot use here: "):
        prune_to_delta(model, KENConfig(k=3), tmp_path / "delta", pretrained=base, device=device)
    assert not list(tmp_path.iterdir())


def test_a_delta_never_takes_the_place_of_its_base(tmp_path):
    model, base = make_pair("llama")
    base.save_pretrained(tmp_path / "base")
    base = type(base).from_pretrained(tmp_path / "base")
    before = sorted(tmp_path.rglob("*"))
    (tmp_path / "link").symlink_to(tmp_path / "base")
    for directory in (tmp_path / "base", str(tmp_path / "link")):
        with pytest.raises(FileExistsError, match="is where the base was loaded from"):
            save_delta(model, base, directory, overwrite=True)
        with pytest.raises(FileExistsError, match="is where the base was loaded from"):
            prune_to_delta(model, KENConfig(k=3), directory, pretrained=base, overwrite=True)
    (tmp_path / "link").unlink()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_path_instead_of_the_base_is_told(written):
    directory, _ = written
    with pytest.raises(TypeError, match=r"base is a str, expected a torch\.nn\.Module: load it first"):
        load_delta("a/path", directory)


def test_state_that_cannot_be_stored_is_named(tmp_path):
    class Counting(torch.nn.Linear):
        def get_extra_state(self):
            return {"calls": 3}

    sparse = torch.nn.Linear(3, 2)
    sparse.weight = torch.nn.Parameter(sparse.weight.detach().to_sparse())
    for made, sentence in [
        (Counting(3, 2), "_extra_state in its state is a dict: only tensors can be"),
        (sparse, r"tensor weight is sparse \(torch.sparse_coo\); make it dense first"),
        (torch.nn.LazyLinear(2), "tensor weight has no shape yet; run a batch through its lazy module"),
    ]:
        with pytest.raises(ValueError, match=f"model: {sentence}"):
            save_delta(made, torch.nn.Linear(3, 2), tmp_path / "delta")
        with pytest.raises(ValueError, match=f"pretrained: {sentence}"):
            plan(torch.nn.Linear(3, 2), KENConfig(density=0.5), pretrained=made)
    assert not list(tmp_path.iterdir())


def test_an_existing_directory_is_replaced_only_when_asked(written):
    directory, base = written
    model, _ = make_pair("llama")
    first = config_of(directory)
    with pytest.raises(FileExistsError, match="exists and is not empty"):
        save_delta(model, base, directory)
    assert config_of(directory) == first
    save_delta(model, base, directory, overwrite=True)
    assert_same_bits(snapshot(load_delta(base, directory)), snapshot(model))
    assert [p.name for p in directory.parent.iterdir()] == ["delta"]


@pytest.mark.parametrize("step", ["write", "rename"])
def test_a_failure_half_way_leaves_the_old_directory(written, monkeypatch, step):
    directory, base = written
    model, _ = make_pair("llama")
    first = {file.name: file.read_bytes() for file in directory.iterdir()}
    rename = os.rename

    def failing(source, *target):
        if step == "write" or str(source).endswith(".tmp"):
            raise OSError("disk full")
        rename(source, *target)

    monkeypatch.setattr("pruning_ext.delta.writing.write_card" if step == "write" else "os.rename", failing)
    with pytest.raises(OSError, match="disk full"):
        save_delta(model, base, directory, overwrite=True)
    assert {file.name: file.read_bytes() for file in directory.iterdir()} == first
    assert [p.name for p in directory.parent.iterdir()] == ["delta"]


def test_a_directory_can_be_moved(written, tmp_path):
    directory, base = written
    expected = snapshot(load_delta(base, directory))
    shutil.move(directory, tmp_path / "elsewhere")
    assert_same_bits(snapshot(load_delta(base, tmp_path / "elsewhere")), expected)
