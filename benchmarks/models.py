"""Common parts of the benchmarks on whole models: a tiny shape, a stopwatch, and a process for each run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

SMALL = {
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "intermediate_size": 96,
    "vocab_size": 500,
}
"""BERT's or Llama's shape, to see that a benchmark runs."""


class Stopwatch:
    """Seconds by name, the device's work included, and what some calls were first given and gave."""

    def __init__(self, device: str = "cpu", kept: Sequence[str] = ()) -> None:
        self.device = device
        self.seconds: dict[str, float] = {}
        self.first: dict[str, Any] = {}
        self._kept = kept

    def __call__(self, name: str, function: Callable[..., Any], *given: Any, **options: Any) -> Any:
        started = time.perf_counter()
        result = function(*given, **options)
        if self.device == "cuda":
            torch.cuda.synchronize()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started
        if name in self._kept:
            self.first.setdefault(name, (given, options, result))
        return result

    def inside(self, name: str) -> Callable[..., Any]:
        """A stage for the MI pruner: parts of its planning are timed beside ``name``, as ``name: part``."""
        return lambda part, *given, **options: self(f"{name}: {part}", *given, **options)


def run_apart(module: str, *flags: str) -> dict[str, Any]:
    """What ``python -m MODULE FLAGS`` prints last, in a process whose peak memory nothing earlier hides."""
    command = [sys.executable, "-m", module, *flags]
    root = Path(__file__).resolve().parents[1]
    path = os.pathsep.join(filter(None, [str(root / "examples"), os.environ.get("PYTHONPATH")]))
    variables = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, env=variables)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} failed:\n{done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
