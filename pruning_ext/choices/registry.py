"""Named ways of doing one thing, which register themselves: choices, help and checks derive from that."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar


class Named(Protocol):
    """What can be registered."""

    @property
    def name(self) -> str:
        """The word that configurations and command lines take."""

    @property
    def help(self) -> str:
        """What it does, in one clause."""


Entry = TypeVar("Entry", bound=Named)


class Registry(Generic[Entry]):
    """Entries by name, in the order in which they were added.

    Args:
        package: the folder whose modules add the entries; they are imported at first use. Adding one way more
            is adding one file there.
        first: names that come before the others, which follow in alphabetical order.
    """

    def __init__(self, package: str, *, first: tuple[str, ...] = ()) -> None:
        self._package = package
        self._first = first
        self._entries: dict[str, Entry] = {}
        self._complete = False

    def add(self, entry: Entry) -> Entry:
        """Register ``entry``; two of one name are a mistake in this package."""
        if entry.name in self._entries:
            raise ValueError(f"{entry.name!r} is registered twice in {self._package}")
        self._entries[entry.name] = entry
        return entry

    def _all(self) -> dict[str, Entry]:
        if not self._complete:
            folder = importlib.import_module(self._package)
            for module in pkgutil.iter_modules(folder.__path__):
                importlib.import_module(f"{self._package}.{module.name}")
            order = [*self._first, *sorted(set(self._entries) - set(self._first))]
            self._entries = {name: self._entries[name] for name in order}
            self._complete = True
        return self._entries

    @property
    def names(self) -> tuple[str, ...]:
        """Every name."""
        return tuple(self._all())

    def __getitem__(self, name: str) -> Entry:
        return self._all()[name]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._all().values())
