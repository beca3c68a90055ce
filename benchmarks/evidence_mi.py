"""The evidence on MI pruning: the loss after each selection of FFN neurons, with and without refitting.

``python -m benchmarks.evidence_mi`` (with ``examples`` on the path) measures arms = model x seed x selection
x estimator x ratio x compensation and writes each as soon as it is done, so it can be stopped at any time and
run in slices (``--models``, ``--seeds``, ``--minutes``); arms that are in the file are not run again.
``--table`` prints what is there, ``--missing`` the arms that are not.

SmolLM2-135M: perplexity on articles that the calibration did not see. MiniLM fine-tuned on film reviews:
accuracy, and KL divergence of its class probabilities from the unpruned model's, on reviews of unseen films.
A seed draws the calibration texts, the sampled tokens and every random choice; the test texts are always the
same, and what is stored of each arm is its loss on each of them.

Arms of one seed share the statistics of one pass, through the functions that ``pruning_ext.prune`` itself
calls; the arms ``recalibrate`` and ``global`` go through ``prune``.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
import transformers
from demo import finetune, inputs
from demo.language import CALIBRATION, TEST, LanguageTest, token_blocks
from demo.measure import ReviewTest, kl_divergence
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

import pruning_ext
from benchmarks.evidence_mi_table import tables
from pruning_ext import Calibration, MIConfig, prune
from pruning_ext.bench.environment import processor, write_results
from pruning_ext.calibration.batches import read_batches
from pruning_ext.calibration.sensitivity import column_sensitivity
from pruning_ext.calibration.statistics import BlockStatistics, Wanted, gather
from pruning_ext.choices.compensations import COMPENSATIONS
from pruning_ext.choices.estimators import ESTIMATORS
from pruning_ext.choices.selections import SELECTIONS
from pruning_ext.models.ffn import FFNBlock, find_blocks
from pruning_ext.pruners import ModelSummary, Plan
from pruning_ext.pruners.mi.blocks import removal_limit
from pruning_ext.pruners.mi.decision import Evidence, decide, estimate_information
from pruning_ext.pruners.mi.layers import describe_layer
from pruning_ext.storage.files import read_json

RATIOS = (0.125, 0.25, 0.5)
SEEDS = (0, 1, 2)
CALIBRATION_TOKENS, TEST_TOKENS = 16384, 8192
CALIBRATION_REVIEWS, TEST_REVIEWS = 600, 400
RESULTS = Path(__file__).parent / "results" / "evidence_mi.json"


class Arm(NamedTuple):
    """One row; ``variant`` is ``"one pass"``, ``"recalibrate"``, or ``"global"``."""

    model: str
    seed: int
    selection: str
    estimator: str
    ratio: float
    compensation: str
    metric: str = "norm"
    variant: str = "one pass"

    @property
    def key(self) -> str:
        return " / ".join(map(str, self))

    @property
    def config(self) -> MIConfig:
        return MIConfig(
            ratio=self.ratio,
            selection=self.selection,
            estimator=self.estimator if SELECTIONS[self.selection].pairwise else "histogram",
            compensation=self.compensation,
            metric=self.metric,
            seed=self.seed,
            allocation="global" if self.variant == "global" else "uniform",
            recalibrate=self.variant == "recalibrate",
            blocks_per_pass=6 if self.variant == "recalibrate" else None,
        )


def arms(model: str, seed: int) -> list[Arm]:
    """All arms of a model and a seed, those that share an estimate side by side."""
    kinds = [(s.name, e) for e in ESTIMATORS.names for s in SELECTIONS if s.pairwise]
    kinds += [(s.name, "-") for s in SELECTIONS if not s.pairwise]
    metrics = {"joint": ("norm", "fisher"), "importance": ("norm", "fisher")}
    found = [
        Arm(model, seed, selection, estimator, ratio, compensation, metric)
        for (selection, estimator), ratio, compensation in itertools.product(
            kinds, RATIOS, COMPENSATIONS.names
        )
        for metric in metrics.get(selection, ("norm",))
    ]
    found += [Arm(model, seed, "importance", "-", ratio, "ridge", "fisher", "global") for ratio in RATIOS]
    if seed == SEEDS[0]:  # a pass for every few blocks: measured once, where the default is judged
        found.append(Arm(model, seed, "importance", "-", 0.25, "ridge", "fisher", "recalibrate"))
    return found


class TestedModel(Protocol):
    """A model with its calibration texts and the loss of each test text."""

    model: nn.Module

    def calibration(self, seed: int) -> Any:
        """The texts that a seed draws."""

    def losses(self, model: nn.Module) -> dict[str, list[float]]:
        """By measure, a value for each test text."""


class SmolLM2:
    """Losses in nats per token of each block of 256, in bfloat16, as the weights are published."""

    def __init__(self) -> None:
        source = inputs.smollm2_dir()
        tokenizer = AutoTokenizer.from_pretrained(source)
        articles = inputs.editorials()
        self.model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
        texts = sum(len(tokenizer(article)["input_ids"]) + 1 for article in articles[CALIBRATION])
        self.blocks = token_blocks(tokenizer, articles[CALIBRATION], texts)
        self.test = LanguageTest(token_blocks(tokenizer, articles[TEST], TEST_TOKENS))

    def calibration(self, seed: int) -> list[Tensor]:
        order = torch.randperm(len(self.blocks), generator=torch.Generator().manual_seed(seed))
        return list(self.blocks[order[: CALIBRATION_TOKENS // self.blocks.shape[1]]].split(8))

    def losses(self, model: nn.Module) -> dict[str, list[float]]:
        return {"loss": self.test.losses(deepcopy(model).to(torch.bfloat16)).round(6).tolist()}


class MiniLM:
    """Whether each review is judged right, and KL(unpruned || pruned) in nats."""

    def __init__(self) -> None:
        source = finetune.pair().finetuned
        self.tokenizer = AutoTokenizer.from_pretrained(source)
        self.model = AutoModelForSequenceClassification.from_pretrained(source, dtype=torch.float32).eval()
        split = inputs.reviews()
        self.reviews = [review.text for review in split.train]
        self.test = ReviewTest(self.tokenizer, split.test[:TEST_REVIEWS])
        self.reference = self.test.logits(self.model)

    def calibration(self, seed: int) -> Calibration:
        order = np.random.default_rng(seed).permutation(len(self.reviews))[:CALIBRATION_REVIEWS]
        return Calibration([self.reviews[i] for i in order], self.tokenizer, max_length=64, batch_size=32)

    def losses(self, model: nn.Module) -> dict[str, list[float]]:
        logits = self.test.logits(model)
        correct, kl = self.test.correct(logits), kl_divergence(self.reference, logits)
        return {"correct": correct.astype(int).tolist(), "kl": kl.round(8).tolist()}


MODELS: dict[str, Callable[[], TestedModel]] = {"SmolLM2-135M": SmolLM2, "MiniLM": MiniLM}


@dataclass
class Shared:
    """The statistics of one seed, and the information of the estimator that was asked for last."""

    tested: TestedModel
    blocks: list[FFNBlock]
    statistics: list[BlockStatistics]
    columns: dict[str, list[Tensor]]
    estimator: str = ""
    information: Sequence[Tensor | None] = ()

    @classmethod
    def gathered(cls, tested: TestedModel, seed: int) -> Shared:
        blocks = find_blocks(tested.model)
        batches = read_batches(tested.model, tested.calibration(seed))
        wanted = Wanted(True, MIConfig(ratio=0.5).tokens, seed)
        bar = sys.stderr.isatty()
        statistics = gather(tested.model, blocks, batches, wanted, show_progress=bar)
        columns = {
            "norm": [block.down_weight.double().norm(dim=0) for block in blocks],
            "fisher": column_sensitivity(tested.model, blocks, batches, seed=seed, show_progress=bar),
        }
        return cls(tested, blocks, statistics, columns)

    def plan(self, arm: Arm) -> Plan:
        """The plan that ``pruning_ext.plan`` makes of the same statistics, by the same functions."""
        config = arm.config
        if config.pairwise and arm.estimator != self.estimator:
            # both take a uniform choice of tokens; the samples are in no order that matters
            self.information = [
                estimate_information(s.samples[:: max(1, len(s.samples) // config.tokens)], config)
                for s in self.statistics
            ]
            self.estimator = arm.estimator
        layers, tensors = [], {}
        for number, (block, found) in enumerate(zip(self.blocks, self.statistics, strict=True)):
            evidence = Evidence(
                block,
                number,
                limit=removal_limit(config, block),
                reading=self.columns[arm.metric][number],
                statistics=found,
                information=self.information[number] if config.pairwise else None,
            )
            layer, new = describe_layer(decide(evidence, config))
            layers.append(layer)
            tensors |= new
        return Plan(config, ModelSummary.of(self.tested.model), tuple(layers), tensors)


def run(arm: Arm, shared: Shared) -> dict[str, Any]:
    """Prune by ``arm`` and measure."""
    start = time.perf_counter()
    model = shared.tested.model
    if arm.variant == "one pass":
        pruned = prune(model, shared.plan(arm)).model
    else:
        pruned = prune(model, arm.config, calibration=shared.tested.calibration(arm.seed)).model
    seconds = time.perf_counter() - start
    return arm._asdict() | {"seconds": round(seconds, 1), **shared.tested.losses(pruned)}


def missing(document: dict[str, Any], models: Sequence[str], seeds: Sequence[int]) -> list[Arm]:
    """The arms of the product's choices that are not in ``document``."""
    planned = (arm for name in models for seed in seeds for arm in arms(name, seed))
    return [arm for arm in planned if arm.key not in document["arms"]]


