"""Figures of speeds and curves; ``benchmarks.figures`` has the files that the committed ones are made of."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from pruning_ext.bench import drawing, numbers
from pruning_ext.bench.drawing import Figure, Theme, kind_of
from pruning_ext.bench.report import one_of

Rows = Sequence[Mapping[str, Any]]
Line = list[tuple[float, float]]

SECONDS = partial(numbers.duration, micro="µs")


class NoData(Exception):
    """The results hold nothing that this figure shows; the message says what is missing."""


def kde(document: dict[str, Any], theme: Theme, *, outlier: bool) -> Figure:
    """Time per row and largest relative error of every provider on one thread."""
    rows = [row for row in _one_thread(document) if row["case"].endswith("outlier") == outlier]
    if not rows:
        raise NoData("no case " + ("with" if outlier else "without") + " an outlier")

    def title(case: str) -> str:
        n, k = _numbers(case)[:2]
        return f"{n:,} samples, {k:,} points" + (", a sample 40 deviations away" if outlier else "")

    return speed(rows, theme, title=title, error="largest relative error", text=_measured(document) + " ")


def speed(
    rows: Rows, theme: Theme, *, title: Callable[[str], str] = str, error: str = "error", text: str = ""
) -> Figure:
    """Time per row and error of every provider, a panel for each case: lower left is better."""
    cases = list(dict.fromkeys(row["case"] for row in rows))
    columns, high = min(2, len(cases)), math.ceil(len(cases) / 2)
    drawn, panels = drawing.figure(columns, 4.4 * high, high, sharey=True)
    for panel in panels[len(cases) :]:
        panel.remove()
    marked = []
    for axes, case in zip(panels, cases, strict=False):
        marks = [_mark(row, theme) for row in rows if row["case"] == case]
        for x, y, _, colour, is_ours in marks:
            rim: dict[str, Any] = {"edgecolor": theme.ground, "linewidth": 0.8}
            axes.scatter([x], [y], s=70 if is_ours else 36, color=colour, zorder=4 if is_ours else 3, **rim)
        axes.set_title(title(case))
        axes.set(xscale="log", yscale="log", xlabel=f"time per {one_of(rows[0].get('unit'))}")
        low, most = min(mark[0] for mark in marks), max(mark[0] for mark in marks)
        axes.set_xlim(low / 4, most * 12)
        drawing.log_axis(axes.xaxis, SECONDS)
        drawing.log_axis(axes.yaxis)
        marked.append(marks)
    errors = [mark[1] for marks in marked for mark in marks]
    panels[0].set_ylim(min(errors) / 10, max(errors) * 10)
    for axes in panels[: len(cases) : columns]:
        axes.set_ylabel(error)
    drawn.tight_layout(rect=(0, 0.045 / high, 0.99, 1), w_pad=1.5)
    for axes, marks in zip(panels, marked, strict=False):
        drawing.label_marks(axes, marks)
    drawing.caption(drawn, theme, text + "Lower left is better.")
    return drawn


def _mark(row: Mapping[str, Any], theme: Theme) -> tuple[float, float, str, str, bool]:
    kind = kind_of(row["provider"])
    error = max(row["error"], 1e-16)  # an exact result has no logarithm
    return row["ms_per_row"] / 1e3, error, _short(row["provider"]), theme.kinds[kind], kind == "ours"


def ken(document: dict[str, Any], theme: Theme) -> Figure:
    """Time per row of ``ken_mask`` and of the published routine, half of each row kept."""
    rows = [row for row in _one_thread(document) if "float32" in row["case"]]
    lines: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        lines[row["provider"]].append((_numbers(row["case"])[0], row["ms_per_row"] / 1e3))
    if not lines:
        raise NoData("no float32 case")
    drawn, (axes,) = drawing.figure(1, 3.6)
    _lines(axes, theme, lines)
    axes.set(yscale="log", xscale="log", xlabel="row length (half of it kept)", ylabel="time per row")
    axes.set_title("KEN's selection in one row of weights, float32")
    drawing.fixed_axis(axes.xaxis, [x for line in lines.values() for x, _ in line], lambda v: f"{v:,.0f}")
    drawing.log_axis(axes.yaxis, SECONDS)
    drawn.tight_layout(rect=(0, 0.05, 0.76, 1))
    _name_lines([axes], [lines], theme)
    drawing.caption(drawn, theme, _measured(document))
    return drawn


def mi(document: dict[str, Any], theme: Theme) -> Figure:
    """Pair-samples per second of every provider against the number of bins, 4,096 samples a column."""
    plain: dict[str, Line] = defaultdict(list)
    relu: dict[float, float] = {}  # ours
    shown: dict[float, int] = {}  # the number of columns by bins: one case for each point of a line
    for row in _one_thread(document):
        columns, samples, bins = _numbers(row["case"])
        if samples == 4096 and "ReLU" not in row["case"]:
            if shown.setdefault(bins, columns) == columns:
                plain[row["provider"]].append((bins, row["pairs_per_second"]))
        elif samples == 4096 and row["provider"] == "pruning_ext":
            relu[bins] = row["pairs_per_second"]
    if not plain:
        raise NoData("no case of 4,096 samples")
    drawn, (axes,) = drawing.figure(1, 4.2)
    _lines(axes, theme, plain)
    colour = theme.kinds["ours"]
    if relu:
        axes.plot(
            list(relu), list(relu.values()), "o", mfc="none", mec=colour, mew=1.4, markersize=8, zorder=4
        )
        x = max(relu)
        where: Any = {"xytext": (10, 9), "textcoords": "offset points", "fontsize": 7.5, "color": colour}
        axes.annotate("three quarters of the samples 0, as after ReLU", (x, relu[x]), **where)
    axes.set(xscale="log", yscale="log", xlabel="bins", ylabel="pair-samples per second")
    axes.set_title("Mutual information of all pairs of columns, 4,096 samples")
    drawing.fixed_axis(axes.xaxis, [x for line in plain.values() for x, _ in line])
    drawing.log_axis(axes.yaxis, numbers.count)
    drawn.tight_layout(rect=(0, 0.045, 0.72, 1))
    _name_lines([axes], [plain], theme)
    drawing.caption(drawn, theme, _measured(document) + " Higher is better.")
    return drawn


def scaling(document: dict[str, Any], theme: Theme, *, field: str, family: str = "") -> Figure:
    """Seconds of a call or peak memory against one size at a time, and the exponent fitted to each curve.

    ``family``: whose curves; ``""``: all.
    """
    is_time = field == "seconds"
    curves: dict[str, dict[str, Line]] = defaultdict(lambda: defaultdict(list))
    x_names: dict[str, str] = {}
    for row in document["measurements"]:
        is_wanted = row["curve"].startswith(f"{family}," if family else "")
        if is_wanted and row.get(field) and row.get("device", "cpu") == "cpu":
            fitted = row.get("exponent" if is_time else "memory_exponent")
            # the exponent belongs to the provider's whole curve: it is part of its name here
            name = row["provider"] + ("" if fitted is None else f"  $x^{{{fitted:.2f}}}$")
            curves[row["curve"]][name].append((row["x"], row[field]))
            x_names[row["curve"]] = row["x_name"]
    if not curves:
        raise NoData(f"no curve of {family}'s {field}")
    high = math.ceil(len(curves) / 2)
    drawn, panels = drawing.figure(2, 2.6 * high + 0.2, high)
    for panel in panels[len(curves) :]:
        panel.remove()
    for panel, (curve, lines) in zip(panels, curves.items(), strict=False):
        _lines(panel, theme, lines)
        panel.set(xscale="log", yscale="log", xlabel=x_names[curve], title=curve)
        drawing.log_axis(panel.yaxis, SECONDS if is_time else partial(numbers.count, of="B"))
        drawing.fixed_axis(panel.xaxis, *_sparse([x for line in lines.values() for x, _ in line]))
    what = "Time of a call." if is_time else "Peak memory of a call."
    where = f" {_machine(document)}." if "environment" in document else ""
    text = f"{what}{where} Exponents: least squares over the upper half of a curve."
    drawn.tight_layout(rect=(0, 0.2 / drawn.get_size_inches()[1], 0.86, 1), w_pad=12, h_pad=1.6)
    _name_lines(panels, curves.values(), theme)
    drawing.caption(drawn, theme, text)
    return drawn


def _sparse(values: Sequence[float]) -> tuple[list[float], Any]:
    """At most six of the sizes, the ends included, and how they are written."""
    known = sorted(set(values))
    step = max(1, math.ceil((len(known) - 1) / 5))
    return known[::-step][::-1], lambda v: f"{v:,.0f}"


def _one_thread(document: dict[str, Any]) -> Rows:
    rows = [m for m in document["measurements"] if m["threads"] == 1 and m.get("device", "cpu") == "cpu"]
    if not rows:
        raise NoData("no measurement on one CPU thread")
    return rows


def _numbers(case: str) -> list[int]:
    """``N=1536, T=4096, 16 bins`` -> ``[1536, 4096, 16]``; ``768x384`` -> ``[768, 384]``."""
    return [int(text) for text in re.findall(r"\d+", case)]


def _short(provider: str) -> str:
    return provider.removeprefix("pruning_ext, ").removesuffix(", 2048 bins")


def _machine(document: dict[str, Any]) -> str:
    environment = document["environment"]
    isa = {"avx512": "AVX-512", "avx2": "AVX2"}.get(environment["instruction_set"], "baseline instructions")
    return f"{environment['processor']}, {isa}"


def _measured(document: dict[str, Any]) -> str:
    """Machine and method in one line."""
    rounds = document["settings"]["rounds"]
    return f"{_machine(document)}, 1 thread; median of {rounds} interleaved rounds, results checked first."


def _lines(axes: Any, theme: Theme, lines: dict[str, Line]) -> None:
    for name, line in lines.items():
        kind = kind_of(name)
        width, order = (2.4, 3) if kind == "ours" else (1.4, 2)
        look: Any = {"marker": "o", "mec": theme.ground, "mew": 0.6, "linewidth": width, "zorder": order}
        axes.plot(*zip(*sorted(line), strict=True), color=theme.kinds[kind], **look)


def _name_lines(panels: Iterable[Any], found: Iterable[dict[str, Line]], theme: Theme) -> None:
    """Each line's name beside its end."""
    for axes, lines in zip(panels, found, strict=False):
        ends = [
            (*max(line), _short(name), theme.kinds[kind_of(name)], kind_of(name) == "ours")
            for name, line in lines.items()
        ]
        drawing.label_ends(axes, ends)
