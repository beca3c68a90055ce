"""The look of the figures: two themes, direct labels, and SVG that comes out the same byte for byte."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from pruning_ext.storage.files import atomic_file

WIDTH = 8.6  # inches of a figure that fills a page


@dataclass(frozen=True)
class Theme:
    """Colours on a transparent ground; ``kinds`` tells apart who wrote what is measured."""

    name: str
    ink: str
    muted: str
    grid: str
    ground: str  # what the page is likely to be painted in, for the rims of marks
    kinds: dict[str, str]


THEMES = (
    Theme(
        "light",
        ink="#1f2328",
        muted="#656d76",
        grid="#d8dee4",
        ground="#ffffff",
        kinds={
            "ours": "#0a58ca",
            "torch": "#bc4c00",
            "numba": "#1a7f37",
            "library": "#8250df",
            "gone": "#656d76",
        },
    ),
    Theme(
        "dark",
        ink="#e6edf3",
        muted="#8d96a0",
        grid="#30363d",
        ground="#0d1117",
        kinds={
            "ours": "#58a6ff",
            "torch": "#f0883e",
            "numba": "#3fb950",
            "library": "#bc8cff",
            "gone": "#8d96a0",
        },
    ),
)


def kind_of(provider: str) -> str:
    """Whose it is, by the first word of a provider's name."""
    word = provider.replace(",", " ").replace(".", " ").split()[0]
    return {"pruning_ext": "ours", "torch": "torch", "reference": "torch", "numba": "numba"}.get(
        word, "library"
    )


@contextmanager
def style(theme: Theme) -> Iterator[None]:
    """Matplotlib's settings for one theme: letters as outlines, so that no reader needs the font."""
    settings: Any = {
        "svg.fonttype": "path",
        "svg.hashsalt": "pruning_ext",
        "font.family": "DejaVu Sans",  # comes with Matplotlib
        "font.size": 8.5,
        "text.color": theme.ink,
        "axes.labelcolor": theme.ink,
        "axes.edgecolor": theme.muted,
        "axes.titlesize": 9.5,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "axes.titlepad": 8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": theme.grid,
        "grid.linewidth": 0.6,
        "xtick.color": theme.muted,
        "ytick.color": theme.muted,
        "lines.linewidth": 1.8,
        "lines.markersize": 5,
    }
    with mpl.rc_context():
        mpl.rcdefaults()  # not the settings of the user's matplotlibrc
        mpl.rcParams.update(settings)
        yield


def figure(columns: int, height: float, rows: int = 1, **settings: Any) -> tuple[Figure, Sequence[Axes]]:
    """A figure of page width with ``rows * columns`` axes, in reading order."""
    drawn = Figure(figsize=(WIDTH, height))
    FigureCanvasSVG(drawn)  # without pyplot, which would change the backend of the process
    return drawn, list(drawn.subplots(rows, columns, squeeze=False, **settings).flat)


def caption(drawn: Figure, theme: Theme, text: str) -> None:
    """One muted line below everything: machine, threads, how it was measured."""
    drawn.text(0.008, 0.012, text, color=theme.muted, fontsize=7, va="bottom")


def save(draw: Callable[[Theme], Figure], stem: str, folder: Path) -> list[Path]:
    """Draw in both themes on transparent ground; the files ``<stem>-light.svg`` and ``<stem>-dark.svg``."""
    return [write(draw, folder / f"{stem}-{theme.name}.svg", theme, transparent=True) for theme in THEMES]


