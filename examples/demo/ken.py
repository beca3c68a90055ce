"""Act one: KEN on MiniLM fine-tuned on film reviews, beside the criteria it competes with.

Every arm resets the same number of weights in each row to their pretrained values; only the choice of
weights differs. What is lost shows in the accuracy on reviews of unseen films and, far more clearly at this
sample size, in the KL divergence of the class probabilities from those of the fine-tuned model.
"""

from __future__ import annotations

import copy
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn
from tqdm import tqdm
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

import pruning_ext
from demo import finetune, inputs
from demo.measure import Array, Estimate, ReviewTest, kl_divergence, table
from pruning_ext import KENConfig, load_delta, prune, save_delta
from pruning_ext.storage.files import write_json
from pruning_ext.storage.sizes import size_text

DENSITIES = (0.75, 0.5, 0.25, 0.1)
CRITERIA = ("ken", "density", "magnitude", "delta", "random")
REVIEWS = 320
RELOADED = 0.25


@dataclass(frozen=True)
class Arm:
    """One row of the table: what was kept, and per review whether it was right and how far it moved.

    ``entries``, ``delta_bytes`` and ``seconds`` are ``None`` for the models that are not pruned.
    """

    criterion: str
    density: float | None
    correct: Array
    kl: Array
    entries: int | None = None
    delta_bytes: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Stage:
    """What all arms share."""

    tuned: nn.Module
    start: nn.Module
    test: ReviewTest
    reference: Array
    folder: Path

    def arm(self, criterion: str, density: float | None, model: nn.Module, **costs: Any) -> Arm:
        logits = self.test.logits(model)
        kl = kl_divergence(self.reference, logits)
        return Arm(criterion, density, self.test.correct(logits), kl, **costs)


def run(out: Path) -> str:
    """Prune, measure, and return the act's table.

    ``out/ken`` gets ``results.json`` and KEN's delta directories, ``ken-<density>``.
    """
    started = time.perf_counter()
    pair = finetune.pair()
    tuned = AutoModelForSequenceClassification.from_pretrained(pair.finetuned, dtype=torch.float32).eval()
    start = AutoModel.from_pretrained(pair.start, dtype=torch.float32).eval()  # without a head: that is new
    test = ReviewTest(AutoTokenizer.from_pretrained(pair.finetuned), inputs.reviews().test[:REVIEWS])
    stage = Stage(tuned, start, test, test.logits(tuned), out / "ken")
    stage.folder.mkdir(parents=True, exist_ok=True)
    dense_bytes = (pair.finetuned / "model.safetensors").stat().st_size

    arms = [*_unpruned(stage), *_pruned(stage)]
    differences = _differences(stage, arms)
    reloaded = _reload(stage)
    results = {
        "act": "ken",
        "model": "all-MiniLM-L6-v2 fine-tuned on film reviews",
        "recipe": asdict(finetune.Recipe()),
        "reviews": REVIEWS,
        "interval": "95 % percentile bootstrap over reviews, with the same resamples for all arms",
        "dense_bytes": dense_bytes,
        "machine": machine(),
        "seconds": time.perf_counter() - started,
        "arms": [_record(stage, arm) for arm in arms],
        "kl_of_ken_minus": {
            f"{density:g}": {other: asdict(estimate) for other, estimate in row.items()}
            for density, row in differences.items()
        },
    }
    write_json(stage.folder / "results.json", results)
    return "\n\n".join([_table(stage, arms, dense_bytes), _difference_table(differences), reloaded])


def machine() -> dict[str, Any]:
    """What the figures depend on besides the code."""
    return {
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "pruning_ext": pruning_ext.__version__,
    }


def _unpruned(stage: Stage) -> Iterator[Arm]:
    """The two ends: the fine-tuned model, and the pretrained one under the trained head."""
    yield Arm("fine-tuned", None, stage.test.correct(stage.reference), np.zeros(len(stage.reference)))
    headed = copy.deepcopy(stage.tuned)
    headed.base_model.load_state_dict(stage.start.state_dict())
    yield stage.arm("pretrained + trained head", None, headed)


