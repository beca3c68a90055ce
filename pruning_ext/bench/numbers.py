"""Times, rates, counts, errors, shares and intervals as text, and tables; bytes: ``storage.sizes``."""

from __future__ import annotations

import math
from collections.abc import Sequence

SECONDS = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9))
COUNTS = (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0))


def in_unit(value: float, units: Sequence[tuple[str, float]]) -> tuple[float, str]:
    """``value`` in the largest of ``units`` that it reaches, else in the last one."""
    unit, size = next((unit for unit in units if value >= unit[1] * 0.9995), units[-1])
    return value / size, unit


def significant(value: float, digits: int) -> str:
    """So many significant digits: ``0.90``, ``9.6``, ``26``, ``1,980``."""
    rounded = float(f"{value:.{digits}g}")
    decimals = digits - 1 - math.floor(math.log10(rounded))
    return f"{rounded:,.{max(decimals, 0)}f}"


def duration(seconds: float, micro: str = "us") -> str:
    """At most three digits and the unit that suits: ``9.07 us``, ``2.5 s``."""
    value, unit = in_unit(seconds, SECONDS)
    return f"{value:.3g} {micro if unit == 'us' else unit}"


def duration_of_three(seconds: float) -> str:
    """Always three digits: ``9.07 us``, ``2.50 s``."""
    value, unit = in_unit(seconds, SECONDS)
    return f"{significant(value, 3)} {unit}"


def count(value: float, of: str = "") -> str:
    """``500 M``, ``2 G``, ``12``; of ``B``: ``500 MB``, ``2 GB``, ``12 B``."""
    number, unit = in_unit(value, COUNTS)
    return f"{number:g} {unit}{of}".rstrip()


def rate(per_second: float) -> str:
    """Two digits and a power of ten that is easy to compare: ``3.1e9``, ``85e6``."""
    power = 9 if per_second >= 1e8 else 6
    return f"{significant(per_second / 10**power, 2)}e{power}"


def error(value: float) -> str:
    """Its size: ``2e-7``, or ``0``."""
    return f"{value:.0e}".replace("e-0", "e-") if value else "0"


def share(value: float, decimals: int = 1) -> str:
    """``12.5 %`` of ``0.125``."""
    return f"{100 * value:.{decimals}f} %"


def interval(value: float, low: float, high: float, style: str) -> str:
    """``1.42 [1.40, 1.44]``, each as ``style`` has it."""
    return f"{value:{style}} [{low:{style}}, {high:{style}}]"


def aligned(rows: Sequence[Sequence[str]], left: int = 0) -> list[str]:
    """Lines of columns of equal width: the first ``left`` aligned left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [f"{text:{'<' if i < left else '>'}{widths[i]}}" for i, text in enumerate(row)]
        lines.append("  ".join(cells).rstrip())
    return lines