def pending(
    document: dict[str, Any], models: Sequence[str], seeds: Sequence[int]
) -> Iterator[tuple[Arm, Shared]]:
    """The arms that are not in ``document``; models and statistics are made when an arm first needs them."""
    for name in models:
        tested: TestedModel | None = None
        for seed in seeds:
            wanted = missing(document, [name], [seed])
            if not wanted:
                continue
            tested = tested or MODELS[name]()
            document["dense"].setdefault(name, tested.losses(tested.model))
            shared = Shared.gathered(tested, seed)
            for arm in wanted:
                yield arm, shared


def new_document() -> dict[str, Any]:
    return {
        "machine": {"processor": processor(), "threads": torch.get_num_threads()},
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "pruning_ext": pruning_ext.__version__,
        },
        "defaults": MIConfig(ratio=0.25).to_dict(),
        "calibration_tokens": CALIBRATION_TOKENS,
        "test_tokens": TEST_TOKENS,
        "calibration_reviews": CALIBRATION_REVIEWS,
        "test_reviews": TEST_REVIEWS,
        "dense": {},
        "arms": {},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--ratios", nargs="+", type=float, default=list(RATIOS))
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no arm after this long")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="print the tables of the results and stop")
    parser.add_argument("--missing", action="store_true", help="print the arms not measured yet and stop")
    args = parser.parse_args(arguments)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    document = read_json(args.results) if args.results.exists() else new_document()
    start = time.monotonic()
    if args.missing:
        for arm in missing(document, args.models, args.seeds):
            if arm.ratio in args.ratios:
                print(arm.key)
        return 0
    if not args.table:
        for arm, shared in pending(document, args.models, args.seeds):
            if time.monotonic() - start > 60 * args.minutes:
                break
            if arm.ratio not in args.ratios:
                continue
            document["arms"][arm.key] = run(arm, shared)
            args.results.parent.mkdir(parents=True, exist_ok=True)
            write_results(args.results, document)
            print(f"{time.monotonic() - start:7.0f} s  {arm.key}", file=sys.stderr, flush=True)
    print(tables(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
