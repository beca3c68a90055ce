"""The demo without its models: the cache, the texts, the measures, the table and the command line."""

from __future__ import annotations

import bz2
import csv
import hashlib
import io
import json
import math
import os
import random
import subprocess
import sys
import tarfile
import types
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demo import __main__ as command
from demo import finetune, inputs, language, measure
from demo import mi as act_two
from scipy.special import log_softmax, rel_entr
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    BertForSequenceClassification,
    BertTokenizerFast,
    PreTrainedTokenizerFast,
)

from pruning_ext import Plan, prune
from tests.pruners.families import tiny

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRUNING_EXT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def wheel_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        for name, data in members.items():
            wheel.writestr(name, data)
    return buffer.getvalue()


def tar_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """``index(data, file_name, error)``: pip gives that file, or fails; returns the commands it was given."""

    def install(data: bytes = b"", file_name: str = "p-1-py3-none-any.whl", error: str = "") -> Any:
        commands: list[list[str]] = []

        def run(arguments: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
            commands.append(arguments)
            if not error:
                (Path(arguments[arguments.index("--dest") + 1]) / file_name).write_bytes(data)
            return subprocess.CompletedProcess(arguments, int(bool(error)), "", error)

        monkeypatch.setattr(inputs.subprocess, "run", run)
        return commands

    return install


def package(data: bytes, **changes: Any) -> inputs.Package:
    made = inputs.Package("p", "1", hashlib.sha256(data).hexdigest(), r"p/data/.*|.*/LICENSE", 1)
    return replace(made, **changes)


def test_importing_fetches_nothing_and_loads_no_torch(tmp_path: Path) -> None:
    code = "import sys, demo.inputs; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": "examples", "PRUNING_EXT_CACHE": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
    assert not list(tmp_path.iterdir())


def test_cache_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRUNING_EXT_CACHE", str(tmp_path))
    assert inputs.cache_dir() == tmp_path
    monkeypatch.delenv("PRUNING_EXT_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert inputs.cache_dir() == tmp_path / "pruning_ext"


def test_fetch_unpacks_the_members_and_asks_once(cache: Path, index: Callable[..., Any]) -> None:
    data = wheel_of({"p/data/x.txt": b"x", "p/code.py": b"", "p.dist-info/LICENSE": b"MIT"})
    commands = index(data)
    folder = inputs.fetch(package(data))
    assert inputs.fetch(package(data)) == folder
    assert sorted(path.name for path in folder.iterdir()) == ["LICENSE", "x.txt"]
    assert len(commands) == 1
    assert commands[0][1:4] == ["-m", "pip", "download"]
    assert {"--no-deps", "--no-cache-dir", "p==1"} <= set(commands[0])
    assert [path.name for path in cache.iterdir()] == ["p-1"]


def test_fetch_of_a_source_package(cache: Path, index: Callable[..., Any]) -> None:
    data = tar_of({"p-1/p/data/x.txt": b"x", "p-1/setup.py": b""})
    commands = index(data, "p-1.tar.gz")
    folder = inputs.fetch(package(data, members=r".*/data/.*", source=True))
    assert [path.name for path in folder.iterdir()] == ["x.txt"]
    assert commands[0][commands[0].index("--no-binary") + 1] == "p"


def test_a_file_that_is_not_the_pinned_one_is_refused(cache: Path, index: Callable[..., Any]) -> None:
    data = wheel_of({"p/data/x.txt": b"x"})
    index(data)
    with pytest.raises(inputs.InputsError, match="not the pinned file") as caught:
        inputs.fetch(package(b"another"))
    assert hashlib.sha256(data).hexdigest() in str(caught.value)
    assert not list(cache.iterdir())


def test_an_index_out_of_reach_is_one_sentence(cache: Path, index: Callable[..., Any]) -> None:
    index(error="WARNING: retrying\nERROR: No matching distribution found for p==1\n")
    with pytest.raises(
        inputs.InputsError, match=r"could not fetch p==1 .*No matching.*PRUNING_EXT_CACHE"
    ) as caught:
        inputs.fetch(package(b""))
    assert "\n" not in str(caught.value)
    assert "retrying" not in str(caught.value)
    assert not list(cache.iterdir())


def test_an_entry_is_whole_or_absent(cache: Path) -> None:
    def interrupted(staging: Path) -> None:
        (staging / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inputs.cached("entry", interrupted)
    assert not list(cache.iterdir())
    folder = inputs.cached("entry", lambda staging: (staging / "whole").write_text("") and None)
    assert [path.name for path in folder.iterdir()] == ["whole"]


def test_a_concurrent_run_that_finished_first_wins(cache: Path) -> None:
    def overtaken(staging: Path) -> None:
        (cache / "entry").mkdir()
        (cache / "entry" / "theirs").write_text("")
        (staging / "ours").write_text("")

    folder = inputs.cached("entry", overtaken)
    assert [path.name for path in folder.iterdir()] == ["theirs"]
    assert [path.name for path in cache.iterdir()] == ["entry"]


def corpus(rows: list[tuple[str, str, str]], folder: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["category", "text", "movie_name", "has_plot_and_reviews"])
    writer.writerows([*row, "True"] for row in rows)
    (folder / "rotten_tomatoes_corpus_full.csv.bz2").write_bytes(bz2.compress(text.getvalue().encode()))


def test_reviews_are_split_by_film_and_do_not_depend_on_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("fresh" if i % 3 else "rotten", f"review {i}, ünïcode", f"film {i % 40}") for i in range(400)]
    rows += [
        ("plot", "a plot", "film 1"),
        ("fresh", " ", "film 2"),
        ("rotten", "review 1, ünïcode", "film 1"),
    ]
    monkeypatch.setattr(inputs, "fetch", lambda _: tmp_path)
    corpus(rows, tmp_path)
    split = inputs.reviews()
    train, test = ({review.film for review in part} for part in (split.train, split.test))
    assert not train & test
    assert len(train) > 2 * len(test) > 0
    everything = split.train + split.test
    assert len(everything) == 400  # without the plot, the empty one and the second of the same text
    assert {review.text: review.label for review in everything} == {
        text: int(category == "fresh") for category, text, _ in rows[:400]
    }
    assert split.train[:9] != sorted(split.train, key=lambda review: review.text)[:9]
    head = rows[:401]
    random.Random(0).shuffle(head)
    corpus(head, tmp_path)
    assert inputs.reviews() == split


def test_editorials_are_regrouped_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "2_1\t0.5\tSecond.\n10_2\t0\tB, with a\ttab.\n10_1\t-1\tA.\n2_10\t0\tTenth.\n2_2\t0\tThen.\n"
    name = "hutto_ICWSM_2014/nytEditorialSnippets_GroundTruth.txt"
    (tmp_path / "hutto_ICWSM_2014.tar.gz").write_bytes(tar_of({name: lines.encode()}))
    monkeypatch.setattr(inputs, "fetch", lambda _: tmp_path)
    assert inputs.editorials() == ["Second. Then. Tenth.", "A. B, with a\ttab."]


WORDS = ["good", "bad", "film", "the", "a", "plot", "never", "again"]


@pytest.fixture
def tokenizer(tmp_path: Path) -> BertTokenizerFast:
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    return BertTokenizerFast(str(tmp_path / "vocab.txt"))


def classifier(seed: int = 0) -> BertForSequenceClassification:
    torch.manual_seed(seed)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    return BertForSequenceClassification(BertConfig(vocab_size=5 + len(WORDS), **sizes)).eval()


def some_reviews(count: int) -> list[inputs.Review]:
    draw = random.Random(1)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(1, 9))) for _ in range(count)]
    return [inputs.Review(text, int("good" in text), f"film {i}") for i, text in enumerate(texts)]


