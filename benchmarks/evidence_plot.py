"""Figures of the results of :mod:`benchmarks.evidence_mi`: the loss against the share removed."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from pruning_ext.bench import drawing
from pruning_ext.bench.charts import NoData
from pruning_ext.bench.drawing import Figure, Theme
from pruning_ext.choices.selections import SELECTIONS

_COLOURS = {
    "joint": "ours",
    "importance": "torch",
    "greedy": "numba",
    "random_pairs": "library",
    "random": "gone",
}
_REFITS = {"none": "nothing refitted", "ridge": "down projection refitted"}


def evidence(document: dict[str, Any], theme: Theme, *, model: str) -> Figure:
    """Loss against the share of FFN neurons removed, for each way of choosing them."""
    arms = [a for a in document["arms"].values() if a["model"] == model and a["variant"] == "one pass"]
    if not arms:
        raise NoData(f"no arm of {model}")
    dense = document["dense"][model]
    default = _kind(document["defaults"])
    drawn, panels = drawing.figure(2, 4.8, sharey=True)
    named = []
    for axes, (compensation, title) in zip(panels, _REFITS.items(), strict=True):
        cells: dict[tuple[str, str, str], dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
        for arm in arms:
            if arm["compensation"] == compensation:
                cells[_kind(arm)][100 * arm["ratio"]].append(_lost(arm, dense))
        named.append([_line(axes, theme, kind, cell, kind == default) for kind, cell in cells.items()])
        axes.set(yscale="log", xlabel="FFN neurons removed, %", title=title)
        drawing.fixed_axis(axes.xaxis, {100 * arm["ratio"] for arm in arms})
    if "loss" in dense:
        panels[0].set_ylabel("perplexity over the dense model's")
        for axes in panels:
            drawing.ratio_axis(axes.yaxis)
    else:
        panels[0].set_ylabel("KL divergence from the unpruned model, nats")
    drawn.tight_layout(rect=(0, 0.045, 0.87, 1), w_pad=9)
    for axes, ends in zip(panels, named, strict=True):
        drawing.label_ends(axes, ends)
    seeds = len({arm["seed"] for arm in arms})
    text = f"{model}; mean and range over {seeds} seed" + ("s" if seeds > 1 else "")
    text += "; dotted: Fisher metric, dashed: Rényi estimator; bold: the default. Lower is better."
    drawing.caption(drawn, theme, text)
    return drawn


def _kind(arm: dict[str, Any]) -> tuple[str, str, str]:
    """Selection, estimator and metric; no estimator where the selection compares no pairs."""
    estimator = arm["estimator"] if SELECTIONS[arm["selection"]].pairwise else "-"
    return arm["selection"], estimator, arm["metric"]


def _lost(arm: dict[str, Any], dense: dict[str, Any]) -> float:
    """The logarithm of the perplexity's ratio where there is a loss, else the mean KL divergence; above 0."""
    if "loss" in dense:
        return max(float(np.mean(arm["loss"])) - float(np.mean(dense["loss"])), 1e-4)
    return max(float(np.mean(arm["kl"])), 1e-6)


def _line(
    axes: Any, theme: Theme, kind: tuple[str, str, str], cell: dict[float, list[float]], is_default: bool
) -> tuple[float, float, str, str, bool]:
    """Draw one way of choosing; where its name goes, and how."""
    selection, estimator, metric = kind
    colour, ratios = theme.kinds.get(_COLOURS.get(selection, ""), theme.ink), sorted(cell)
    means = [float(np.mean(cell[ratio])) for ratio in ratios]
    low, high = [min(cell[ratio]) for ratio in ratios], [max(cell[ratio]) for ratio in ratios]
    dashes = "--" if estimator == "renyi" else ":" if metric == "fisher" else "-"
    axes.plot(ratios, means, dashes, color=colour, marker="o", mec=theme.ground, mew=0.6)
    axes.fill_between(ratios, low, high, color=colour, alpha=0.15, lw=0)
    name = selection.replace("_", " ") + {"renyi": ", Rényi"}.get(estimator, "")
    name += ", Fisher" if metric == "fisher" else ""
    return ratios[-1], means[-1], name, colour, is_default
