"""Restoring straight into files: the ones save_pretrained writes of the restored model, in little memory."""

import copy
import itertools
import json
import re
import subprocess
import sys

import pytest
import torch
import transformers
from safetensors import safe_open

from pruning_ext import KENConfig, apply_delta, load_delta, prune, save_delta
from pruning_ext.delta import stored_form
from pruning_ext.delta.file import WEIGHTS_NAME
from tests.tiny_models import DTYPES, FAMILIES, assert_same_bits, make_pair, snapshot

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
WORDS = {"vocab_size": 53, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
# transformers 5 stores these in other pieces than it holds them: experts one by one, projections as one.
IN_PIECES = {
    "mixtral": ("MixtralForCausalLM", {**SIZES, **WORDS, "num_key_value_heads": 2, "num_local_experts": 3}),
    "dinov2": ("Dinov2Model", {**SIZES, "use_swiglu_ffn": True, "image_size": 8, "patch_size": 4}),
}

# Three and more names for one tensor; positions that are computed, and so never stored.
SIDES = ("encoder", "decoder")
ENTANGLED = {
    "t5": ("T5ForConditionalGeneration", {**WORDS, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 1}),
    "marian": (
        "MarianMTModel",
        {**WORDS, "d_model": 16, "decoder_start_token_id": 0, "max_position_embeddings": 20}
        | {f"{side}_{what}": 2 for side in SIDES for what in ("layers", "attention_heads", "ffn_dim")},
    ),
}


def content(directory):
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def saved(model, directory, max_shard_size=None):
    model.save_pretrained(directory, **({"max_shard_size": max_shard_size} if max_shard_size else {}))
    return content(directory)


def moved(model):
    """A copy with another value in every second entry of each parameter but the first and the fixed ones."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in [each for each in model.parameters() if each.requires_grad][1:]:
            parameter.view(-1)[::2] += 0.5
    return model


def read(directory):
    """All tensors in the safetensors files of a directory."""
    found = {}
    for path in directory.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            found |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return found


@pytest.mark.parametrize("from_files", [False, True])
@pytest.mark.parametrize("limit", [None, "10KB"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_directory_is_that_of_loading_and_saving(tmp_path, family, dtype, limit, from_files):
    """Byte for byte: tied embeddings, a new head, half types; bases in memory and in several files."""
    model, base = make_pair(family, dtype)
    if from_files:
        base.save_pretrained(tmp_path / "base", max_shard_size="10KB")
        base = type(base).from_pretrained(tmp_path / "base", dtype="auto")
    before, settings = snapshot(base), base.config.to_dict()
    pruned = prune(model, KENConfig(density=0.3), pretrained=base).model
    save_delta(pruned, base, tmp_path / "delta", max_shard_size=3000)
    expected = saved(load_delta(base, tmp_path / "delta"), tmp_path / "expected", limit)

    assert apply_delta(base, tmp_path / "delta", tmp_path / "out", max_shard_size=limit) == tmp_path / "out"
    assert content(tmp_path / "out") == expected
    assert_same_bits(snapshot(base), before)
    assert base.config.to_dict() == settings
    restored = type(model).from_pretrained(tmp_path / "out", dtype="auto")
    assert_same_bits(snapshot(restored), snapshot(pruned))


@pytest.mark.parametrize("reconfigured", [False, True])
@pytest.mark.parametrize("family", ENTANGLED)
def test_many_names_for_one_tensor_and_tensors_that_are_not_stored(tmp_path, family, reconfigured):
    """Also where the base has another configuration, so that it cannot lend its ties."""
    name, sizes = ENTANGLED[family]
    kind = getattr(transformers, name)
    torch.manual_seed(0)
    base = kind(kind.config_class(**sizes)).eval()
    tuned = moved(base)
    if reconfigured:
        tuned.config.problem_type = "regression"
    save_delta(tuned, base, tmp_path / "delta")
    expected = saved(load_delta(base, tmp_path / "delta"), tmp_path / "expected")
    assert len(read(tmp_path / "expected")) < len(tuned.state_dict()) - 1
    apply_delta(base, tmp_path / "delta", tmp_path / "out")
    assert content(tmp_path / "out") == expected
    assert_same_bits(snapshot(kind.from_pretrained(tmp_path / "out")), snapshot(tuned))


@pytest.mark.parametrize("from_files", [False, True])
@pytest.mark.parametrize("family", IN_PIECES)
def test_tensors_that_are_stored_in_other_pieces(tmp_path, family, from_files):
    name, sizes = IN_PIECES[family]
    kind = getattr(transformers, name)
    torch.manual_seed(0)
    base = kind(kind.config_class(**sizes)).eval()
    if from_files:
        base.save_pretrained(tmp_path / "base")
        base = kind.from_pretrained(tmp_path / "base")
    save_delta(moved(base), base, tmp_path / "delta")
    expected = saved(load_delta(base, tmp_path / "delta"), tmp_path / "expected", "5KB")
    apply_delta(base, tmp_path / "delta", tmp_path / "out", max_shard_size="5KB")
    found, wanted = read(tmp_path / "out"), read(tmp_path / "expected")
    assert_same_bits(dict(sorted(found.items())), dict(sorted(wanted.items())))
    assert len(expected) > 3, "several files"
    restored = kind.from_pretrained(tmp_path / "out", dtype="auto")
    assert_same_bits(snapshot(restored), snapshot(moved(base)))


@pytest.mark.skipif(
    stored_form.revert_weight_conversion is None, reason="transformers 4 stores tensors as it holds them"
)
def test_what_is_stored_together_is_restored_together():
    """Experts are cut from one tensor of a layer; gate and up are joined from two."""
    largest = {}
    for family, (name, sizes) in IN_PIECES.items():
        kind = getattr(transformers, name)
        model = kind(kind.config_class(**sizes))
        state = {name: tensor.to("meta") for name, tensor in model.state_dict().items()}
        groups = stored_form.parts(model, state)
        assert sorted(itertools.chain(*groups)) == sorted(state)
        assert stored_form.stored_outline(model, state).keys() != state.keys(), "or nothing was tried"
        largest[family] = max(groups, key=len)
    assert len(largest["mixtral"]) == 1
    layer = {re.match(r".*layers?\.\d+\.", name)[0] for name in largest["dinov2"]}
    assert len(layer) == 1


def test_settings_for_generation_and_further_files_come_along(tmp_path):
    model, base = make_pair("gpt2")
    model.generation_config.max_new_tokens = 17
    save_delta(model, base, tmp_path / "delta")
    (tmp_path / "vocab.txt").write_text("[PAD]\n")
    apply_delta(base, tmp_path / "delta", tmp_path / "out", files=[tmp_path / "vocab.txt"])
    restored = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert restored.generation_config.max_new_tokens == 17
    assert base.generation_config.max_new_tokens is None
    assert restored.lm_head.weight is restored.transformer.wte.weight
    assert (tmp_path / "out" / "vocab.txt").read_text() == "[PAD]\n"


def test_a_head_that_was_untied_in_fine_tuning_is_stored(tmp_path):
    tied, base = make_pair("gpt2")
    config = transformers.GPT2Config.from_dict(base.config.to_dict() | {"tie_word_embeddings": False})
    model = transformers.GPT2LMHeadModel(config)
    model.load_state_dict(tied.state_dict())
    model.lm_head.weight.data += 1
    save_delta(model, base, tmp_path / "delta")
    apply_delta(base, tmp_path / "delta", tmp_path / "out")
    restored = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "out")
    assert_same_bits(snapshot(restored), snapshot(model))


def test_what_load_delta_refuses_is_refused_in_the_same_sentence(tmp_path):
    model, base = make_pair("bert")
    pruned = prune(model, KENConfig(density=0.3), pretrained=base).model
    directory = save_delta(pruned, base, tmp_path / "delta")
    other = copy.deepcopy(base)
    other.embeddings.word_embeddings.weight.data[0, 0] += 1
    narrow = transformers.BertModel(type(base.config)(**base.config.to_dict() | {"hidden_size": 32}))

    def refused(base):
        sentences = []
        for call in (
            lambda: load_delta(base, directory),
            lambda: apply_delta(base, directory, tmp_path / "out"),
        ):
            with pytest.raises((ValueError, FileNotFoundError)) as caught:
                call()
            sentences.append((caught.type, str(caught.value)))
        assert sentences[0] == sentences[1]
        assert not (tmp_path / "out").exists()
        return sentences[0][1]

    assert "the sha256 of embeddings.word_embeddings.weight differs" in refused(other)
    assert "BertModel without embeddings.word_embeddings.weight of shape [53, 16]" in refused(narrow)
    assert "is torch.float16, the delta was made for torch.float32" in refused(copy.deepcopy(base).half())
    assert "is on the meta device" in refused(copy.deepcopy(base).to("meta"))
    weights = directory / WEIGHTS_NAME
    weights.write_bytes(weights.read_bytes()[:-1])
    assert "is truncated or altered" in refused(base)
    weights.unlink()
    assert f"has no {WEIGHTS_NAME}" in refused(base)
    assert [path.name for path in tmp_path.iterdir()] == ["delta"]


def test_the_base_inside_a_compiled_one_is_taken(tmp_path):
    model, base = make_pair("bert")
    pruned = prune(model, KENConfig(density=0.3), pretrained=base).model
    save_delta(pruned, base, tmp_path / "delta")
    compiled = torch.compile(base)
    assert_same_bits(snapshot(load_delta(compiled, tmp_path / "delta")), snapshot(pruned))
    apply_delta(compiled, tmp_path / "delta", tmp_path / "out")
    assert_same_bits(snapshot(type(model).from_pretrained(tmp_path / "out")), snapshot(pruned))


def test_what_is_no_transformers_model_is_left_to_load_delta(tmp_path):
    torch.manual_seed(0)
    base = torch.nn.Linear(4, 6)
    save_delta(moved(base), base, tmp_path / "delta")
    with pytest.raises(TypeError, match="base is a Linear, expected a transformers model: load_delta"):
        apply_delta(base, tmp_path / "delta", tmp_path / "out")


@pytest.mark.parametrize("limit", [0, -1, "much", "5 apples"])
def test_a_size_of_files_that_is_none_is_refused_before_any_work(tmp_path, limit):
    with pytest.raises(ValueError, match=re.escape(f"max_shard_size is {limit!r}, expected a number of")):
        apply_delta(make_pair("bert")[1], tmp_path / "nowhere", tmp_path / "out", max_shard_size=limit)


def test_an_existing_directory_is_replaced_only_when_asked_and_only_by_a_whole_one(tmp_path):
    model, base = make_pair("llama")
    save_delta(model, base, tmp_path / "delta")
    saved(base, tmp_path / "out")
    before = content(tmp_path / "out")
    with pytest.raises(FileExistsError, match="exists and is not empty"):
        apply_delta(base, tmp_path / "delta", tmp_path / "out")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.txt"):
        apply_delta(
            base, tmp_path / "delta", tmp_path / "out", overwrite=True, files=[tmp_path / "nowhere.txt"]
        )
    assert content(tmp_path / "out") == before
    apply_delta(base, tmp_path / "delta", tmp_path / "out", overwrite=True)
    restored = type(model).from_pretrained(tmp_path / "out")
    assert_same_bits(snapshot(restored), snapshot(model))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["delta", "out"]


MEMORY = """
import sys, torch, transformers
from pruning_ext import apply_delta
from pruning_ext.bench.memory import peak_own_memory

torch.set_num_threads(1)
base = transformers.LlamaForCausalLM.from_pretrained(sys.argv[1], dtype="auto")
print(peak_own_memory(lambda: apply_delta(base, sys.argv[2], sys.argv[3])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="tells memory of its own from mapped files by /proc")
@pytest.mark.parametrize("kind", ["LlamaForCausalLM", "LlamaForSequenceClassification"])
def test_a_base_on_disk_needs_the_memory_of_a_tensor(tmp_path, kind):
    """A model of 63 MB in one file, its largest tensor 2 MB: memory of its own must not grow by a model."""
    config = transformers.LlamaConfig(
        vocab_size=1000,
        hidden_size=512,
        intermediate_size=1024,
        num_hidden_layers=6,
        num_attention_heads=8,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    base = transformers.LlamaForCausalLM(config)
    base.save_pretrained(tmp_path / "base", max_shard_size="20MB")
    tuned = getattr(transformers, kind)(config)
    tuned.load_state_dict(base.state_dict(), strict=False)
    tuned = moved(tuned)
    save_delta(tuned, base, tmp_path / "delta", max_shard_size=10_000_000)
    script = [sys.executable, "-c", MEMORY, *(str(tmp_path / name) for name in ("base", "delta", "out"))]
    run = subprocess.run(script, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    peak, size = int(run.stdout), sum(p.nbytes for p in tuned.parameters())
    print(f"{peak / 1e6:.0f} MB beside a model of {size / 1e6:.0f} MB")
    assert len(list((tmp_path / "base").glob("*.safetensors"))) > 2
    assert len(list((tmp_path / "delta").glob("*.safetensors"))) > 2
    assert json.loads((tmp_path / "out" / "config.json").read_text())["architectures"] == [kind]
    restored = getattr(transformers, kind).from_pretrained(tmp_path / "out")
    assert_same_bits(snapshot(restored), snapshot(tuned))
    assert peak < 0.3 * size


def test_further_files_never_take_the_place_of_the_models(tmp_path):
    model, base = make_pair("llama")
    save_delta(model, base, tmp_path / "delta")
    for name in ("config.json", "model.safetensors", "merges.txt"):
        (tmp_path / name).write_text("mine")
    for name in ("config.json", "model.safetensors"):
        with pytest.raises(ValueError, match=rf"files: .* would take the place of the {name} that"):
            apply_delta(base, tmp_path / "delta", tmp_path / "out", files=[tmp_path / name])
    with pytest.raises(FileNotFoundError, match=r"files: there is no file absent\.json"):
        apply_delta(base, tmp_path / "delta", tmp_path / "out", files=["absent.json"])
    assert not (tmp_path / "out").exists()
    apply_delta(base, tmp_path / "delta", tmp_path / "out", files=[str(tmp_path / "merges.txt")])
    assert (tmp_path / "out" / "merges.txt").read_text() == "mine"


@pytest.mark.parametrize("same", [True, False])
def test_published_generation_settings_are_restored_however_strict_their_check_is(same, tmp_path):
    """vicuna's: transformers finds fault with them, and saves them all the same as they were loaded."""
    config = transformers.LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2
    )
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path / "base")
    settings = {"temperature": 0.9, "top_p": 0.6, "eos_token_id": 2}
    (tmp_path / "base" / "generation_config.json").write_text(json.dumps(settings))
    base, tuned = (transformers.LlamaForCausalLM.from_pretrained(tmp_path / "base") for _ in range(2))
    with torch.no_grad():
        for parameter in tuned.parameters():
            parameter.add_(0.01)
    try:
        tuned.save_pretrained(tmp_path / "saved")
    except ValueError as error:
        pytest.skip(f"this transformers does not save them itself: {error}")
    save_delta(tuned, base, tmp_path / "delta")
    if not same:
        base.generation_config = transformers.GenerationConfig()
    apply_delta(base, tmp_path / "delta", tmp_path / "restored")
    load_delta(base, tmp_path / "delta").save_pretrained(tmp_path / "loaded")
    saved = json.loads((tmp_path / "saved" / "generation_config.json").read_text())
    for name in ("restored", "loaded"):
        assert json.loads((tmp_path / name / "generation_config.json").read_text()) == saved
