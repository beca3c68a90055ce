"""MI pruning of a model of SmolLM2-135M's shape: where the seconds go, and peak memory, in a fresh process.

``python -m benchmarks.model_mi`` prints one JSON object: seconds of each part as :func:`pruning_ext.prune`
runs it. The weights and the calibration tokens are random; with ``--real`` they are SmolLM2's own and
articles, from the demo's cache (fetched where they are missing; the demo must be importable:
``PYTHONPATH=examples``).
``--pairs N`` measures instead the peak memory of ``mutual_information_from_codes`` on N rows of codes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from benchmarks.models import SMALL, Stopwatch
from pruning_ext import MIConfig, discretize, export, mutual_information_from_codes, prune, reference
from pruning_ext.bench.harness import WrongResult
from pruning_ext.bench.memory import memory_status
from pruning_ext.config.mi import METRICS
from pruning_ext.models.ffn import find_blocks
from pruning_ext.models.huggingface import quiet_transformers
from pruning_ext.pruners.mi.plan import make_plan

SHAPE = {
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "tie_word_embeddings": True,
}
TOKENS, LENGTH, BATCH = 16384, 256, 8

PARTS = ("collecting", "discretising", "information", "choosing", "refitting")
"""The stages of :func:`pruning_ext.pruners.mi.plan.make_plan`, in order. The Fisher metric is part of
collecting, whose forward pass it shares."""


def run(*, metric: str, threads: int, inplace: bool, real: bool, smoke: bool) -> dict[str, Any]:
    """Prune once and check; memory is the resident set over what the process had before the model."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    mutual_information_from_codes(discretize(torch.randn(64, 64), 4)[0], bins=4)  # loads the library
    empty = memory_status("VmRSS")
    started = time.perf_counter()
    model, calibration = _real() if real else _random(smoke)
    loading = time.perf_counter() - started
    dense = sum(parameter.nbytes for parameter in model.parameters())
    blocks = len(find_blocks(model))
    config = MIConfig(ratio=0.25, selection="joint", metric=metric)
    Path("/proc/self/clear_refs").write_text("5")

    watch = Stopwatch(kept=("discretising", "information"))
    watch.seconds |= dict.fromkeys(PARTS, 0.0)
    seconds = watch.seconds
    started = time.perf_counter()
    made = make_plan(model, config, calibration=calibration, stage=watch)
    result = prune(model, made, inplace=inplace)
    total = time.perf_counter() - started
    peak = memory_status("VmHWM")
    seconds["applying and the rest"] = total - sum(seconds.values())
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, quiet_transformers():
        export(result.model, Path(folder) / "pruned")
        seconds["writing"] = time.perf_counter() - started
    _check(watch.first)
    return {
        "model": "SmolLM2-135M" if real else "random weights" + (", tiny" if smoke else ""),
        "config": config.to_dict(),
        "threads": threads,
        "inplace": inplace,
        "parameters": result.report["parameters"],
        "blocks": blocks,
        "tokens": sum(batch.numel() for batch in calibration),
        "loading_seconds": loading,
        "prune_seconds": total,
        "parts_seconds": seconds,
        "scoring_seconds": seconds["discretising"] + seconds["information"],
        "model_bytes": dense,
        "peak_bytes": peak - empty,
    }


def _random(smoke: bool) -> tuple[Any, list[torch.Tensor]]:
    shape = SHAPE | (SMALL | {"num_key_value_heads": 2} if smoke else {})
    model = LlamaForCausalLM(LlamaConfig(**shape)).eval()
    tokens = torch.randint(shape["vocab_size"], (TOKENS // LENGTH // (8 if smoke else 1), LENGTH))
    return model, list(tokens.split(BATCH))


def _real() -> tuple[Any, list[torch.Tensor]]:
    from demo import inputs
    from demo.language import CALIBRATION, token_blocks

    source = inputs.smollm2_dir()
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
    articles = inputs.editorials()[CALIBRATION]
    return model, list(token_blocks(AutoTokenizer.from_pretrained(source), articles, TOKENS).split(BATCH))


def _check(first: dict[str, Any], columns: int = 5) -> None:
    """The first block's codes and information, as used, against their definitions on some columns."""
    (samples, bins, strategy), _, (codes, _) = first["discretising"]
    _, options, information = first["information"]
    some = samples[:, :columns]
    expected = reference.encode(some, reference.edges_of(some, bins, strategy))
    if not torch.equal(codes[:columns], expected):
        raise WrongResult("the codes are not those of the definition")
    truth = reference.mutual_information_from_codes(expected, expected, **options)
    error = float((information[:columns, :columns] - truth).abs().max())
    if not error <= 1e-6:
        raise WrongResult(f"mutual information is off by {error:.3g} nats, more than 1e-6")


def run_pairs(*, pairs: int, tokens: int, threads: int) -> dict[str, Any]:
    """Seconds and peak memory of all pairs of ``pairs`` rows of ``tokens`` codes, the codes included."""
    torch.set_num_threads(threads)
    mutual_information_from_codes(torch.zeros(64, 64, dtype=torch.uint8), bins=16)  # loads the library
    Path("/proc/self/clear_refs").write_text("5")
    empty = memory_status("VmRSS")
    codes = torch.randint(16, (pairs, tokens), dtype=torch.uint8)
    started = time.perf_counter()
    information = mutual_information_from_codes(codes, bins=16)
    seconds = time.perf_counter() - started
    peak = memory_status("VmHWM")
    truth = reference.mutual_information_from_codes(codes[-5:], codes[-5:], bins=16)
    error = float((information[-5:, -5:] - truth).abs().max())
    if not error <= 1e-6:
        raise WrongResult(f"mutual information is off by {error:.3g} nats, more than 1e-6")
    return {
        "rows": pairs,
        "samples": tokens,
        "bins": 16,
        "threads": threads,
        "seconds": seconds,
        "pair_samples_per_second": pairs * (pairs + 1) / 2 * tokens / seconds,
        "codes_bytes": codes.nbytes,
        "information_bytes": information.nbytes,
        "peak_bytes": peak - empty,
        "error": error,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model_mi", description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--metric", choices=METRICS, default=MIConfig(ratio=0.25).metric)
    parser.add_argument("--inplace", action="store_true", help="prune the model itself, not a copy")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--real", action="store_true", help="SmolLM2-135M on articles")
    kind.add_argument("--smoke", action="store_true", help="a tiny model, to see that it runs")
    kind.add_argument("--pairs", type=int, metavar="N", help="all pairs of N rows of codes only")
    parser.add_argument("--tokens", type=int, default=16384, help="with --pairs: codes in a row")
    chosen = parser.parse_args()
    if chosen.pairs is not None:
        print(json.dumps(run_pairs(pairs=chosen.pairs, tokens=chosen.tokens, threads=chosen.threads)))
        return
    flags = {name: getattr(chosen, name) for name in ("metric", "threads", "inplace", "real", "smoke")}
    print(json.dumps(run(**flags)))


if __name__ == "__main__":
    main()
