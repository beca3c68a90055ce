"""What the command says of models that are not there, or not the right ones."""

import json

import pytest
import torch
import transformers
from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled
from safetensors.torch import load_file, save_file

from pruning_ext.cli import main
from pruning_ext.delta import save_delta
from pruning_ext.models.checkpoint import HUB_SECONDS, check_model
from tests.tiny_models import assert_same_bits, make_pair, snapshot


def run(*args, expect=0):
    assert main([str(arg) for arg in args]) == expect


def ken_in(folder):
    """`ken` of the two models in ``folder``."""
    return "ken", folder / "finetuned", folder / "pretrained", "--density", 0.5, "-o", folder / "out"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (ConnectionError("Name or service not known"), "cannot be asked: Name or service not known"),
        (OfflineModeIsEnabled("a long story"), "cannot be asked: HF_HUB_OFFLINE is set"),
        (HFValidationError("bad name"), "no model of that name on the hub"),
    ],
)
def test_a_name_that_is_no_directory_is_asked_for_once(tmp_path, capsys, monkeypatch, answer, sentence):
    """By one request, before anything is loaded; the client's own way is to try six times."""
    make_pair("bert")[0].save_pretrained(tmp_path / "finetuned")
    capsys.readouterr()
    asked = []

    def model_info(self, name, **options):
        asked.append((name, options))
        raise answer

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", model_info)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr("pruning_ext.cli.ken.load_model", lambda *_, **__: pytest.fail("loaded a model"))
    run("ken", tmp_path / "finetuned", "nosuch", "--density", 0.5, "-o", tmp_path / "delta", expect=1)
    error = capsys.readouterr().err
    assert error.startswith("pruning-ext: error: there is no directory nosuch, and ")
    assert "names look like owner/name" in error
    assert sentence in error
    assert error.count("\n") == 1
    assert asked == [("nosuch", {"timeout": HUB_SECONDS})]


def test_what_lies_in_the_hubs_cache_is_not_asked_for(monkeypatch):
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: pytest.fail("asked the hub"))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: "config.json")
    check_model("owner/name")


@pytest.mark.parametrize("command", ["ken", "plan ken", "mi", "plan mi"])
def test_quantized_models_are_refused_before_a_weight_is_read(tmp_path, capsys, command):
    (tmp_path / "texts.txt").write_text("text")
    for role, model in zip(("finetuned", "pretrained"), make_pair("llama"), strict=True):
        model.save_pretrained(tmp_path / role)
        config = json.loads((tmp_path / role / "config.json").read_text())
        config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
        (tmp_path / role / "config.json").write_text(json.dumps(config))
        (tmp_path / role / "model.safetensors").write_bytes(b"never read")
    texts = ("--ratio", 0.5, "--calibration", tmp_path / "texts.txt")
    options = (tmp_path / "pretrained", "--density", 0.5) if "ken" in command else texts
    capsys.readouterr()
    run(*command.split(), tmp_path / "finetuned", *options, "-o", tmp_path / "out", expect=1)
    error = capsys.readouterr().err
    assert error.startswith(
        f"pruning-ext: error: {tmp_path / 'finetuned'} is quantized (bitsandbytes): pruning "
    )
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_file_that_ends_too_early_is_named(tmp_path, capsys):
    """One of several: which one, the library does not say."""
    for role, model in zip(("finetuned", "pretrained"), make_pair("bert"), strict=True):
        model.save_pretrained(tmp_path / role, max_shard_size="10KB")
    shard = sorted((tmp_path / "finetuned").glob("*.safetensors"))[1]
    shard.write_bytes(shard.read_bytes()[:-7])
    capsys.readouterr()
    run(
        "ken",
        tmp_path / "finetuned",
        tmp_path / "pretrained",
        "--density",
        0.5,
        "-o",
        tmp_path / "out",
        expect=1,
    )
    error = capsys.readouterr().err
    assert error.startswith(f"pruning-ext: error: {shard} is damaged or not complete: ")
    assert error.count("\n") == 1


