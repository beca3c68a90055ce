"""Numbers of bytes, as people read and write them."""

from __future__ import annotations

import re
from typing import Any

UNITS = ("B", "kB", "MB", "GB", "TB")
"""Powers of 1000, as disks and networks count."""


def size_text(size: int) -> str:
    """``size`` bytes with three digits in the unit that fits, as in ``1.23 kB``; whole numbers below 1000."""
    value = float(size)
    for unit in UNITS:
        if value < 999.5 or unit == UNITS[-1]:  # 999.5 would be rounded up to four digits
            break
        value /= 1000
    decimals = 0 if unit == "B" else 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:,.{decimals}f} {unit}"


def size_of(name: str, given: Any) -> int:
    """The bytes that the argument ``name`` gives: a whole number, or a text such as ``5GB``.

    Raises:
        TypeError, ValueError: it is neither, or not positive.
    """
    expected = f"{name} is {given!r}, expected a number of bytes or a text such as '5GB'"
    if isinstance(given, bool) or not isinstance(given, (int, str)):
        raise TypeError(expected)
    units = [unit.upper() for unit in UNITS]
    match = re.fullmatch(rf"(\d+) ?({'|'.join(units)})?", str(given).strip().upper())
    size = int(match[1]) * 1000 ** units.index(match[2] or "B") if match else 0
    if size < 1:
        raise ValueError(expected)
    return size
