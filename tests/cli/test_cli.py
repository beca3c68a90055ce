"""The command: what it writes, what it says, and how it ends."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
import yaml

from pruning_ext.cli import main
from pruning_ext.delta import load_delta
from pruning_ext.delta.file import CONFIG_NAME, WEIGHTS_NAME
from pruning_ext.pruners import KENConfig, Plan, prune
from tests.tiny_models import assert_same_bits, make_pair, snapshot


@pytest.fixture(params=["bert", "gpt2"])
def saved(request, tmp_path):
    """Directories of a fine-tuned and a pretrained model, as from_pretrained reads them, with a tokenizer."""
    model, base = make_pair(request.param, torch.bfloat16)
    finetuned, pretrained = tmp_path / "finetuned", tmp_path / "pretrained"
    model.save_pretrained(finetuned)
    base.save_pretrained(pretrained)
    for directory in (finetuned, pretrained):
        (directory / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    (finetuned / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    return model, base, str(finetuned), str(pretrained), tmp_path


def run(*args, expect=0):
    code = main([str(arg) for arg in args])
    assert code == expect
    return code


def test_ken_and_apply_restore_what_prune_makes(saved, capsys):
    model, base, finetuned, pretrained, out = saved
    run("ken", finetuned, pretrained, "--density", 0.5, "-o", out / "delta")
    said = capsys.readouterr()
    assert "kept" in said.out
    assert f"pruning-ext apply {pretrained} {out / 'delta'}" in said.out
    stored = (out / "delta" / WEIGHTS_NAME).stat().st_size
    assert f"{out / 'delta'}: {stored / 1000:.1f} kB, " in said.out, "sizes in the unit that fits"
    assert said.err == ""
    run("apply", pretrained, out / "delta", "-o", out / "pruned")

    expected = prune(model, KENConfig(density=0.5), pretrained=base).model
    restored = type(model).from_pretrained(out / "pruned", dtype="auto")
    assert_same_bits(snapshot(restored), snapshot(expected))
    assert restored.config.architectures == [type(model).__name__]
    assert (out / "pruned" / "vocab.txt").read_text() == "[PAD]\n[UNK]\n"
    assert (out / "pruned" / "tokenizer_config.json").read_text() == '{"do_lower_case": true}'
    assert not (out / "delta" / "vocab.txt").exists(), "the base has the same file"
    assert sorted(p.name for p in out.iterdir()) == ["delta", "finetuned", "pretrained", "pruned"]


def test_every_option_reaches_the_configuration(saved):
    _, _, finetuned, pretrained, out = saved
    options = ["--k", 7, "--criterion", "random", "--on", "delta", "--seed", 3, "--no-keep-ties"]
    run("ken", finetuned, pretrained, *options, "--ignore", "h.0", "layer.0", "-o", out / "delta", expect=1)
    run("ken", finetuned, pretrained, *options, "--targets", "weight", "-o", out / "delta")
    document = json.loads((out / "delta" / CONFIG_NAME).read_text())
    expected = KENConfig(k=7, criterion="random", on="delta", seed=3, targets=["weight"])
    assert document["config"] == expected.to_dict()
    assert document["base_model_name_or_path"] == pretrained


def test_a_file_maps_onto_the_configuration_and_options_override_it(saved, capsys):
    model, base, finetuned, pretrained, out = saved
    config = KENConfig(density=0.25, criterion="magnitude", seed=5)
    (out / "ken.yaml").write_text(config.to_yaml())
    run("ken", finetuned, pretrained, "--config", out / "ken.yaml", "-o", out / "a")
    run("ken", finetuned, pretrained, "--config", out / "ken.yaml", "--k", 4, "-o", out / "b")
    read = [json.loads((out / name / CONFIG_NAME).read_text())["config"] for name in "ab"]
    assert read == [config.to_dict(), config.to_dict() | {"density": None, "k": 4}]
    assert_same_bits(
        snapshot(load_delta(base, out / "a")), snapshot(prune(model, config, pretrained=base).model)
    )
    capsys.readouterr()
    (out / "bad.yaml").write_text(yaml.safe_dump({"densty": 0.5}))
    run("ken", finetuned, pretrained, "--config", out / "bad.yaml", "-o", out / "c", expect=2)
    assert "bad.yaml: unknown key 'densty' for method 'ken'; near keys: density" in capsys.readouterr().err


def test_plan_prints_and_saves_and_prunes_nothing(saved, capsys):
    model, _, finetuned, pretrained, out = saved
    run("plan", "ken", finetuned, pretrained, "--density", 0.5, "-o", out / "plan.json")
    printed = capsys.readouterr().out
    read = Plan.load(out / "plan.json")
    assert printed.strip() == read.summary().strip()
    assert read.model.architecture == type(model).__name__
    run("plan", "ken", finetuned, pretrained, "--density", 0.5, "-o", out / "plan.json", expect=2)
    assert "exists" in capsys.readouterr().err
    assert sorted(p.name for p in out.iterdir()) == ["finetuned", "plan.json", "pretrained"]


def test_quiet_prints_nothing(saved, capsys):
    _, _, finetuned, pretrained, out = saved
    run("ken", finetuned, pretrained, "--density", 0.5, "-o", out / "delta", "--quiet")
    run("apply", pretrained, out / "delta", "-o", out / "pruned", "-q")
    assert capsys.readouterr() == ("", "")


def test_the_same_model_twice_is_done_with_a_line_of_doubt(saved, capsys):
    _, _, finetuned, _, out = saved
    run("ken", finetuned, finetuned, "--density", 0.5, "-o", out / "delta")
    said = capsys.readouterr()
    assert said.err.startswith("pruning-ext: warning: model and pretrained are equal, so the delta stores")
    assert said.err.count("\n") == 1
    run("ken", finetuned, finetuned, "--density", 0.5, "-o", out / "delta", "--overwrite", "--quiet")
    assert capsys.readouterr() == ("", "")


def test_progress_is_drawn_for_people_only(saved, capsys, monkeypatch):
    _, _, finetuned, pretrained, out = saved
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    run("ken", finetuned, pretrained, "--density", 0.5, "-o", out / "a", "--quiet")
    assert capsys.readouterr().err == ""
    run("ken", finetuned, pretrained, "--density", 0.5, "-o", out / "b")
    assert "ken:" in capsys.readouterr().err


def test_an_existing_output_is_refused_before_any_work(saved, capsys, monkeypatch):
    _, _, finetuned, pretrained, out = saved
    run("ken", finetuned, pretrained, "--density", 0.5, "-o", out / "delta")
    first = (out / "delta" / CONFIG_NAME).read_text()
    with monkeypatch.context() as patch:
        patch.setattr("pruning_ext.cli.ken.load_model", lambda *_, **__: pytest.fail("loaded a model"))
        run("ken", finetuned, pretrained, "--density", 0.1, "-o", out / "delta", expect=2)
    assert "pass --overwrite" in capsys.readouterr().err
    assert (out / "delta" / CONFIG_NAME).read_text() == first
    run("ken", finetuned, pretrained, "--density", 0.1, "-o", out / "delta", "--overwrite")
    assert (out / "delta" / CONFIG_NAME).read_text() != first


def test_another_base_is_one_sentence_and_writes_nothing(saved, capsys):
    _, base, finetuned, pretrained, out = saved
    run("ken", finetuned, pretrained, "--density", 0.5, "-o", out / "delta")
    capsys.readouterr()
    with torch.no_grad():
        next(base.parameters())[0, 0] += 1
    base.save_pretrained(out / "other")
    capsys.readouterr()
    run("apply", out / "other", out / "delta", "-o", out / "pruned", expect=1)
    error = capsys.readouterr().err
    first = next(name for name, _ in base.named_parameters())
    assert error.startswith(
        f"pruning-ext: error: base is not the one that the delta in {out / 'delta'} was made"
    )
    assert error.endswith(f"(that was {pretrained}): the sha256 of {first} differs\n")
    assert error.count("\n") == 1
    assert not (out / "pruned").exists()


def test_debug_shows_where(saved, capsys):
    _, _, finetuned, pretrained, out = saved
    command = ("ken", finetuned, pretrained, "--density", 0.5, "--targets", "nowhere", "-o", out / "delta")
    run(*command, expect=1)
    plain = capsys.readouterr().err
    run(*command, "--debug", expect=1)
    debug = capsys.readouterr().err
    assert "targets: 'nowhere' matches no weight matrix" in plain
    assert "Traceback" not in plain
    assert "Traceback" in debug
    assert debug.endswith(plain)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "error: give --density or --k\n"),
        (["--density", "1.5"], "density must lie from 0 to 1"),
        (["--density", "half"], "invalid float value"),
        (["--k", "3", "--density", "0.5"], "not allowed with"),
        (["--k", "3", "--criterion", "best"], "invalid choice"),
        (["--k", "3", "--config", "nowhere.yaml"], "--config nowhere.yaml cannot be read"),
    ],
)
def test_a_wrong_command_line_ends_with_2(tmp_path, capsys, options, sentence):
    run("ken", tmp_path / "a", tmp_path / "b", *options, "-o", tmp_path / "c", expect=2)
    assert sentence in capsys.readouterr().err


def test_missing_arguments_and_models(tmp_path, capsys):
    run(expect=2)
    run("ken", "a", "b", "--k", 3, expect=2)
    assert "-o" in capsys.readouterr().err
    run("ken", tmp_path / "nowhere", tmp_path / "b", "--k", 3, "-o", tmp_path / "c", expect=1)
    assert capsys.readouterr().err == f"pruning-ext: error: {tmp_path / 'nowhere'} is not a directory\n"
    run("apply", tmp_path / "b", tmp_path / "d", "-o", tmp_path / "c", expect=1)
    assert "is not a delta" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for name, sentence in (("empty", "is a directory without config.json"), ("file", "is a file: name the")):
        run("mi", tmp_path / name, "--ratio", 0.5, "--calibration", "x", "-o", tmp_path / "c", expect=1)
        assert capsys.readouterr().err.startswith(f"pruning-ext: error: {tmp_path / name} {sentence}")


def test_a_class_is_asked_for_when_the_configuration_names_none(tmp_path, capsys):
    model, base = make_pair("bert")
    model.save_pretrained(tmp_path / "finetuned")
    base.save_pretrained(tmp_path / "pretrained")
    config = json.loads((tmp_path / "finetuned" / "config.json").read_text())
    del config["architectures"]
    (tmp_path / "finetuned" / "config.json").write_text(json.dumps(config))
    command = ("ken", tmp_path / "finetuned", tmp_path / "pretrained", "--k", 3, "-o", tmp_path / "delta")
    run(*command, expect=2)
    assert "names no architecture; pass --model-class" in capsys.readouterr().err
    run(*command, "--model-class", "Nonsense", expect=2)
    assert "names Nonsense, unknown to transformers" in capsys.readouterr().err
    run(*command, "--model-class", "BertForMaskedLM", expect=2)
    assert "which would be random: pass --model-class" in capsys.readouterr().err
    run(*command, "--model-class", "BertForSequenceClassification")


def test_an_output_that_cannot_be_written_is_refused_before_any_work(saved, capsys, monkeypatch, tmp_path):
    finetuned, pretrained = saved[2:4]
    monkeypatch.setattr("pruning_ext.cli.ken.load_model", lambda *_, **__: pytest.fail("loaded a model"))
    (tmp_path / "file").touch()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "texts.txt").touch()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    monkeypatch.chdir(tmp_path)
    for output, sentence in [
        (".", "is the current directory"),
        (finetuned, "would replace .*finetuned, which is read"),
        (tmp_path / "pretrained" / "..", "is the current directory"),
        ("file/delta", "cannot be written: Not a directory"),
        ("file", "exists and is not a directory"),
        ("mine", r"holds no config\.json or delta_config\.json"),
    ]:
        run("ken", finetuned, pretrained, "--k", 3, "-o", output, "--overwrite", expect=2)
        said = capsys.readouterr().err
        assert re.search(sentence, said)
        assert said.count("\n") == 1
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_place_where_no_plan_can_be_written_is_refused_before_any_work(
    saved, capsys, monkeypatch, tmp_path
):
    finetuned, pretrained = saved[2:4]
    monkeypatch.setattr("pruning_ext.cli.ken.load_model", lambda *_, **__: pytest.fail("loaded a model"))
    (tmp_path / "notes.txt").write_text("mine")
    for output, sentence in [
        (tmp_path / "nowhere" / "plan.json", "cannot be written: No such file or directory"),
        (Path(finetuned) / "config.json", "is no plan to overwrite"),
        (tmp_path / "notes.txt", "is no plan to overwrite"),
        (finetuned, "exists: name a file in it"),
        (tmp_path / "plan.safetensors", "a plan is JSON"),
    ]:
        run("plan", "ken", finetuned, pretrained, "--k", 3, "-o", output, "--overwrite", expect=2)
        assert sentence in capsys.readouterr().err
    assert (tmp_path / "notes.txt").read_text() == "mine"
    run("plan", "ken", finetuned, pretrained, "--config", tmp_path / "no.yaml", expect=2)
    assert "cannot be read: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("device", ["cuda:99", "meta", "nowhere"])
def test_a_device_that_cannot_be_used_is_refused_before_any_work(saved, capsys, monkeypatch, device):
    _, _, finetuned, pretrained, out = saved
    monkeypatch.setattr("pruning_ext.cli.ken.load_model", lambda *_, **__: pytest.fail("loaded a model"))
    run("ken", finetuned, pretrained, "--k", 3, "--device", device, "-o", out / "delta", expect=2)
    said = capsys.readouterr().err
    assert said.startswith(f"pruning-ext: error: --device {device}: torch cannot use it here: ")
    assert said.count("\n") == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_rows_are_selected_on_a_gpu(saved):
    _, _, finetuned, pretrained, out = saved
    run("ken", finetuned, pretrained, "--k", 3, "-o", out / "cpu")
    run("ken", finetuned, pretrained, "--k", 3, "--device", "cuda", "-o", out / "cuda")
    assert (out / "cpu" / WEIGHTS_NAME).read_bytes() == (out / "cuda" / WEIGHTS_NAME).read_bytes()


def test_unexpected_errors_are_named(saved, capsys, monkeypatch):
    _, _, finetuned, pretrained, out = saved

    def fail(*_, **__):
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr("pruning_ext.cli.ken.prune_to_delta", fail)
    run("ken", finetuned, pretrained, "--k", 3, "-o", out / "delta", expect=1)
    said = capsys.readouterr().err
    assert said == "pruning-ext: error: RuntimeError: out of memory (--debug shows where)\n"


def test_ctrl_c(saved, capsys, monkeypatch):
    _, _, finetuned, pretrained, out = saved

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("pruning_ext.cli.ken.prune_to_delta", interrupt)
    run("ken", finetuned, pretrained, "--k", 3, "-o", out / "delta", expect=130)
    assert capsys.readouterr().err == "pruning-ext: interrupted\n"
    assert not (out / "delta").exists()


@pytest.mark.parametrize("command", [[], ["ken"], ["apply"], ["plan"], ["plan", "ken"], ["info"]])
def test_help_teaches(command, capsys):
    run(*command, "--help")
    text = capsys.readouterr().out
    assert "usage: pruning-ext" in text
    assert command == ["info"] or "example" in text


def test_info_prints_versions(capsys):
    run("info")
    assert torch.__version__ in capsys.readouterr().out


def test_commands_run_as_a_process(tmp_path):
    model, base = make_pair("llama")
    model.save_pretrained(tmp_path / "finetuned")
    base.save_pretrained(tmp_path / "pretrained")

    def process(*args):
        return subprocess.run(
            [sys.executable, "-m", "pruning_ext.cli", *args],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    done = process("ken", "./finetuned", "./pretrained", "--density", "0.25", "-o", "delta")
    assert (done.returncode, done.stderr) == (0, "")
    done = process("apply", "./pretrained", "delta", "-o", "pruned")
    assert (done.returncode, done.stderr) == (0, "")
    restored = transformers.LlamaForCausalLM.from_pretrained(tmp_path / "pruned", dtype="auto")
    assert_same_bits(
        snapshot(restored), snapshot(prune(model, KENConfig(density=0.25), pretrained=base).model)
    )
    done = process("apply", "./finetuned", "delta", "-o", "again")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
