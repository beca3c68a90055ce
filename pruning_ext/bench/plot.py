"""Figures of a run, as SVG, for ``pruning-ext bench --plot``; matplotlib belongs to the extra ``bench``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


def require_matplotlib() -> None:
    """``ImportError`` in one sentence if it is missing."""
    if find_spec("matplotlib") is None:
        raise ModuleNotFoundError(
            'figures need matplotlib: pip install "pruning_ext[bench]"', name="matplotlib"
        )


def speed_figures(measurements: Sequence[Row], folder: Path) -> list[Path]:
    """``<family>.svg`` of each family: error against time per row, a panel for each case."""
    require_matplotlib()
    from pruning_ext.bench import charts, drawing

    paths = []
    for family in dict.fromkeys(m["family"] for m in measurements):
        own = [m for m in measurements if m["family"] == family and m["device"] == "cpu"] or [
            m for m in measurements if m["family"] == family
        ]
        fewest = min(m["threads"] for m in own)
        rows = [m for m in own if m["threads"] == fewest]
        paths.append(drawing.write(partial(charts.speed, rows), folder / f"{family}.svg"))
    return paths


def scaling_figures(measurements: Sequence[Row], folder: Path) -> list[Path]:
    """``scaling-time.svg`` and ``scaling-memory.svg``: a panel for each curve, exponents at its lines.

    A figure without data, as where the system reports no memory, is not made.
    """
    require_matplotlib()
    from pruning_ext.bench import charts, drawing

    paths = []
    for name, field in (("scaling-time", "seconds"), ("scaling-memory", "peak_memory_bytes")):
        if any(row[field] for row in measurements):
            draw = partial(charts.scaling, {"measurements": measurements}, field=field)
            paths.append(drawing.write(draw, folder / f"{name}.svg"))
    return paths
