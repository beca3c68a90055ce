"""Log-log figures of what was measured, as SVG; matplotlib belongs to the extra ``bench``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pruning_ext.bench.provider import OURS
from pruning_ext.storage.atomic import atomic_file

Row = Mapping[str, Any]


def require_matplotlib() -> None:
    """``ImportError`` in one sentence if it is missing."""
    if find_spec("matplotlib") is None:
        raise ModuleNotFoundError(
            'figures need matplotlib: pip install "pruning_ext[bench]"', name="matplotlib"
        )


def speed_figures(measurements: Sequence[Row], folder: Path) -> list[Path]:
    """``<family>.svg`` of each family: error against time per row, a panel for each case."""
    paths = []
    for family in dict.fromkeys(m["family"] for m in measurements):
        own = [m for m in measurements if m["family"] == family and m["device"] == "cpu"] or [
            m for m in measurements if m["family"] == family
        ]
        fewest = min(m["threads"] for m in own)
        panels = _grouped((m for m in own if m["threads"] == fewest), "case")
        paths.append(_figure(folder, family, panels, _draw_speed))
    return paths


def scaling_figures(measurements: Sequence[Row], folder: Path) -> list[Path]:
    """``scaling-time.svg`` and ``scaling-memory.svg``: a panel for each curve, exponents in the legend."""
    panels = _grouped(measurements, "curve")
    return [
        _figure(folder, "scaling-time", panels, partial(_draw_curve, y="seconds", exponent="exponent")),
        _figure(
            folder,
            "scaling-memory",
            panels,
            partial(_draw_curve, y="peak_memory_bytes", exponent="memory_exponent"),
        ),
    ]


def _grouped(rows: Iterable[Row], key: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


Draw = Callable[[Any, list[Row]], None]


def _figure(folder: Path, name: str, panels: dict[str, list[Row]], draw: Draw) -> Path:
    require_matplotlib()
    import matplotlib
    from matplotlib.figure import Figure

    columns = min(2, len(panels))
    lines = -(-len(panels) // columns)
    with matplotlib.rc_context({"svg.hashsalt": "pruning_ext", "font.size": 8}):  # same data, same file
        figure = Figure(figsize=(5.5 * columns, 3.6 * lines), layout="constrained")
        grid = figure.subplots(lines, columns, squeeze=False)
        for axes, (title, rows) in zip(grid.flat, panels.items(), strict=False):
            draw(axes, rows)
            axes.set(title=title, xscale="log", yscale="log")
            axes.grid(which="major", alpha=0.3)
        for axes in grid.flat[len(panels) :]:
            axes.remove()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{re.sub('[^a-z0-9]+', '-', name.lower())}.svg"
        with atomic_file(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
    return path


def _draw_speed(axes: Any, rows: list[Row]) -> None:
    exact = 1e-17  # where an error of 0 is drawn
    for row in rows:
        ours = row["provider"].startswith(OURS)
        point = (row["ms_per_row"] / 1e3, max(row["error"], exact))
        axes.plot(*point, "o" if ours else "s", color="tab:blue" if ours else "tab:gray")
        axes.annotate(row["provider"], point, textcoords="offset points", xytext=(4, 3), fontsize=6)
    axes.set(xlabel="seconds per row", ylabel="error against float64")


def _draw_curve(axes: Any, rows: list[Row], *, y: str, exponent: str) -> None:
    for provider, own in _grouped((row for row in rows if row[y]), "provider").items():
        power = own[0][exponent]
        label = provider if power is None else f"{provider}: x^{power:.2f}"
        axes.plot([row["x"] for row in own], [row[y] for row in own], "o-", markersize=3, label=label)
    unit = "seconds" if y == "seconds" else "peak memory, bytes"
    axes.set(xlabel=rows[0]["x_name"], ylabel=unit)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=6)