def test_logits_do_not_depend_on_the_batching(tokenizer: BertTokenizerFast) -> None:
    model = classifier()
    reviews = some_reviews(23)
    together = measure.ReviewTest(tokenizer, reviews, batch_size=8)
    alone = measure.ReviewTest(tokenizer, reviews, batch_size=1)
    np.testing.assert_allclose(together.logits(model), alone.logits(model), atol=1e-6)
    np.testing.assert_array_equal(together.labels, alone.labels)
    assert (
        sum(batch["input_ids"].numel() for batch in together.batches) < 23 * 11
    )  # bucketed, not all to the longest
    by_hand = [
        float(model(**tokenizer(review.text, return_tensors="pt")).logits.argmax() == review.label)
        for review in reviews
    ]
    assert together.correct(together.logits(model)).mean() == pytest.approx(np.mean(by_hand))


def test_kl_divergence_is_the_textbook_one() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.normal(0, 3, (2, 50, 3))
    p, q = np.exp(log_softmax(first, axis=1)), np.exp(log_softmax(second, axis=1))
    np.testing.assert_allclose(measure.kl_divergence(first, second), rel_entr(p, q).sum(1), rtol=1e-12)
    assert (measure.kl_divergence(first, first + 7) < 1e-12).all()
    assert np.isfinite(measure.kl_divergence(first * 1e3, second)).all()


