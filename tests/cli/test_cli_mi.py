"""`pruning-ext mi` and `pruning-ext plan mi`: what they write, what they say, what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tr
from tokenizers import Tokenizer, models, pre_tokenizers

from pruning_ext.cli import main
from pruning_ext.cli.texts import read_texts
from pruning_ext.models.ffn import find_blocks
from pruning_ext.pruners import Calibration, MIConfig, Plan, load_pruned, prune
from tests.tiny_models import WIDTH, inputs, tiny

WORDS = [f"w{i}" for i in range(61)]
SMALL = ("--selection", "joint", "--bins", 4, "--round-to", 4)


def texts() -> list[str]:
    generator = torch.Generator().manual_seed(0)
    return [
        " ".join(WORDS[i] for i in torch.randint(61, (n,), generator=generator)) for n in (30, 12, 25, 40)
    ]


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Any, Path, Path]:
    """A tiny model and its directory with a tokenizer, and a file of texts."""
    model = tiny("llama")
    model.save_pretrained(tmp_path / "model")
    vocabulary = {word: i for i, word in enumerate(["<pad>", "<s>", "</s>", *WORDS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tr.PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>").save_pretrained(
        tmp_path / "model"
    )
    (tmp_path / "texts.txt").write_text("\n\n".join(texts()))
    return model, tmp_path / "model", tmp_path / "texts.txt"


def tokens(file: Path, directory: Path) -> Calibration:
    return Calibration(read_texts(file), tr.AutoTokenizer.from_pretrained(directory))


def report(directory: Path) -> Any:
    return json.loads((directory / "pruning_report.json").read_text())


def run(*args: Any, expect: int = 0) -> None:
    assert main([str(arg) for arg in args]) == expect


def test_mi_writes_what_prune_makes_and_plain_from_pretrained_loads_it(
    saved: Any, capsys: Any, tmp_path: Path
) -> None:
    model, directory, file = saved
    run("mi", directory, "--ratio", 0.34, *SMALL, "--calibration", file, "-o", tmp_path / "smaller")
    said = capsys.readouterr()
    assert "load it with from_pretrained" in said.out
    assert "--allocation" not in said.out  # stands in --help
    assert said.err == ""
    loaded = tr.AutoModelForCausalLM.from_pretrained(tmp_path / "smaller")
    tokenizer = tr.AutoTokenizer.from_pretrained(tmp_path / "smaller")
    assert {block.width for block in find_blocks(loaded)} == {16}
    expected = prune(
        model,
        MIConfig(ratio=0.34, selection="joint", bins=4, round_to=4),
        calibration=Calibration(texts(), tokenizer),
    ).model
    batch = inputs("llama")
    with torch.no_grad():
        assert torch.equal(loaded(**batch).logits, expected(**batch).logits)
    report = json.loads((tmp_path / "smaller" / "pruning_report.json").read_text())
    assert report["parameters"][1] == sum(p.numel() for p in loaded.parameters()) < report["parameters"][0]
    assert all(seconds > 0 for seconds in report["forward_seconds"])
    assert report["config"]["ratio"] == 0.34
    assert (report["method"], report["tokens"], report["texts"]) == ("mi", 107, 4)

    assert "calibrated on 107 tokens of 4 texts\n" in said.out


def test_plan_is_printed_saved_and_followed(saved: Any, capsys: Any, tmp_path: Path) -> None:
    _, directory, file = saved
    common = ("--ratio", 0.34, *SMALL, "--calibration", file)
    run("plan", "mi", directory, *common, "-o", tmp_path / "plan.json")
    assert "model.layers.*" in capsys.readouterr().out
    assert Plan.load(tmp_path / "plan.json").config == MIConfig(
        ratio=0.34, selection="joint", bins=4, round_to=4
    )
    run("mi", directory, "--plan", tmp_path / "plan.json", "-o", tmp_path / "a")
    run("mi", directory, *common, "-o", tmp_path / "b")
    assert (tmp_path / "a/model.safetensors").read_bytes() == (tmp_path / "b/model.safetensors").read_bytes()
    assert "calibrated on 107 tokens of 4 texts\n" in capsys.readouterr().out  # the plan knows
    run("mi", directory, "--plan", tmp_path / "plan.json", "--bins", 8, "-o", tmp_path / "c", expect=2)
    assert "--plan says all that --bins would" in capsys.readouterr().err


def test_widths_of_their_own_say_how_to_load_them(saved: Any, capsys: Any, tmp_path: Path) -> None:
    _, directory, file = saved
    common = ("mi", directory, "--ratio", 0.34, *SMALL, "--targets", "layers.1", "--calibration", file)
    run(*common, "-o", tmp_path / "own")
    said = capsys.readouterr()
    assert "load it with pruning_ext.load_pruned, or write it with --pad-to-uniform" in said.out
    assert "--allocation" not in said.out
    assert "load_pruned" not in said.err  # said once
    assert [block.width for block in find_blocks(load_pruned(tmp_path / "own"))] == [WIDTH, 16]
    run(*common, "--pad-to-uniform", "-o", tmp_path / "padded")
    assert "load it with from_pretrained" in capsys.readouterr().out
    tr.AutoModelForCausalLM.from_pretrained(tmp_path / "padded")


def test_what_is_said_of_a_padded_model_is_what_lies_on_the_disk(
    saved: Any, capsys: Any, tmp_path: Path
) -> None:
    model, directory, file = saved
    common = ("mi", directory, "--ratio", 0.34, "--round-to", 4, "--calibration", file)
    run(*common, "--allocation", "global", "--pad-to-uniform", "-o", tmp_path / "padded")
    said = capsys.readouterr().out
    loaded = tr.AutoModelForCausalLM.from_pretrained(tmp_path / "padded")
    dense, count = (sum(p.numel() for p in each.parameters()) for each in (model, loaded))
    narrow = dense - 16 * 3 * 16  # a third of 48 neurons, each of three vectors of 16
    assert narrow < count < dense
    assert f"parameters {dense:,} -> {count:,} ({count / dense:.1%}, {narrow:,} without the padding)" in said
    assert f"{4 * count / 1e3:.1f} kB" in said
    report = json.loads((tmp_path / "padded" / "pruning_report.json").read_text())
    assert report["parameters"] == [dense, count]
    assert report["bytes"] == [4 * dense, 4 * count]
    assert report["unpadded"] == {"parameters": narrow, "bytes": 4 * narrow}


@pytest.mark.parametrize("options", [("--allocation", "global"), ("--targets", "layers.1")])
def test_what_was_written_with_widths_of_its_own_is_pruned_further(
    saved: Any, capsys: Any, tmp_path: Path, options: Any
) -> None:
    model, directory, file = saved
    common = ("--ratio", 0.34, "--round-to", 4, "--calibration", file)
    run("mi", directory, *common, *options, "-o", tmp_path / "first")
    widths = [block.width for block in find_blocks(load_pruned(tmp_path / "first"))]
    assert len(set(widths)) == 2
    run("plan", "mi", tmp_path / "first", *common, "-o", tmp_path / "plan.json")
    run("mi", tmp_path / "first", "--plan", tmp_path / "plan.json", "-o", tmp_path / "second")
    second = load_pruned(tmp_path / "second")
    layers = Plan.load(tmp_path / "plan.json").layers
    assert [block.width for block in find_blocks(second)] == [x.details["kept_width"] for x in layers]
    assert [x.details["width"] for x in layers] == widths
    expected = prune(
        prune(
            model,
            MIConfig.from_dict(report(tmp_path / "first")["config"]),
            calibration=tokens(file, directory),
        ).model,
        MIConfig(ratio=0.34, round_to=4),
        calibration=tokens(file, directory),
    ).model
    batch = inputs("llama")
    with torch.no_grad():
        assert torch.equal(second(**batch).logits, expected(**batch).logits)


def test_files_that_are_not_of_the_configuration_name_the_tensor(
    saved: Any, capsys: Any, tmp_path: Path
) -> None:
    _, directory, file = saved
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"intermediate_size": 20}))
    run("mi", directory, "--ratio", 0.34, "--calibration", file, "-o", tmp_path / "out", expect=1)
    error = capsys.readouterr().err
    assert error == (
        f"pruning-ext: error: {directory}: tensor model.layers.0.mlp.gate_proj.weight has shape [24, 16] "
        "in its files, and [20, 16] in a LlamaForCausalLM as config.json has it\n"
    )


def test_every_option_reaches_the_configuration(saved: Any, tmp_path: Path) -> None:
    _, directory, file = saved
    fields: dict[str, Any] = {
        "width": 12,
        "selection": "random_pairs",
        "estimator": "renyi",
        "metric": "fisher",
        "compensation": "none",
        "ridge": 0.5,
        "bins": 5,
        "strategy": "uniform",
        "max_tokens": 50,
        "round_to": 2,
        "blocks_per_pass": 1,
        "seed": 7,
    }
    options = [x for name, value in fields.items() for x in ("--" + name.replace("_", "-"), value)]
    run(
        "plan",
        "mi",
        directory,
        *options,
        "--recalibrate",
        "--calibration",
        file,
        "-o",
        tmp_path / "plan.json",
    )
    assert Plan.load(tmp_path / "plan.json").config == MIConfig(**fields, recalibrate=True)


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("--ratio", 0.5), 2, "give --calibration"),
        ((), 2, "error: give --ratio or --width or --threshold\n"),
        (("--ratio", 2, "--calibration", "texts.txt"), 2, "ratio must lie between 0 and 1, both excluded"),
        (("--ratio", 0, "--calibration", "texts.txt"), 2, "ratio must lie between 0 and 1, both excluded"),
        (
            ("--ratio", 0.5, "--max-length", 1, "--calibration", "texts.txt"),
            2,
            "--max-length must be at least 2",
        ),
        (
            ("--ratio", 0.5, "--batch-size", 0, "--calibration", "texts.txt"),
            2,
            "--batch-size must be at least 1",
        ),
        (("--ratio", 0.5, "--width", 4, "--calibration", "texts.txt"), 2, "not allowed with"),
        (("--ratio", 0.01, "--calibration", "texts.txt"), 1, "rounds to 0 neurons"),
        (
            ("--ratio", 0.5, "--device", "nowhere", "--calibration", "texts.txt"),
            2,
            "--device nowhere: torch cannot",
        ),
        (("--ratio", 0.5, "--calibration", "nowhere"), 1, "nowhere does not exist"),
        (("--ratio", 0.5, "--targets", "attention", "--calibration", "texts.txt"), 1, "matches no FFN block"),
    ],
)
def test_mistakes_are_one_sentence(
    saved: Any, capsys: Any, monkeypatch: Any, tmp_path: Path, options: Any, code: int, sentence: str
) -> None:
    _, directory, _ = saved
    if code == 2:
        monkeypatch.setattr("pruning_ext.cli.mi.load_model", lambda *_, **__: pytest.fail("loaded a model"))
    monkeypatch.chdir(tmp_path)
    run("mi", directory, *options, "-o", tmp_path / "out", expect=code)
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("output", "read"), [("", "model"), ("model", "model"), ("in", "in/texts.txt"), ("in", "in/plan.json")]
)
def test_what_is_read_is_never_written_over(
    saved: Any, capsys: Any, tmp_path: Path, output: str, read: str
) -> None:
    _, directory, file = saved
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "texts.txt").write_text(file.read_text())
    common = ("--ratio", 0.34, "--round-to", 4, "--calibration", tmp_path / "in" / "texts.txt")
    run("plan", "mi", directory, *common, "-o", tmp_path / "in" / "plan.json")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    capsys.readouterr()
    todo = ("--plan", tmp_path / read) if read.endswith("plan.json") else common
    run("mi", directory, *todo, "-o", tmp_path / output, "--overwrite", expect=2)
    assert f"would replace {tmp_path / read}, which is read" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def without_tokenizer(directory: Path) -> None:
    for file in directory.glob("*token*"):
        file.unlink()


def test_a_model_without_a_tokenizer_needs_none_where_no_text_is_read(
    saved: Any, capsys: Any, tmp_path: Path
) -> None:
    _, directory, file = saved
    common = ("--ratio", 0.34, "--round-to", 4)
    run("plan", "mi", directory, *common, "--calibration", file, "-o", tmp_path / "plan.json")
    without_tokenizer(directory)
    for number, options in enumerate(
        [(*common, "--selection", "random", "--compensation", "none"), ("--plan", tmp_path / "plan.json")]
    ):
        run("mi", directory, *options, "-o", tmp_path / str(number))
        assert {block.width for block in find_blocks(load_pruned(tmp_path / str(number)))} == {16}
    capsys.readouterr()
    run("mi", directory, *common, "--calibration", file, "-o", tmp_path / "out", expect=1)
    error = capsys.readouterr().err
    assert error.startswith(f"pruning-ext: error: {directory} has no tokenizer to read texts with: ")
    assert error.count("\n") == 1


def test_the_files_of_tokenizer_and_processor_come_along(saved: Any, tmp_path: Path) -> None:
    _, directory, file = saved
    (directory / "preprocessor_config.json").write_text('{"do_resize": false}')
    run("mi", directory, "--ratio", 0.34, "--round-to", 4, "--calibration", file, "-o", tmp_path / "out")
    for name in ("tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"):
        assert (tmp_path / "out" / name).read_bytes() == (directory / name).read_bytes()
