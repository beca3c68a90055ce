"""MI-pruned models of every family on disk: written, read by plain `from_pretrained`, and by our loader."""

from __future__ import annotations

import json
import resource
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tr
from safetensors.torch import load_file, save_file

from pruning_ext import prune
from pruning_ext.models.families import family_of
from pruning_ext.models.ffn import find_blocks
from pruning_ext.models.resizing import WIDTHS_KEY
from pruning_ext.pruners import PruningWarning, export, load_pruned
from tests.pruners.mi.test_mi import batches, config, logits
from tests.tiny_models import ALL, WIDTH, inputs, tiny


@pytest.mark.parametrize("kind", ALL)
def test_reload_is_bit_equal(kind: str, tmp_path: Path) -> None:
    model = tiny(kind)
    result = prune(model, config(), calibration=batches(kind))
    widths = {block.width for block in find_blocks(result.model)}
    assert len(widths) == 1
    field = family_of(model).width_field
    result.model.save_pretrained(tmp_path / "pruned")
    if field is None:  # BLOOM has no width to configure: our loader, and a sentence for everyone else's
        with pytest.raises(RuntimeError, match=r"size|shape"):
            type(model).from_pretrained(tmp_path / "pruned")
        loaded = load_pruned(tmp_path / "pruned")
    else:
        assert getattr(result.model.config, field) == widths.pop() < WIDTH
        assert not hasattr(result.model.config, WIDTHS_KEY)
        loaded = type(model).from_pretrained(tmp_path / "pruned")
    assert type(loaded) is type(model)
    batch = inputs(kind, seed=9)
    assert torch.equal(logits(loaded, batch), logits(result.model, batch))


@pytest.mark.parametrize("kind", ALL)
def test_widths_of_their_own_load_with_our_loader_and_padded_with_any(kind: str, tmp_path: Path) -> None:
    model = tiny(kind)
    last = find_blocks(model)[-1].name
    result = prune(model, config(targets=(last,)), calibration=batches(kind))
    batch = inputs(kind, seed=9)
    expected = logits(result.model, batch)
    export(result.model, tmp_path / "own")
    with pytest.raises(RuntimeError, match=r"size|shape"):
        type(model).from_pretrained(tmp_path / "own")
    loaded = load_pruned(tmp_path / "own")
    assert type(loaded) is type(model)
    assert [b.width for b in find_blocks(loaded)] == [b.width for b in find_blocks(result.model)]
    assert torch.equal(logits(loaded, batch), expected)
    export(loaded, tmp_path / "again")  # what was loaded can be written and loaded again
    assert torch.equal(logits(load_pruned(tmp_path / "again"), batch), expected)
    export(result.model, tmp_path / "padded", pad_to_uniform=True)
    plain = type(model).from_pretrained(tmp_path / "padded")
    assert (logits(plain, batch) - expected).abs().max() <= 2e-5 * expected.abs().max()
    assert len({b.width for b in find_blocks(result.model)}) == 2  # exporting did not alter it


@pytest.mark.parametrize(
    ("kind", "fields", "warned"),
    [
        ("llama", {"targets": ("layers.1",)}, True),
        ("bert", {"ignore": ("layer.0",)}, True),
        ("bloom", {}, True),
        ("llama", {}, False),
        ("llama", {"allocation": "global"}, False),  # asked for by name
    ],
)
def test_export_warns_of_what_plain_from_pretrained_refuses(
    kind: str, fields: dict[str, Any], warned: bool, tmp_path: Path
) -> None:
    model = prune(tiny(kind), config(**fields), calibration=batches(kind)).model
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", PruningWarning)
        export(model, tmp_path / "own")
        for directory in ("padded", "again"):  # neither of what any loader reads, nor of what ours has read
            export(model, tmp_path / directory, pad_to_uniform=True)
            model = load_pruned(tmp_path / "own")
    sentence = (
        "the FFN blocks have widths of their own, which plain from_pretrained refuses: load the result with "
        "pruning_ext.load_pruned, or write it with pad_to_uniform=True"
    )
    assert [str(each.message) for each in told if each.category is PruningWarning] == [sentence] * warned
    assert all(each.filename == __file__ for each in told if each.category is PruningWarning)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bloom"])
def test_the_report_of_a_padded_model_is_of_what_is_written(kind: str, tmp_path: Path) -> None:
    model = tiny(kind)
    result = prune(model, config(targets=(find_blocks(model)[-1].name,)), calibration=batches(kind))
    report = {"config": {}, **result.report}
    for pad in (False, True):
        directory = tmp_path / str(pad)
        export(result.model, directory, report=report, pad_to_uniform=pad)
        written = json.loads((directory / "pruning_report.json").read_text())
        loaded = load_pruned(directory)
        count = sum(p.numel() for p in loaded.parameters())
        assert written["parameters"] == [report["parameters"][0], count]
        assert written["bytes"] == [report["bytes"][0], 4 * count]
        assert written["widths"] == report["widths"]
    pruned = {name: report[name][1] for name in ("parameters", "bytes")}
    assert written["unpadded"] == pruned
    assert pruned["parameters"] < count
    assert not hasattr(loaded.config, WIDTHS_KEY)
    assert "unpadded" not in report  # ours was left alone


def test_base_model_loads_from_a_checkpoint_with_a_head(tmp_path: Path) -> None:
    result = prune(tiny("bert"), config(targets=("layer.1",)), calibration=batches("bert"))
    result.model.save_pretrained(tmp_path / "pruned")
    base = load_pruned(tmp_path / "pruned", model_class=tr.BertModel)
    assert [b.width for b in find_blocks(base)] == [WIDTH, 16]
    batch = inputs("bert")
    with torch.no_grad():
        assert torch.equal(base(**batch).last_hidden_state, result.model.bert(**batch).last_hidden_state)


