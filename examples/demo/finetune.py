"""MiniLM fine-tuned on film reviews, once: the (start, fine-tuned) pair that KEN is shown on.

Every weight is trained, embeddings included, as an ordinary user would do it. So every tensor differs,
but the embeddings of words that no training review uses do not.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from demo import inputs


@dataclass(frozen=True)
class Recipe:
    """How the model is trained, on the first ``reviews``; ``max_tokens`` cuts one review in a hundred."""

    reviews: int = 3200
    epochs: int = 1
    batch_size: int = 16
    learning_rate: float = 2e-4
    warmup: float = 0.1
    max_tokens: int = 56
    seed: int = 0


@dataclass(frozen=True)
class Pair:
    """Directories for ``from_pretrained``: the classifier before training (its head random) and after."""

    start: Path
    finetuned: Path


def pair(recipe: Recipe | None = None) -> Pair:
    """The pair trained by ``recipe``, from the cache if it was trained before."""
    recipe = recipe or Recipe()
    digest = hashlib.sha256(json.dumps(asdict(recipe), sort_keys=True).encode()).hexdigest()[:8]
    folder = inputs.cached(f"minilm-reviews-{digest}", lambda staging: _train(recipe, staging))
    return Pair(folder / "start", folder / "finetuned")


def _train(recipe: Recipe, target: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    source = inputs.minilm_dir()
    training = inputs.reviews().train[: recipe.reviews]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        tokenizer = AutoTokenizer.from_pretrained(source)
        names = {"id2label": {0: "rotten", 1: "fresh"}, "label2id": {"rotten": 0, "fresh": 1}}
        model = AutoModelForSequenceClassification.from_pretrained(source, dtype=torch.float32, **names)
        for part in (model, tokenizer):
            part.save_pretrained(target / "start")
        _fit(model, tokenizer, training, recipe)
        for part in (model, tokenizer):
            part.save_pretrained(target / "finetuned")
    (target / "recipe.json").write_text(json.dumps(asdict(recipe), indent=2) + "\n")


def _fit(model: Any, tokenizer: Any, training: list[inputs.Review], recipe: Recipe) -> None:
    """AdamW without decay, linear warm-up and decay, cross-entropy."""
    steps = recipe.epochs * -(-len(training) // recipe.batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=0.0, fused=True)
    ramp = max(1, round(recipe.warmup * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / ramp, (steps - step) / max(1, steps - ramp))
    )
    model.train()
    smoothed = None
    with tqdm(total=steps, desc="fine-tuning MiniLM", unit="step", disable=None) as bar:
        for batch in _batches(tokenizer, training, recipe):
            loss = model(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            smoothed = loss.item() if smoothed is None else 0.98 * smoothed + 0.02 * loss.item()
            bar.set_postfix(loss=f"{smoothed:.3f}", refresh=False)
            bar.update()
    model.eval()


def _batches(tokenizer: Any, training: list[inputs.Review], recipe: Recipe) -> Iterator[dict[str, Tensor]]:
    """Shuffled batches of reviews of similar length, so that little padding is computed."""
    shuffle = random.Random(recipe.seed)
    texts = [review.text for review in training]
    ids = tokenizer(texts, truncation=True, max_length=recipe.max_tokens)["input_ids"]
    window = 50 * recipe.batch_size
    for _ in range(recipe.epochs):
        order = shuffle.sample(range(len(ids)), len(ids))
        batches = []
        for start in range(0, len(order), window):
            near = sorted(order[start : start + window], key=lambda index: len(ids[index]))
            batches += [near[at : at + recipe.batch_size] for at in range(0, len(near), recipe.batch_size)]
        shuffle.shuffle(batches)
        for batch in batches:
            padded = tokenizer.pad({"input_ids": [ids[index] for index in batch]}, return_tensors="pt")
            yield {**padded, "labels": torch.tensor([training[index].label for index in batch])}
