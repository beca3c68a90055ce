"""Pruning straight into a delta: the same directory as in two steps, in several files, in little memory."""

import copy
import itertools
import json
import subprocess
import sys

import pytest
import safetensors
import torch
import transformers

from pruning_ext import KENConfig, MIConfig, load_delta, plan, prune, prune_to_delta, save_delta
from pruning_ext.choices.criteria import CRITERIA
from pruning_ext.delta.file import CONFIG_NAME, WEIGHTS_NAME
from pruning_ext.pruners import PruningWarning
from tests.tiny_models import DTYPES, FAMILIES, assert_same_bits, make_pair, snapshot


def content(directory):
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def tensors_of(directory):
    return json.loads((directory / CONFIG_NAME).read_text())["tensors"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_directory_is_that_of_pruning_and_saving(tmp_path, family, dtype):
    model, base = make_pair(family, dtype)
    before, base_before = snapshot(model), snapshot(base)
    config = KENConfig(density=0.3, ignore=[r"re:.*\.0\..*"])
    result = prune_to_delta(model, config, tmp_path / "one", pretrained=base)
    assert_same_bits(snapshot(model), before)
    assert_same_bits(snapshot(base), base_before)
    assert not hasattr(model, "pruning_config")

    pruned = prune(model, config, pretrained=base)
    save_delta(pruned.model, base, tmp_path / "two")
    assert content(result.directory) == content(tmp_path / "two")
    assert result.bytes == (tmp_path / "two" / WEIGHTS_NAME).stat().st_size
    assert result.plan == pruned.plan
    assert result.report | {"seconds": 0} == pruned.report | {"seconds": 0}
    assert_same_bits(snapshot(load_delta(base, result.directory)), snapshot(pruned.model))


@pytest.mark.parametrize("on", ["weight", "delta"])
@pytest.mark.parametrize("criterion", CRITERIA.names)
def test_every_criterion_scored_on_a_named_device(tmp_path, criterion, on):
    """Nothing but a CPU may be here; naming it must not change what is kept."""
    model, base = make_pair("llama")
    config = KENConfig(k=5, criterion=criterion, on=on, seed=3)
    prune_to_delta(model, config, tmp_path / "named", pretrained=base, device="cpu")
    save_delta(prune(model, config, pretrained=base).model, base, tmp_path / "two")
    assert content(tmp_path / "named") == content(tmp_path / "two")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_rows_scored_on_a_gpu_leave_the_same_delta(tmp_path):
    model, base = make_pair("llama")
    config = KENConfig(density=0.3)
    prune_to_delta(model, config, tmp_path / "cpu", pretrained=base)
    prune_to_delta(model, config, tmp_path / "cuda", pretrained=base, device="cuda")
    assert content(tmp_path / "cpu") == content(tmp_path / "cuda")


def test_a_plan_made_earlier_is_followed(tmp_path):
    model, base = make_pair("gpt2")
    made = plan(model, KENConfig(density=0.3), pretrained=base)
    made.save(tmp_path / "plan.json")
    result = prune_to_delta(model, type(made).load(tmp_path / "plan.json"), tmp_path / "one", pretrained=base)
    prune_to_delta(model, made.config, tmp_path / "two", pretrained=base)
    assert content(result.directory) == content(tmp_path / "two")
    other, other_base = make_pair("llama")
    with pytest.raises(ValueError, match="the plan was made for GPT2LMHeadModel"):
        prune_to_delta(other, made, tmp_path / "three", pretrained=other_base)
    assert not (tmp_path / "three").exists()


def test_compiled_models_are_the_models_inside(tmp_path):
    """As for plan, prune and load_delta; nothing is compiled before a first call."""
    model, base = make_pair("bert")
    config = KENConfig(density=0.3)
    for number, (ours, theirs) in enumerate(
        [(model, base), (torch.compile(model), base), (model, torch.compile(base))]
    ):
        prune_to_delta(ours, config, tmp_path / f"{number}", pretrained=theirs)
        pruned = prune(model, config, pretrained=base).model
        pruned = torch.compile(pruned) if ours is not model else pruned
        save_delta(pruned, theirs, tmp_path / f"{number} saved")
        assert content(tmp_path / f"{number}") == content(tmp_path / "0")
        assert content(tmp_path / f"{number} saved") == content(tmp_path / "0")


def test_further_files_are_copied_under_their_names(tmp_path):
    model, base = make_pair("llama")
    (tmp_path / "blob").write_text("vocabulary")
    (tmp_path / "tokenizer.json").symlink_to(tmp_path / "blob")  # as in the hub's cache
    (tmp_path / "merges.txt").write_text("merges")
    files = (str(tmp_path / "tokenizer.json"), tmp_path / "merges.txt")
    save_delta(model, base, tmp_path / "saved", files=iter(files))
    prune_to_delta(model, KENConfig(density=0.3), tmp_path / "pruned", pretrained=base, files=iter(files))
    for directory in (tmp_path / "saved", tmp_path / "pruned"):
        assert (directory / "tokenizer.json").read_text() == "vocabulary"
        assert not (directory / "tokenizer.json").is_symlink()
        assert (directory / "merges.txt").read_text() == "merges"


@pytest.mark.parametrize(
    ("names", "error", "sentence"),
    [
        (["delta_config.json"], ValueError, "take the place of the delta_config.json that is written"),
        (["README.md"], ValueError, "take the place of the README.md"),
        (["delta_model-00001-of-00002.safetensors"], ValueError, "take the place of the delta_model-00001"),
        (["tokenizer.json", "inner/tokenizer.json"], ValueError, "tokenizer.json and .* have one name"),
        (["absent.json"], FileNotFoundError, "files: there is no file .*absent.json"),
        (["inner"], FileNotFoundError, "files: there is no file .*inner"),
        (
            "tokenizer.json",
            TypeError,
            r"files is the path '.*tokenizer.json', expected several: give \[path\]",
        ),
        ([3], TypeError, "files holds 3, expected paths"),
    ],
)
def test_files_that_cannot_be_copied_are_told_before_the_work(tmp_path, monkeypatch, names, error, sentence):
    folder = tmp_path / "files"
    (folder / "inner").mkdir(parents=True)
    for name in (
        "delta_config.json",
        "README.md",
        "delta_model-00001-of-00002.safetensors",
        "tokenizer.json",
    ):
        (folder / name).write_text("{}")
    (folder / "inner" / "tokenizer.json").write_text("{}")
    files = folder / names if isinstance(names, str) else [folder / n if n != 3 else n for n in names]
    model, base = make_pair("llama")
    monkeypatch.setattr("pruning_ext.delta.writing.encode", lambda *_: pytest.fail("work was begun"))
    with pytest.raises(error, match=sentence):
        save_delta(model, base, tmp_path / "delta", files=files)
    with pytest.raises(error, match=sentence):
        prune_to_delta(model, KENConfig(density=0.3), tmp_path / "delta", pretrained=base, files=files)
    assert [path.name for path in tmp_path.iterdir()] == ["files"]


@pytest.mark.parametrize("limit", [1, 500, 3000])
def test_a_large_delta_is_cut_into_files(tmp_path, limit):
    model, base = make_pair("bert")
    config = KENConfig(density=0.3)
    pruned = prune(model, config, pretrained=base).model
    result = prune_to_delta(model, config, tmp_path / "delta", pretrained=base, max_shard_size=limit)
    save_delta(pruned, base, tmp_path / "saved", max_shard_size=limit)
    assert content(result.directory) == content(tmp_path / "saved")

    files = sorted(result.directory.glob("*.safetensors"))
    count = len(files)
    assert [f.name for f in files] == [
        f"delta_model-{i + 1:05}-of-{count:05}.safetensors" for i in range(count)
    ]
    assert count > 1
    assert result.bytes == sum(file.stat().st_size for file in files)
    owner = {
        name + part: name for name, entry in tensors_of(result.directory).items() for part in entry["parts"]
    }
    sizes = []
    for file in files:
        with safetensors.safe_open(file, "pt") as opened:
            parts = {name: opened.get_tensor(name).nbytes for name in opened.keys()}  # noqa: SIM118
        sizes.append(sum(parts.values()))
        assert sizes[-1] <= limit or len({owner[name] for name in parts}) == 1
    assert all(one + other > limit for one, other in itertools.pairwise(sizes)), "fewer would have done"
    assert_same_bits(snapshot(load_delta(base, result.directory)), snapshot(pruned))
    assert f"`{files[0].name}` to `{files[-1].name}`" in (result.directory / "README.md").read_text()


def test_a_missing_or_altered_file_of_several_is_named(tmp_path):
    model, base = make_pair("bert")
    directory = save_delta(model, base, tmp_path / "delta", max_shard_size=3000)
    second = sorted(directory.glob("*.safetensors"))[1]
    whole = second.read_bytes()
    second.write_bytes(whole[:-1] + b"x")
    with pytest.raises(ValueError, match=f"{second.name} is truncated or altered"):
        load_delta(base, directory)
    second.unlink()
    with pytest.raises(FileNotFoundError, match=f"has no {second.name}"):
        load_delta(base, directory)
    second.write_bytes(whole)
    assert_same_bits(snapshot(load_delta(base, directory)), snapshot(model))


def test_what_cannot_be_done_is_refused_and_leaves_nothing(tmp_path):
    model, base = make_pair("llama")
    keep = KENConfig(density=0.5)
    with pytest.raises(TypeError, match=r"config is a MIConfig, expected a KENConfig"):
        prune_to_delta(model, MIConfig(ratio=0.5), tmp_path / "delta", pretrained=base)
    with pytest.raises(TypeError, match="model is a str"):
        prune_to_delta("bert-base", keep, tmp_path / "delta", pretrained=base)
    with pytest.raises(ValueError, match="max_shard_size is 0"):
        prune_to_delta(model, keep, tmp_path / "delta", pretrained=base, max_shard_size=0)
    with pytest.raises(ValueError, match="pretrained is missing"):
        prune_to_delta(model, keep, tmp_path / "delta", pretrained=None)
    broken = copy.deepcopy(model)
    broken.lm_head.weight.data[2, 3] = float("nan")
    with pytest.raises(ValueError, match=r"model: tensor lm_head\.weight holds nan in row 2, column 3"):
        prune_to_delta(broken, keep, tmp_path / "delta", pretrained=base)
    made = plan(model, keep, pretrained=base)
    base.lm_head.weight.data[2, 3] = float("inf")  # what the plan has not seen
    with pytest.raises(ValueError, match=r"pretrained: tensor lm_head\.weight holds inf in row 2, column 3"):
        prune_to_delta(model, made, tmp_path / "delta", pretrained=base)
    assert not list(tmp_path.iterdir())


def test_the_warning_points_at_the_caller(tmp_path):
    _, base = make_pair("llama")
    for call in (
        lambda: plan(base, KENConfig(density=0.5), pretrained=base),
        lambda: prune(base, KENConfig(density=0.5), pretrained=base),
        lambda: prune_to_delta(base, KENConfig(density=0.5), tmp_path / "delta", pretrained=base),
    ):
        with pytest.warns(PruningWarning, match="model and pretrained are equal") as caught:
            call()
        assert [warning.filename for warning in caught] == [__file__]


MEMORY = """
import sys, torch, transformers
from pruning_ext import KENConfig, prune_to_delta
from pruning_ext.bench.memory import peak_own_memory

torch.set_num_threads(1)
tuned, base = (transformers.LlamaForCausalLM.from_pretrained(path, dtype="auto") for path in sys.argv[1:3])
options = {"pretrained": base, "max_shard_size": 4_000_000}
peak = peak_own_memory(lambda: prune_to_delta(tuned, KENConfig(density=0.5), sys.argv[3], **options))
print(peak, sum(p.nbytes for p in tuned.parameters()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="tells memory of its own from mapped files by /proc")
def test_models_on_disk_need_the_memory_of_a_tensor(tmp_path):
    """Two models of 65 MB each, their largest tensor 2 MB: memory of its own must not grow by a model."""
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
    base.save_pretrained(tmp_path / "base")
    with torch.no_grad():
        for parameter in base.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.01)
    base.save_pretrained(tmp_path / "tuned")
    script = [sys.executable, "-c", MEMORY, *(str(tmp_path / name) for name in ("tuned", "base", "delta"))]
    run = subprocess.run(script, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    peak, size = map(int, run.stdout.split())
    print(f"{peak / 1e6:.0f} MB beside models of {size / 1e6:.0f} MB each")
    assert json.loads((tmp_path / "delta" / CONFIG_NAME).read_text())["method"] == "ken"
    assert peak < 0.5 * size
