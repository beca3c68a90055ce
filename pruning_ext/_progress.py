"""Work that can be watched: a progress bar on stderr, and stages that a caller may time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")


class Stage(Protocol):
    """Runs a named part of longer work: calls ``function`` and returns its result, perhaps timing it."""

    def __call__(self, name: str, function: Callable[..., Result], *args: Any, **options: Any) -> Result:
        """The result of ``function(*args, **options)``."""


def directly(name: str, function: Callable[..., Result], *args: Any, **options: Any) -> Result:
    """The :class:`Stage` that watches nothing."""
    return function(*args, **options)


def progress(
    items: Iterable[Item], description: str, show: bool, *, total: int | None = None
) -> Iterable[Item]:
    """``items`` unchanged, with a bar on stderr while they are consumed if ``show``."""
    if not show:
        return items
    return tqdm(items, desc=description, total=total, dynamic_ncols=True, leave=False)
