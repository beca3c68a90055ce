"""pytest-benchmark around the harness: ``--smoke``, the environment in the stored file, checked timing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import pytest
import torch

from pruning_ext.bench.environment import environment
from pruning_ext.bench.harness import Subject, measurement, verify


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--smoke", action="store_true", help="tiny sizes, to see that every benchmark runs")


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    machine_info["pruning_ext"] = environment()


@pytest.fixture
def timed(benchmark: Any) -> Iterator[Callable[[Subject], None]]:
    """``timed(subject)``: check its result, time it, and store throughput, error and peak memory too."""
    before = torch.get_num_threads()

    def run(subject: Subject) -> None:
        check = verify(subject)
        benchmark.group = f"{subject.family} {subject.case}, threads={subject.threads}"
        memory = subject.job.memory(subject.threads)
        loops = max(1, round(0.05 / max(subject.job.seconds(subject.threads, 1), 1e-6)))
        benchmark.pedantic(subject.job.seconds, (subject.threads, loops), rounds=7, warmup_rounds=1)
        taken = benchmark.stats.stats.data if benchmark.stats else [float("nan")]
        found = measurement(subject, check, memory, [seconds / loops for seconds in taken])
        benchmark.extra_info |= asdict(found) | {"calls_per_round": loops}

    yield run
    torch.set_num_threads(before)
