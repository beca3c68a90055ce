"""Numbers of bytes for people to read."""

from __future__ import annotations

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
