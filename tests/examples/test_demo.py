"""The demo without its models: the measures, the table, the acts and the command line."""

from __future__ import annotations

import json
import math
import random
import sys
import types
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
from tests.tiny_models import tiny

ROOT = Path(__file__).resolve().parents[2]

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