def test_a_damaged_file_of_torchs_format_is_one_sentence(tmp_path, capsys):
    model, base = make_pair("bert")
    base.save_pretrained(tmp_path / "pretrained")
    model.save_pretrained(tmp_path / "finetuned")
    (tmp_path / "finetuned" / "model.safetensors").unlink()
    file = tmp_path / "finetuned" / "pytorch_model.bin"
    torch.save(model.state_dict(), file)
    run(*ken_in(tmp_path))
    file.write_bytes(file.read_bytes()[:-900])
    capsys.readouterr()
    run(*ken_in(tmp_path), "--overwrite", expect=1)
    error = capsys.readouterr().err
    assert error.startswith(f"pruning-ext: error: {file} is damaged or not complete: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("kind", ["mymodel", "llama"])
def test_code_that_comes_with_a_model_is_not_run_and_nobody_is_asked(tmp_path, capsys, monkeypatch, kind):
    """A type that transformers knows needs none."""
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked on the terminal"))
    for role, model in zip(("finetuned", "pretrained"), make_pair("llama"), strict=True):
        model.save_pretrained(tmp_path / role)
        config = json.loads((tmp_path / role / "config.json").read_text())
        config |= {"model_type": kind, "auto_map": {"AutoConfig": "configuration_my.MyConfig"}}
        (tmp_path / role / "config.json").write_text(json.dumps(config))
        (tmp_path / role / "configuration_my.py").write_text("raise SystemExit('code ran')")
    capsys.readouterr()
    run(*ken_in(tmp_path), expect=0 if kind == "llama" else 1)
    error = capsys.readouterr().err
    if kind == "mymodel":
        assert error.startswith(
            f"pruning-ext: error: {tmp_path / 'finetuned'} needs code of its own, which this command "
            "does not run: load it in Python"
        )
        assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ("llama", "is a model of type 'llama', not 'bert'"),
        ("deeper", None),  # it has all that the delta builds on, and more: the same result
        ("wider", "BertModel without embeddings.word_embeddings.weight of shape [53, 16], "),
        ("headless", "has no pooler.dense.weight"),
    ],
)
def test_a_base_of_another_shape_is_told_by_what_it_is_and_lacks(tmp_path, capsys, other, sentence):
    model, base = make_pair("bert")
    model.save_pretrained(tmp_path / "finetuned")
    base.save_pretrained(tmp_path / "pretrained")
    run("ken", tmp_path / "finetuned", tmp_path / "pretrained", "--density", 0.5, "-o", tmp_path / "delta")
    config = base.config.to_dict()
    made = {
        "llama": lambda: make_pair("llama")[1],
        "deeper": lambda: transformers.BertModel(type(base.config)(**config | {"num_hidden_layers": 3})),
        "wider": lambda: transformers.BertModel(type(base.config)(**config | {"hidden_size": 32})),
        "headless": lambda: transformers.BertModel(base.config, add_pooling_layer=False),
    }[other]()
    made.load_state_dict(
        {**made.state_dict(), **base.state_dict()} if other == "deeper" else made.state_dict()
    )
    made.save_pretrained(tmp_path / "other")
    capsys.readouterr()
    run("apply", tmp_path / "other", tmp_path / "delta", "-o", tmp_path / "out", expect=int(bool(sentence)))
    error = capsys.readouterr().err
    if sentence:
        assert error.startswith("pruning-ext: error: base is not the one that the delta in")
        assert sentence in error
        assert "--base-class" not in error
        assert not (tmp_path / "out").exists()


def test_another_class_is_advised_where_it_helps(tmp_path, capsys):
    """The base was in memory with a head of its own; its files have none, and the delta needs none."""
    model, base = make_pair("bert")
    headed = transformers.BertForMaskedLM(base.config)
    headed.bert.load_state_dict(
        {k: v for k, v in base.state_dict().items() if "pooler" not in k}, strict=True
    )
    save_delta(model, headed, tmp_path / "delta")
    base.save_pretrained(tmp_path / "base")
    capsys.readouterr()
    run("apply", tmp_path / "base", tmp_path / "delta", "-o", tmp_path / "out", expect=2)
    assert "which would be random: pass --base-class" in capsys.readouterr().err
    run("apply", tmp_path / "base", tmp_path / "delta", "--base-class", "BertModel", "-o", tmp_path / "out")
    assert_same_bits(snapshot(type(model).from_pretrained(tmp_path / "out")), snapshot(model))


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("command", ["ken", "mi"])
def test_what_the_files_hold_beyond_the_model_is_told(tmp_path, capsys, command, sharded):
    """A value head that the class does not know, and norms in float32 that are loaded as bfloat16."""
    model, base = make_pair("llama")
    base.bfloat16().save_pretrained(tmp_path / "pretrained")
    model.bfloat16().save_pretrained(tmp_path / "finetuned", max_shard_size="10KB" if sharded else "1GB")
    file = sorted((tmp_path / "finetuned").glob("*.safetensors"))[-1]
    tensors = load_file(file)
    norms = [name for name in tensors if name.endswith("norm.weight")]
    tensors |= {name: tensors[name].float() for name in norms} | {"v_head.weight": torch.ones(1, 16)}
    save_file(tensors, file, metadata={"format": "pt"})
    if sharded:
        index = file.parent / "model.safetensors.index.json"
        listed = json.loads(index.read_text())
        listed["weight_map"]["v_head.weight"] = file.name
        index.write_text(json.dumps(listed))
    kept = ("--selection", "random", "--compensation", "none")
    options = {
        "ken": (tmp_path / "pretrained", "--density", 0.5),
        "mi": ("--ratio", 0.34, "--round-to", 4, *kept),
    }
    capsys.readouterr()
    run(command, tmp_path / "finetuned", *options[command], "-o", tmp_path / "out")
    first, second = capsys.readouterr().err.splitlines()
    assert first == (
        f"pruning-ext: warning: {tmp_path / 'finetuned'} holds tensors that a LlamaForCausalLM does not "
        "have, and neither will the result: v_head.weight"
    )
    assert second.startswith(f"pruning-ext: warning: {tmp_path / 'finetuned'} holds tensors of another dtype")
    assert norms[0] in second
    assert "bfloat16" in second


def test_a_model_without_other_tensors_is_not_warned_of(tmp_path, capsys):
    model, base = make_pair("llama")
    model.save_pretrained(tmp_path / "finetuned")
    base.save_pretrained(tmp_path / "pretrained")
    capsys.readouterr()
    run("ken", tmp_path / "finetuned", tmp_path / "pretrained", "--density", 0.5, "-o", tmp_path / "out")
    assert capsys.readouterr().err == ""