def test_interval_is_that_of_the_mean(tokenizer: BertTokenizerFast) -> None:
    test = measure.ReviewTest(tokenizer, some_reviews(400))
    values = np.random.default_rng(2).normal(5, 2, 400)
    estimate = test.estimate(values)
    assert estimate.value == pytest.approx(values.mean())
    half = 1.96 * values.std() / math.sqrt(400)
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.15 * half)
    assert test.estimate(values - values).text(2) == "0.00 [0.00, 0.00]"
    shifted = test.estimate(values + 1)  # the same resamples for all: differences are paired
    assert shifted.low - estimate.low == pytest.approx(1)
    with pytest.raises(ValueError, match="reviews is empty"):
        measure.ReviewTest(tokenizer, [])


def test_table_is_aligned() -> None:
    text = measure.table(("name", "value"), [("a", "1"), (), ("longer", "22.5")])
    assert text.splitlines() == [
        "name    value",
        "-------------",
        "a           1",
        "-------------",
        "longer   22.5",
    ]


def test_batches_hold_every_review_once_with_its_label(tokenizer: BertTokenizerFast) -> None:
    reviews = some_reviews(37)
    recipe = finetune.Recipe(batch_size=8, epochs=2)
    batches = list(finetune._batches(tokenizer, reviews, recipe))
    assert len(batches) == 10
    seen = []
    for batch in batches:
        texts = tokenizer.batch_decode(batch["input_ids"], skip_special_tokens=True)
        seen += list(zip(texts, batch["labels"].tolist(), strict=True))
    assert sorted(seen) == sorted(2 * [(review.text, review.label) for review in reviews])
    again = list(finetune._batches(tokenizer, reviews, recipe))
    assert all(
        torch.equal(one["input_ids"], two["input_ids"]) for one, two in zip(batches, again, strict=True)
    )
    other = list(finetune._batches(tokenizer, reviews, replace(recipe, seed=1)))
    assert [b["input_ids"].shape for b in other] != [b["input_ids"].shape for b in batches]


def test_training_learns_and_changes_every_matrix(tokenizer: BertTokenizerFast) -> None:
    model, reviews = classifier(), some_reviews(160)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    test = measure.ReviewTest(tokenizer, reviews)
    start = test.correct(test.logits(model)).mean()
    finetune._fit(model, tokenizer, reviews, finetune.Recipe(epochs=8, learning_rate=2e-3))
    assert test.correct(test.logits(model)).mean() > max(0.9, start)
    assert not model.training
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {name for name in before if "position_ids" not in name}


