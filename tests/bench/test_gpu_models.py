"""The pruners' GPU benchmark, at tiny sizes on the CPU."""

from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="the benchmark's models are transformers'")
from benchmarks import gpu_models


def test_mi_counts_pairs_and_leaves_nothing_behind(tmp_path: Path) -> None:
    run = gpu_models._mi(tmp_path, "cpu", smoke=True)
    before = sorted(tmp_path.iterdir())
    for _ in range(2):
        watch = gpu_models.Stopwatch("cpu")
        assert 0 <= run(watch) <= gpu_models.MI_LIMIT
        parts = {name: seconds for name, seconds in watch.seconds.items() if name.startswith("score: ")}
        assert watch.seconds["score: information"] > 0
        assert 0 < sum(parts.values()) <= watch.seconds["score"]
    assert sorted(tmp_path.iterdir()) == before


def test_ken_leaves_nothing_behind(tmp_path: Path) -> None:
    run = gpu_models._ken(tmp_path, "cpu", smoke=True)
    before = sorted(tmp_path.iterdir())
    assert run(gpu_models.Stopwatch("cpu")) == 0
    assert sorted(tmp_path.iterdir()) == before