def _pruned(stage: Stage) -> Iterator[Arm]:
    plans = [(density, criterion) for density in DENSITIES for criterion in CRITERIA]
    for density, criterion in tqdm(plans, desc="prune and measure", unit="arm", leave=False, disable=None):
        config = KENConfig(density=density, criterion=criterion)
        began = time.perf_counter()
        result = prune(stage.tuned, config, pretrained=stage.start)
        seconds = time.perf_counter() - began
        with tempfile.TemporaryDirectory(prefix=".delta-", dir=stage.folder) as scratch:
            kept = stage.folder / f"ken-{density:g}"
            directory = kept if criterion == "ken" else Path(scratch) / "delta"
            save_delta(result.model, stage.start, directory, overwrite=True)
            size = sum(file.stat().st_size for file in directory.iterdir())
        costs = {"entries": result.report["kept"], "delta_bytes": size, "seconds": seconds}
        yield stage.arm(criterion, density, result.model, **costs)


def _reload(stage: Stage) -> str:
    """Load one delta onto the pretrained model and hold it against pruning again, bit for bit."""
    directory = stage.folder / f"ken-{RELOADED:g}"
    loaded = load_delta(stage.start, directory).state_dict()
    config = KENConfig(density=RELOADED)
    pruned = prune(stage.tuned, config, pretrained=stage.start).model.state_dict()
    same = sum(torch.equal(loaded[name], tensor) for name, tensor in pruned.items())
    if same != len(pruned):
        raise RuntimeError(f"{directory} gives {same} of {len(pruned)} tensors back as they were saved")
    return (
        f"{directory}, loaded onto the pretrained model: all {same} tensors bit-identical to the pruned ones"
    )


def _record(stage: Stage, arm: Arm) -> dict[str, Any]:
    return {
        "criterion": arm.criterion,
        "density": arm.density,
        "entries_kept": arm.entries,
        "accuracy": asdict(stage.test.estimate(arm.correct)),
        "kl_nats": asdict(stage.test.estimate(arm.kl)),
        "delta_bytes": arm.delta_bytes,
        "prune_seconds": arm.seconds,
    }


def _table(stage: Stage, arms: list[Arm], dense_bytes: int) -> str:
    header = ("criterion", "density", "kept", "accuracy [95 %]", "KL, nats [95 %]", "delta", "of dense", "s")
    rows: list[tuple[str, ...]] = []
    density = arms[0].density
    for arm in arms:
        if arm.density != density:
            rows.append(())
            density = arm.density
        rows.append(_cells(stage, arm, dense_bytes))
    title = f"KEN on MiniLM, {REVIEWS} reviews of unseen films; the dense file has {size_text(dense_bytes)}"
    return f"{title}\n\n{table(header, rows)}"


def _cells(stage: Stage, arm: Arm, dense_bytes: int) -> tuple[str, ...]:
    costs = ("-", "-", "-")
    if arm.delta_bytes is not None:
        costs = (
            size_text(arm.delta_bytes),
            f"{arm.delta_bytes / dense_bytes:.1%}",
            f"{arm.seconds:.2f}",
        )
    return (
        arm.criterion,
        "-" if arm.density is None else f"{arm.density:g}",
        "-" if arm.entries is None else f"{arm.entries:,}",
        stage.test.estimate(arm.correct).text(3),
        stage.test.estimate(arm.kl).text(4),
        *costs,
    )


def _differences(stage: Stage, arms: list[Arm]) -> dict[float, dict[str, Estimate]]:
    """Per density, KL of KEN minus that of each other criterion, paired by review: below 0 KEN is better."""
    pruned = {(arm.density, arm.criterion): arm.kl for arm in arms if arm.density is not None}
    others = [criterion for criterion in CRITERIA if criterion != "ken"]
    return {
        density: {
            other: stage.test.estimate(pruned[density, "ken"] - pruned[density, other]) for other in others
        }
        for density in DENSITIES
    }


def _difference_table(differences: dict[float, dict[str, Estimate]]) -> str:
    header = ("density", *(f"ken - {other}" for other in next(iter(differences.values()))))
    rows = [
        (f"{density:g}", *(estimate.text(4, signed=True) for estimate in row.values()))
        for density, row in differences.items()
    ]
    title = "KL of ken minus KL of the others, paired by review (below 0: ken is better)"
    return f"{title}\n\n{table(header, rows)}"