def write(
    draw: Callable[[Theme], Figure], path: Path, theme: Theme = THEMES[0], *, transparent: bool = False
) -> Path:
    """Draw in one theme, in one atomic step; the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with style(theme), atomic_file(path) as temporary:
        metadata = {"Date": None, "Creator": None}  # same data, same file
        draw(theme).savefig(temporary, format="svg", transparent=transparent, metadata=metadata)
    return path


def log_axis(axis: Any, label: Callable[[float], str] | None = None) -> None:
    """Decades with labels, none between them; ``label`` writes a value."""
    axis.set_major_locator(LogLocator(base=10, numticks=9))
    axis.set_minor_formatter(NullFormatter())
    axis.set_tick_params(which="minor", length=0)
    if label is not None:
        axis.set_major_formatter(FuncFormatter(lambda value, _: label(value)))


_RATIOS = [
    *(1 + step * 10.0**power for power in (-4, -3, -2) for step in (1, 2, 5)),
    1.1,
    1.2,
    1.5,
    2,
    3,
    5,
    10,
    30,
]
_RATIOS += [step * 10.0**power for power in range(2, 27) for step in (1, 10)][::2]


def ratio_axis(axis: Any) -> None:
    """Logarithms of ratios on a logarithmic axis, written as the ratios: ``1.5×`` stands at ``log(1.5)``."""
    low, high = axis.get_view_interval()
    shown = [ratio for ratio in _RATIOS if low <= math.log(ratio) <= high]
    axis.set_ticks([math.log(ratio) for ratio in shown], [_ratio_label(ratio) for ratio in shown])
    axis.set_minor_locator(mpl.ticker.NullLocator())


def _ratio_label(ratio: float) -> str:
    return f"{ratio:,.0f}×" if ratio >= 3 else f"{ratio:g}×"


def fixed_axis(
    axis: Any, values: Iterable[float], label: Callable[[float], str] = lambda v: f"{v:g}"
) -> None:
    """Ticks where there is data, nowhere else."""
    values = sorted(set(values))
    axis.set_ticks(values, [label(value) for value in values])
    axis.set_minor_locator(mpl.ticker.NullLocator())


# Where a label may stand: offset in points from its mark, and how it hangs there. The first free one counts.
_PLACES = [
    (
        dx * far,
        dy * far,
        "left" if dx > 0 else "right" if dx < 0 else "center",
        "center" if dy == 0 else "baseline",
    )
    for far in (1.0, 1.6, 2.2, 2.8, 3.6, 4.6, 6.0)
    for dx, dy in ((6, 0), (-6, 0), (5, 5), (5, -9), (-5, 5), (-5, -9), (0, 8), (0, -13))
]


def label_marks(axes: Axes, marks: Sequence[tuple[float, float, str, str, bool]]) -> None:
    """Write each mark ``(x, y, text, colour, is_bold)`` beside it: over no other, inside the axes.

    A label that had to move away gets a thin line to its mark. Bold ones choose first, then the most crowded.
    """
    drawn = axes.figure
    drawn.canvas.draw()
    points = axes.transData.transform([(x, y) for x, y, *_ in marks])
    scale = drawn.dpi / 72
    taken = [Bbox.from_extents(x - 5 * scale, y - 5 * scale, x + 5 * scale, y + 5 * scale) for x, y in points]
    frame = axes.get_window_extent()
    inside = Bbox.from_extents(frame.x0 + 2, frame.y0 + 2, frame.x1 + 6 * scale, frame.y1)
    crowd = [sum(abs(x - u) < 90 * scale and abs(y - v) < 25 * scale for u, v in points) for x, y in points]
    for index in sorted(range(len(marks)), key=lambda i: (not marks[i][4], -crowd[i], i)):
        x, y, text, colour, is_bold = marks[index]
        others = taken[:index] + taken[index + 1 :]
        best: Any = None
        for dx, dy, across, along in _PLACES:
            note = axes.annotate(
                text,
                (x, y),
                xytext=(dx, dy),
                textcoords="offset points",
                ha=across,
                va=along,
                fontsize=7.5,
                color=colour,
                fontweight="bold" if is_bold else "normal",
            )
            box = note.get_window_extent().padded(1)
            outside = not (
                inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
            )
            cost = 100 * outside + sum(box.overlaps(other) for other in others)
            if best is None or cost < best[0]:
                if best is not None:
                    best[1].remove()
                best = cost, note, box, (dx, dy)
            else:
                note.remove()
            if cost == 0:
                break
        taken.append(best[2])
        if abs(best[3][0]) + abs(best[3][1]) > 16:
            axes.annotate(
                "",
                (x, y),
                xytext=best[3],
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3},
            )


def label_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str, bool]], gap: float = 10.5) -> None:
    """Write each line's end ``(x, y, text, colour, is_bold)`` to its right, ``gap`` points apart at least."""
    drawn = axes.figure
    drawn.canvas.draw()
    scale = drawn.dpi / 72
    heights = {i: axes.transData.transform((x, y))[1] / scale for i, (x, y, *_) in enumerate(ends)}
    order = sorted(heights, key=lambda i: (heights[i], i))
    placed = _apart([heights[i] for i in order], gap)
    for i, height in zip(order, placed, strict=True):
        x, y, text, colour, is_bold = ends[i]
        axes.annotate(
            text,
            (x, y),
            xytext=(9, height - heights[i]),
            textcoords="offset points",
            va="center_baseline",
            color=colour,
            fontsize=7.5,
            fontweight="bold" if is_bold else "normal",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.5,
                "relpos": (0, 0.5),
                "shrinkA": 1,
                "shrinkB": 3,
            }
            if abs(height - heights[i]) > 3
            else None,
        )


def _apart(wanted: Sequence[float], gap: float) -> list[float]:
    """The nearest ascending positions that keep ``gap``: runs that collide are spread about their mean."""
    runs: list[list[float]] = []
    for value in wanted:
        runs.append([value])
        while len(runs) > 1 and _first(runs[-1], gap) - _last(runs[-2], gap) < gap:
            runs[-2:] = [runs[-2] + runs[-1]]
    return list(
        itertools.chain.from_iterable([_first(run, gap) + gap * i for i in range(len(run))] for run in runs)
    )


def _first(run: Sequence[float], gap: float) -> float:
    return sum(run) / len(run) - gap * (len(run) - 1) / 2


def _last(run: Sequence[float], gap: float) -> float:
    return sum(run) / len(run) + gap * (len(run) - 1) / 2