def test_loader_reads_plain_checkpoints_and_refuses_wrong_widths(tmp_path: Path) -> None:
    model = tiny("llama")
    model.save_pretrained(tmp_path / "dense")
    assert torch.equal(
        logits(load_pruned(tmp_path / "dense"), inputs("llama")), logits(model, inputs("llama"))
    )
    setattr(model.config, WIDTHS_KEY, {"model.layers.9": 4})
    model.save_pretrained(tmp_path / "wrong")
    with pytest.raises(ValueError, match=r"gives model\.layers\.9 the width 4"):
        load_pruned(tmp_path / "wrong")
    for widths in ({"model.layers.1": 4}, None):
        setattr(model.config, WIDTHS_KEY, widths)
        if widths is None:
            model.config.hidden_size = 32
        model.save_pretrained(tmp_path / "other")
        first = "embed_tokens" if widths is None else r"layers\.1\.mlp\.gate_proj"
        with pytest.raises(
            ValueError, match=rf"tensor model\.{first}\.weight has shape .* in its files, and"
        ):
            load_pruned(tmp_path / "other")


@pytest.mark.parametrize("fields", [{}, {"targets": ("layers.1",)}], ids=["one width", "own widths"])
def test_loader_fills_nothing_at_random(fields: dict[str, Any], tmp_path: Path) -> None:
    export(prune(tiny("llama"), config(**fields), calibration=batches("llama")).model, tmp_path / "pruned")
    file = tmp_path / "pruned" / "model.safetensors"
    tensors = load_file(file)
    for name in ("model.layers.1.mlp.down_proj.weight", "model.norm.weight"):
        del tensors[name]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(ValueError) as told:
        load_pruned(tmp_path / "pruned")
    assert str(told.value) == (
        f"{tmp_path / 'pruned'} has no weights for model.layers.1.mlp.down_proj.weight and 1 more of a "
        "LlamaForCausalLM, which would be random"
    )


def test_a_head_that_another_class_has_is_new(tmp_path: Path) -> None:
    export(prune(tiny("bert"), config(), calibration=batches("bert")).model.bert, tmp_path / "backbone")
    with pytest.raises(ValueError, match=r"has no weights for pooler\.dense\.bias and 1 more of a BertModel"):
        load_pruned(_without(tmp_path / "backbone", "pooler"))
    headed = load_pruned(tmp_path / "backbone", model_class=tr.BertForTokenClassification)
    assert headed.classifier.weight.isfinite().all()  # type: ignore[union-attr]


def _without(directory: Path, part: str) -> Path:
    file = directory / "model.safetensors"
    save_file({n: t for n, t in load_file(file).items() if part not in n}, file, metadata={"format": "pt"})
    return directory


def test_export_never_overwrites_unasked(tmp_path: Path) -> None:
    export(tiny("llama", seed=1), tmp_path / "there")
    (tmp_path / "there" / "README.md").write_text("mine")
    with pytest.raises(FileExistsError):
        export(tiny("llama"), tmp_path / "there")
    assert (tmp_path / "there" / "README.md").read_text() == "mine"
    export(tiny("llama"), tmp_path / "there", overwrite=True)
    assert not (tmp_path / "there" / "README.md").exists()
    batch = inputs("llama")
    assert torch.equal(logits(load_pruned(tmp_path / "there"), batch), logits(tiny("llama"), batch))


def test_what_is_no_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"model is a str, expected a torch\.nn\.Module: load it first"):
        export("bert", tmp_path / "out")  # type: ignore[arg-type]


def test_further_files_never_take_the_place_of_the_models(tmp_path: Path) -> None:
    class Tokenizer:
        def save_pretrained(self, directory: Path) -> None:
            (directory / "vocab.txt").write_text("the tokenizer's")

    (tmp_path / "inner").mkdir()
    names = (
        "config.json",
        "model.safetensors",
        "pruning_report.json",
        "vocab.txt",
        "notes.txt",
        "inner/notes.txt",
    )
    for name in names:
        (tmp_path / name).write_text("mine")
    for name in names[:3]:
        with pytest.raises(
            ValueError, match=rf"files: .* would take the place of the {name} that is written"
        ):
            export(tiny("llama"), tmp_path / "out", files=[tmp_path / name])
    with pytest.raises(ValueError, match="have one name"):
        export(tiny("llama"), tmp_path / "out", files=[tmp_path / "notes.txt", tmp_path / "inner/notes.txt"])
    with pytest.raises(FileExistsError, match=r"the vocab\.txt that is written"):
        export(tiny("llama"), tmp_path / "out", tokenizer=Tokenizer(), files=[tmp_path / "vocab.txt"])
    assert not (tmp_path / "out").exists()
    export(tiny("llama"), tmp_path / "out", tokenizer=Tokenizer(), files=[str(tmp_path / "notes.txt")])
    assert (tmp_path / "out/notes.txt").read_text() == "mine"
    assert (tmp_path / "out/vocab.txt").read_text() == "the tokenizer's"


@pytest.mark.parametrize("limit", [100, 4096], ids=["configuration", "weights"])
def test_a_disk_that_takes_no_more_is_one_sentence_and_leaves_nothing(limit: int, tmp_path: Path) -> None:
    export(tiny("llama", seed=1), tmp_path / "old")
    before = {path.name: path.read_bytes() for path in (tmp_path / "old").iterdir()}
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, usual[1]))  # a file that grows beyond is refused
    try:
        with pytest.raises(OSError, match=r"^\[Errno \d+\] File too large.*$"):
            export(tiny("llama"), tmp_path / "old", overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "old").iterdir()} == before