def test_pair_is_trained_once_for_a_recipe(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = []

    def train(recipe: finetune.Recipe, target: Path) -> None:
        trained.append(recipe)
        (target / "start").mkdir()
        (target / "finetuned").mkdir()

    monkeypatch.setattr(finetune, "_train", train)
    first = finetune.pair()
    assert finetune.pair() == first
    assert first.start.is_dir()
    assert first.finetuned.is_dir()
    assert finetune.pair(finetune.Recipe(seed=1)) != first
    assert [recipe.seed for recipe in trained] == [0, 1]


@pytest.fixture
def language_model(tmp_path: Path) -> tuple[Path, Any]:
    """A tiny causal model in a folder, and its tokenizer of whole words."""
    vocabulary = {word: i for i, word in enumerate(["<pad>", "<s>", "</s>", *(f"w{i}" for i in range(61))])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    names = ["input_ids", "attention_mask"]  # as SmolLM2's has it
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="</s>", model_input_names=names
    )
    tiny("llama").save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model", tokenizer


def some_articles(count: int) -> list[str]:
    draw = random.Random(2)
    return [" ".join(f"w{draw.randrange(61)}" for _ in range(30)) for _ in range(count)]


def test_token_blocks_are_the_articles_in_a_row(language_model: tuple[Path, Any]) -> None:
    _, tokenizer = language_model
    blocks = language.token_blocks(tokenizer, ["w0 w1 w2", "w3", "w4 w5"], 9, length=4)
    assert blocks.tolist() == [[3, 4, 5, 2], [6, 2, 7, 8]]  # each closed by the end token, the rest cut off
    with pytest.raises(ValueError, match="the articles have 2 tokens, fewer than 9"):
        language.token_blocks(tokenizer, ["w3"], 9)


def test_losses_are_those_of_the_next_tokens() -> None:
    model = tiny("llama")
    blocks = torch.randint(3, 64, (5, 12), generator=torch.Generator().manual_seed(0))
    test = language.LanguageTest(blocks, batch_size=2)
    losses = test.losses(model)
    with torch.no_grad():
        by_hand = [float(model(block[None], labels=block[None]).loss) for block in blocks]
    np.testing.assert_allclose(losses, by_hand, rtol=1e-5)
    estimate = test.perplexity(losses)
    assert estimate.value == pytest.approx(math.exp(np.mean(by_hand)), rel=1e-5)
    assert estimate.low < estimate.value < estimate.high
    worse = test.ratio(losses + math.log(1.5), losses)  # paired: the same factor on every resample
    assert [worse.value, worse.low, worse.high] == pytest.approx([1.5] * 3)


def test_act_two_measures_what_it_wrote(
    language_model: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, tokenizer = language_model
    articles = some_articles(300)
    monkeypatch.setattr(inputs, "smollm2_dir", lambda: source)
    monkeypatch.setattr(inputs, "editorials", lambda: articles)
    monkeypatch.setattr(act_two, "CALIBRATION_TOKENS", 1024)
    monkeypatch.setattr(act_two, "TEST_TOKENS", 512)
    printed = act_two.run(tmp_path / "out")
    folder = tmp_path / "out" / "mi"
    results = json.loads((folder / "results.json").read_text())
    dense, pruned = results["rows"]
    loaded = AutoModelForCausalLM.from_pretrained(folder / "smollm2-pruned").eval()
    assert (dense["ffn_width"], pruned["ffn_width"], loaded.config.intermediate_size) == (24, 16, 16)
    assert pruned["parameters"] == sum(p.numel() for p in loaded.parameters()) < dense["parameters"]
    assert pruned["file_bytes"] == (folder / "smollm2-pruned" / "model.safetensors").stat().st_size
    test = language.LanguageTest(language.token_blocks(tokenizer, articles[200:300], 512))
    assert pruned["perplexity"]["value"] == pytest.approx(test.perplexity(test.losses(loaded)).value)
    ratio = pruned["perplexity"]["value"] / dense["perplexity"]["value"]
    assert pruned["perplexity_ratio"]["value"] == pytest.approx(ratio)
    assert f"{ratio:.2f}x" in printed
    assert all(row["forward_seconds"] > 0 for row in results["rows"])
    same = prune(AutoModelForCausalLM.from_pretrained(source), Plan.load(folder / "plan.json")).model
    assert all(torch.equal(value, same.state_dict()[name]) for name, value in loaded.state_dict().items())
    assert act_two.run(tmp_path / "out")  # a second run takes the place of the first


def test_acts_run_in_order_and_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outs = []
    for name in ("one", "two"):
        act = types.SimpleNamespace(run=lambda out, name=name: outs.append(out) or f"table of {name}")
        monkeypatch.setitem(sys.modules, f"demo.{name}", act)
    monkeypatch.setattr(command, "ACTS", {"one": "the first", "two": "the second"})
    assert command.main(["--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert 0 <= printed.index("table of one") < printed.index("table of two")
    assert outs == [tmp_path, tmp_path]
    assert command.main(["two", "--out", str(tmp_path)]) == 0
    assert "table of one" not in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        command.main(["three"])
    assert caught.value.code == 2


def test_an_input_that_cannot_be_had_ends_the_demo_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(out: Path) -> str:
        raise inputs.InputsError("could not fetch p==1")

    monkeypatch.setitem(sys.modules, "demo.one", types.SimpleNamespace(run=run))
    monkeypatch.setattr(command, "ACTS", {"one": "the first"})
    assert command.main([]) == 1
    assert capsys.readouterr().err.strip() == "demo: could not fetch p==1"
