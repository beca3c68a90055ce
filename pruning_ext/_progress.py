"""One progress bar for all long work, on stderr."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress(
    items: Iterable[Item], description: str, show: bool, *, total: int | None = None
) -> Iterable[Item]:
    """``items`` unchanged, with a bar on stderr while they are consumed if ``show``."""
    if not show:
        return items
    return tqdm(items, desc=description, total=total, dynamic_ncols=True, leave=False)
