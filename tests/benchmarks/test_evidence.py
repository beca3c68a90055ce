"""The evidence on pruning: what the guide shows is what was measured, of choices the product has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import evidence_mi
from benchmarks.evidence_mi_table import tables
from pruning_ext import MIConfig
from pruning_ext.bench.environment import write_results
from pruning_ext.storage.files import read_json

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return read_json(evidence_mi.RESULTS)


def test_each_measured_arm_is_known_to_the_product(document: dict[str, Any]) -> None:
    for key, entry in document["arms"].items():
        arm = evidence_mi.Arm(**{name: entry[name] for name in evidence_mi.Arm._fields})
        assert arm.key == key
        assert arm.model in document["dense"]
        assert arm.config.ratio == arm.ratio  # a configuration that the pruner takes


def test_missing_arms_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All but those of the file, in the models, seeds and ratios asked for."""
    left, *measured = [arm.key for arm in evidence_mi.arms("MiniLM", 1) if arm.ratio == 0.5]
    write_results(path := tmp_path / "evidence.json", {"arms": {key: {} for key in measured}})
    chosen = ["--models", "MiniLM", "--seeds", "1", "--ratios", "0.5", "--results", str(path)]
    assert evidence_mi.main(["--missing", *chosen]) == 0
    assert capsys.readouterr().out == f"{left}\n"


def test_the_guide_shows_the_tables_of_the_results(document: dict[str, Any]) -> None:
    assert tables(document) in (ROOT / "docs/evidence.md").read_text()


def test_the_default_is_the_best_of_its_width_on_the_language_model(document: dict[str, Any]) -> None:
    default = MIConfig(ratio=0.25)
    assert document["defaults"]["selection"] == default.selection
    assert document["defaults"]["metric"] == default.metric
    dense = np.mean(document["dense"]["SmolLM2-135M"]["loss"])
    lost: dict[tuple[str, ...], list[float]] = {}
    for arm in document["arms"].values():
        if (arm["model"], arm["ratio"], arm["variant"]) == ("SmolLM2-135M", 0.25, "one pass"):
            kind = (arm["selection"], arm["estimator"], arm["metric"], arm["compensation"])
            lost.setdefault(kind, []).append(float(np.mean(arm["loss"]) - dense))
    best = min(lost, key=lambda kind: np.mean(lost[kind]))
    assert best == (default.selection, "-", default.metric, default.compensation)
    assert np.exp(np.mean(lost[best])) <= 1.45
