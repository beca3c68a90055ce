"""The tables of :mod:`benchmarks.evidence_mi`, as Markdown, from its results file."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np

from pruning_ext.bench.numbers import interval
from pruning_ext.choices.selections import SELECTIONS

RATIO, COMPENSATION = 0.25, "ridge"
"""The ratio and compensation at which arms are compared with the default, text by text."""

RESAMPLES = 10_000

# Two-sided 95 % quantiles of Student's t with n - 1 degrees of freedom, for intervals over seeds.
_STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}


def tables(document: dict[str, Any]) -> str:
    """One table for each model and measure; cells are the mean over seeds and its 95 % interval."""
    parts = []
    for model, dense in document["dense"].items():
        rows = [arm for arm in document["arms"].values() if arm["model"] == model]
        if not rows:
            continue
        if "loss" in dense:
            reference = float(np.mean(dense["loss"]))
            title = f"{model}: perplexity over the dense model's {math.exp(reference):.1f}"
            parts.append(_table(title, rows, lambda arm, r=reference: np.mean(arm["loss"]) - r, math.exp))
            title = f"{model}: perplexity over the default's"
            parts.append(_comparison(title, rows, document["defaults"], "loss", math.exp))
        else:
            accuracy = np.mean(dense["correct"])
            title = f"{model}: KL divergence from the unpruned model, in millinats"
            parts.append(_table(title, rows, lambda arm: 1000 * np.mean(arm["kl"]), float))
            title = f"{model}: KL divergence minus the default's, in millinats"
            parts.append(_comparison(title, rows, document["defaults"], "kl", lambda value: 1000 * value))
            title = f"{model}: accuracy in percent (unpruned {100 * accuracy:.1f})"
            parts.append(_table(title, rows, lambda arm: 100 * np.mean(arm["correct"]), float))
    return "\n\n".join(parts) or "no results yet"


def _table(title: str, rows: list[dict[str, Any]], measure: Any, scale: Any) -> str:
    cells: dict[tuple[str, ...], dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for arm in rows:
        kind = (arm["selection"], arm["estimator"], arm["metric"], arm["compensation"], arm["variant"])
        cells[kind][arm["ratio"]].append(float(measure(arm)))
    ratios = sorted({arm["ratio"] for arm in rows})
    head = [
        "selection",
        "estimator",
        "metric",
        "compensation",
        "variant",
        *(f"{ratio:.1%} removed" for ratio in ratios),
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * 5 + "---:|" * len(ratios)]
    lines += [
        "| " + " | ".join([*kind, *(_cell(found.get(ratio, []), scale) for ratio in ratios)]) + " |"
        for kind, found in cells.items()
    ]
    return f"**{title}**\n\n" + "\n".join(lines)


def _comparison(title: str, rows: list[dict[str, Any]], default: dict[str, Any], key: str, scale: Any) -> str:
    """Mean over seeds and texts of the difference to the default, with its interval over resampled texts."""
    arms: dict[tuple[str, ...], list[list[float]]] = defaultdict(list)
    for arm in rows:
        if (arm["ratio"], arm["compensation"], arm["variant"]) == (RATIO, COMPENSATION, "one pass"):
            arms[arm["selection"], arm["estimator"], arm["metric"]].append(arm[key])
    estimator = default["estimator"] if SELECTIONS[default["selection"]].pairwise else "-"
    own = arms.pop((default["selection"], estimator, default["metric"]), [])
    lines = ["| selection | estimator | metric | difference |", "|---|---|---|---:|"]
    for kind, texts in arms.items():
        if len(texts) != len(own):
            continue
        differences = np.mean(texts, 0) - np.mean(own, 0)
        resampled = np.random.default_rng(0).integers(len(differences), size=(RESAMPLES, len(differences)))
        low, high = np.quantile(differences[resampled].mean(1), [0.025, 0.975])
        cell = interval(scale(differences.mean()), scale(low), scale(high), ".4g")
        lines.append("| " + " | ".join([*kind, cell]) + " |")
    return f"**{title} ({RATIO:.0%} removed, {COMPENSATION}; interval over texts)**\n\n" + "\n".join(lines)


def _cell(values: list[float], scale: Any) -> str:
    if not values:
        return "-"
    mean = float(np.mean(values))
    if len(values) not in _STUDENT:
        return f"{scale(mean):.4g}"
    half = _STUDENT[len(values)] * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return interval(scale(mean), _bounded(scale, mean - half), _bounded(scale, mean + half), ".4g")


def _bounded(scale: Any, value: float) -> float:
    return float(scale(min(value, 700)))  # exp of more is beyond floating point
