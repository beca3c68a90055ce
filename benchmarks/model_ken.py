"""KEN over a whole model of BERT-base's shape: seconds and peak memory, in a process of its own.

``python -m benchmarks.model_ken`` prints one JSON object. The models are random, 110M parameters each, the
tuned one the base plus noise.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertModel

from pruning_ext import KENConfig, ken_mask, prune
from pruning_ext.bench.harness import WrongResult
from pruning_ext.bench.memory import memory_status

SMALL = {
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "intermediate_size": 256,
    "vocab_size": 500,
}


def run(*, density: float, criterion: str, threads: int, inplace: bool, smoke: bool) -> dict[str, Any]:
    """Prune once and check; memory is the resident set over what the process had before the models."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    ken_mask(torch.randn(64, 64), 32)  # loads the library and starts the threads
    empty = memory_status("VmRSS")
    base = BertModel(BertConfig(**(SMALL if smoke else {}))).eval()
    tuned = BertModel(base.config).eval()
    with torch.no_grad():
        for new, old in zip(tuned.parameters(), base.parameters(), strict=True):
            new.copy_(old).add_(torch.randn_like(old), alpha=0.002)
    weight = tuned.encoder.layer[0].output.dense.weight.detach().clone()
    models = 2 * sum(parameter.nbytes for parameter in base.parameters())
    Path("/proc/self/clear_refs").write_text("5")
    resident = memory_status("VmRSS")

    started = time.perf_counter()
    result = prune(tuned, KENConfig(density=density, criterion=criterion), pretrained=base, inplace=inplace)
    seconds = time.perf_counter() - started
    peak = memory_status("VmHWM")

    if criterion == "ken":
        mask = ken_mask(weight, round(density * weight.shape[1]))
        expected = torch.where(mask, weight, base.encoder.layer[0].output.dense.weight)
        if not torch.equal(result.model.encoder.layer[0].output.dense.weight, expected):
            raise WrongResult("the pruned model does not hold what ken_mask keeps")
    return {
        "density": density,
        "criterion": criterion,
        "threads": threads,
        "inplace": inplace,
        "parameters": sum(parameter.numel() for parameter in base.parameters()),
        "seconds": seconds,
        "models_bytes": models,
        "resident_with_models_bytes": resident - empty,
        "peak_bytes": peak - empty,
        "peak_over_models": (peak - empty) / models,
    }


def run_apart(*, threads: int, inplace: bool, smoke: bool) -> dict[str, Any]:
    """:func:`run` in a fresh process, so that nothing allocated earlier hides its peak."""
    flags = [*(["--inplace"] if inplace else []), *(["--smoke"] if smoke else [])]
    command = [sys.executable, "-m", "benchmarks.model_ken", "--threads", str(threads), *flags]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} failed:\n{done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model_ken", description=__doc__)
    parser.add_argument("--density", type=float, default=0.5)
    parser.add_argument("--criterion", default="ken")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--inplace", action="store_true", help="prune the tuned model itself, not a copy")
    parser.add_argument("--smoke", action="store_true", help="a tiny model, to see that it runs")
    print(json.dumps(run(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
