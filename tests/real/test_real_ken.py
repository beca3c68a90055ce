"""KEN on a fine-tuned MiniLM: masks against the published routine, and through a delta and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from demo import finetune, inputs, ken
from demo.measure import ReviewTest
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from pruning_ext import KENConfig, load_delta, prune, save_delta
from pruning_ext.bench.baselines.published_ken import published_ken_mask
from pruning_ext.ops import ken_mask

pytestmark = pytest.mark.real

# Rows taken of each kind of tensor, over all layers together. The published routine takes 7 ms for a row of
# 384 entries and 90 ms for one of 1536.
ROWS = {
    "embeddings.word_embeddings": 600,
    "embeddings.position_embeddings": 100,
    "embeddings.token_type_embeddings": 2,
    "attention.self.query": 150,
    "attention.self.key": 150,
    "attention.self.value": 150,
    "attention.output.dense": 150,
    "intermediate.dense": 480,
    "output.dense": 120,
    "pooler.dense": 150,
    "classifier": 2,
}


def spread(weight: Tensor, count: int) -> Tensor:
    """``count`` rows of ``weight``, evenly spread, first and last included."""
    return weight[torch.linspace(0, len(weight) - 1, min(count, len(weight))).round().long()]


def kinds(folder: Path, divisor: int = 1) -> Iterator[tuple[str, list[tuple[str, Tensor]]]]:
    """Each kind of tensor with ``(name, rows)`` from all tensors of that kind."""
    matrices = {name: x for name, x in load_file(folder / "model.safetensors").items() if x.dim() == 2}
    seen = set()
    for kind, count in ROWS.items():
        names = [name for name in matrices if name.endswith(f".{kind}.weight") or name == f"{kind}.weight"]
        if kind == "output.dense":
            names = [name for name in names if "attention" not in name]
        seen |= set(names)
        share = max(1, count // divisor // len(names))
        yield kind, [(name, spread(matrices[name], share)) for name in names]
    assert seen == set(matrices), f"no kind covers {set(matrices) - seen}"


def assert_identical(name: str, rows: Tensor, k: int) -> None:
    theirs = torch.from_numpy(published_ken_mask(rows.numpy(), k))
    ours = ken_mask(rows, k, keep_ties=True)
    wrong = (ours != theirs).any(1).nonzero().flatten().tolist()
    assert not wrong, f"{name}, k={k}: rows {wrong} of the {len(rows)} taken differ"


@pytest.mark.slow
def test_masks_are_the_published_ones_at_half_density(pair: finetune.Pair) -> None:
    checked = 0
    for _, tensors in kinds(pair.finetuned):
        for name, rows in tensors:
            assert_identical(name, rows, rows.shape[1] // 2)
            checked += len(rows)
    assert checked >= 2000


@pytest.mark.parametrize("density", [0.1, 0.25, 0.75])
def test_masks_are_the_published_ones_at_other_densities(pair: finetune.Pair, density: float) -> None:
    for _, tensors in kinds(pair.finetuned, divisor=20):
        for name, rows in tensors:
            assert_identical(name, rows, round(density * rows.shape[1]))


@pytest.fixture(scope="module")
def models(pair: finetune.Pair) -> tuple[nn.Module, nn.Module]:
    tuned = AutoModelForSequenceClassification.from_pretrained(pair.finetuned, dtype=torch.float32)
    return tuned.eval(), AutoModel.from_pretrained(pair.start, dtype=torch.float32).eval()


def fingerprint(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


def test_prune_save_load(
    models: tuple[nn.Module, nn.Module], pair: finetune.Pair, reviews: inputs.ReviewSplit, tmp_path: Path
) -> None:
    tuned, start = models
    before = fingerprint(tuned), fingerprint(start)
    result = prune(tuned, KENConfig(density=0.25), pretrained=start)
    save_delta(result.model, start, tmp_path / "delta")
    loaded = load_delta(start, tmp_path / "delta")

    assert (fingerprint(tuned), fingerprint(start)) == before
    assert fingerprint(loaded) == fingerprint(result.model)
    base, whole = start.state_dict(), tuned.state_dict()
    for name, pruned in result.model.state_dict().items():
        if name.startswith("classifier") or pruned.dim() < 2:
            assert torch.equal(pruned, whole[name]), name
            continue
        origin = base[name.removeprefix("bert.")]
        k = round(0.25 * pruned.shape[1])
        mask = ken_mask(whole[name], k)
        assert torch.equal(pruned, torch.where(mask, whole[name], origin)), name
    size = sum(file.stat().st_size for file in (tmp_path / "delta").iterdir())
    assert size < 0.25 * (pair.finetuned / "model.safetensors").stat().st_size

    test = ReviewTest(AutoTokenizer.from_pretrained(pair.finetuned), reviews.test[:16])
    assert (test.logits(loaded) == test.logits(result.model)).all()
    assert (test.logits(loaded) != test.logits(tuned)).any()


def test_fine_tuning_learned_something(
    models: tuple[nn.Module, nn.Module], pair: finetune.Pair, reviews: inputs.ReviewSplit
) -> None:
    test = ReviewTest(AutoTokenizer.from_pretrained(pair.finetuned), reviews.test[:200])
    assert test.correct(test.logits(models[0])).mean() > max(0.7, test.labels.mean())  # not the larger class


@pytest.mark.slow
def test_act_runs_and_leaves_what_it_says(
    pair: finetune.Pair, reviews: inputs.ReviewSplit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ken, "REVIEWS", 24)
    monkeypatch.setattr(ken, "DENSITIES", (0.5, 0.25))
    monkeypatch.setattr(ken, "CRITERIA", ("ken", "random"))
    text = ken.run(tmp_path)

    results = json.loads((tmp_path / "ken" / "results.json").read_text())
    arms = [(arm["criterion"], arm["density"]) for arm in results["arms"]]
    assert arms[2:] == [("ken", 0.5), ("random", 0.5), ("ken", 0.25), ("random", 0.25)]
    assert results["arms"][0]["kl_nats"]["value"] == 0
    assert results["arms"][2]["kl_nats"]["value"] < results["arms"][1]["kl_nats"]["value"]
    assert results["arms"][2]["delta_bytes"] > results["arms"][4]["delta_bytes"]
    assert "bit-identical" in text
    left = sorted(path.name for path in (tmp_path / "ken").iterdir())
    assert left == ["ken-0.25", "ken-0.5", "results.json"]
