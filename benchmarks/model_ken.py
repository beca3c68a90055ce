"""KEN over a whole model of BERT-base's shape: seconds and peak memory, in a process of its own.

``python -m benchmarks.model_ken`` prints one JSON object. The models are random, 110M parameters each, the
tuned one the base plus noise.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertModel

from benchmarks.models import SMALL
from pruning_ext import KENConfig, ken_mask, load_delta, prune, prune_to_delta
from pruning_ext.bench.harness import WrongResult
from pruning_ext.bench.memory import memory_status, peak_own_memory

WAYS = ("inplace", "copy", "files")
"""The tuned model itself; a copy of it; both models mapped from files, the result written as a delta."""


def run(*, way: str, density: float, criterion: str, threads: int, smoke: bool) -> dict[str, Any]:
    """Prune once in one of :data:`WAYS`, check the result, and say what it took."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    ken_mask(torch.randn(64, 64), 32)  # loads the library and starts the threads
    empty = memory_status("VmRSS")
    base = BertModel(BertConfig(**(SMALL if smoke else {}))).eval()
    tuned = BertModel(base.config).eval()
    with torch.no_grad():
        for new, old in zip(tuned.parameters(), base.parameters(), strict=True):
            new.copy_(old).add_(torch.randn_like(old), alpha=0.002)
    weight, reset = (model.encoder.layer[0].output.dense.weight.detach().clone() for model in (tuned, base))
    found: dict[str, Any] = {
        "way": way,
        "density": density,
        "criterion": criterion,
        "threads": threads,
        "parameters": sum(parameter.numel() for parameter in base.parameters()),
        "models_bytes": 2 * sum(parameter.nbytes for parameter in base.parameters()),
    }
    config = KENConfig(density=density, criterion=criterion)
    if way == "files":
        left = _from_files(found, tuned, base, config)
    else:
        left = _in_memory(found, tuned, base, config, empty)
    if criterion == "ken":
        expected = torch.where(ken_mask(weight, round(density * weight.shape[1])), weight, reset)
        if not torch.equal(left.encoder.layer[0].output.dense.weight, expected):
            raise WrongResult("the pruned model does not hold what ken_mask keeps")
    return found


def _in_memory(found: dict[str, Any], tuned: Any, base: Any, config: KENConfig, empty: int) -> Any:
    """Memory is the resident set over what the process had before the models."""
    Path("/proc/self/clear_refs").write_text("5")
    resident = memory_status("VmRSS")
    started = time.perf_counter()
    result = prune(tuned, config, pretrained=base, inplace=found["way"] == "inplace")
    found["seconds"] = time.perf_counter() - started
    peak = memory_status("VmHWM") - empty
    found |= {"resident_with_models_bytes": resident - empty, "peak_bytes": peak}
    found["peak_over_models"] = peak / found["models_bytes"]
    return result.model


def _from_files(found: dict[str, Any], tuned: Any, base: Any, config: KENConfig) -> Any:
    """Memory is the process's own, without the models' pages, which are mapped from their files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tuned.save_pretrained(folder / "tuned")
        base.save_pretrained(folder / "base")
        size = max(
            len(file.read_bytes()) for file in folder.glob("*/*.safetensors")
        )  # so that all are cached
        tuned, base = (BertModel.from_pretrained(folder / each) for each in ("tuned", "base"))
        started = time.perf_counter()
        peak = peak_own_memory(
            lambda: prune_to_delta(tuned, config, folder / "delta", pretrained=base, max_shard_size=size // 8)
        )
        found |= {"seconds": time.perf_counter() - started, "peak_bytes": peak}
        found["peak_over_models"] = peak / found["models_bytes"]
        return load_delta(base, folder / "delta")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model_ken", description=__doc__)
    parser.add_argument("--density", type=float, default=0.5)
    parser.add_argument("--criterion", default="ken")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--way", choices=WAYS, default="copy", help="the tuned model itself, a copy, or files"
    )
    parser.add_argument("--smoke", action="store_true", help="a tiny model, to see that it runs")
    print(json.dumps(run(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
