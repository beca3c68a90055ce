"""Checks of single values: each gives the value as Python's own, or raises with a sentence naming the field.

A check is called with the field's name and what was given for it. No NumPy at the top: the help of the
commands is made from configurations.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pruning_ext._arguments import real_number, whole_number
from pruning_ext.choices.registry import Registry


class Check(Protocol):
    """The kind of value that a field takes, and its bounds."""

    def __call__(self, name: str, value: Any) -> Any:
        """``value`` as the configuration holds it.

        Raises:
            TypeError: a value of another kind.
            ValueError: one that is out of bounds.
        """


@dataclass(frozen=True)
class Names:
    """One name or pattern, or several."""

    def __call__(self, name: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, Iterable) or isinstance(value, Mapping):
            raise TypeError(
                f"{name} must be names of modules or parameters or 're:' patterns, not {type(value).__name__}"
            )
        names = (value,) if isinstance(value, str) else tuple(value)
        for each in names:
            if not isinstance(each, str) or not each or each == "re:":
                raise TypeError(
                    f"{name} holds {each!r}, expected module or parameter names or 're:' patterns"
                )
        return tuple(map(str, names))


@dataclass(frozen=True)
class Whole:
    """A whole number from ``minimum`` to ``maximum``."""

    minimum: int
    maximum: int | None = None

    def __call__(self, name: str, value: Any) -> int:
        number = whole_number(value)
        if number is None:
            raise TypeError(f"{name} must be a whole number, got {value!r}")
        if number < self.minimum:
            raise ValueError(f"{name} must be at least {self.minimum}, got {number}")
        if self.maximum is not None and number > self.maximum:
            raise ValueError(f"{name} must be at most {self.maximum}, got {number}")
        return number


@dataclass(frozen=True)
class Number:
    """A finite number, above ``above`` if that is given."""

    above: float | None = None

    def __call__(self, name: str, value: Any) -> float:
        number = real_number(value)
        if number is None:
            raise TypeError(f"{name} must be a number, got {value!r}")
        if not math.isfinite(number) or (self.above is not None and number <= self.above):
            bound = "" if self.above is None else f" above {self.above:g}"
            raise ValueError(f"{name} must be a finite number{bound}, got {number}")
        return number


@dataclass(frozen=True)
class Share:
    """A number from 0 to 1, or without ``ends`` one between them."""

    ends: bool = True

    def __call__(self, name: str, value: Any) -> float:
        span = "from 0 to 1" if self.ends else "between 0 and 1, both excluded"
        number = real_number(value)
        if number is None:
            raise TypeError(f"{name} must be a number {span}, got {value!r}")
        if not (0 <= number <= 1 if self.ends else 0 < number < 1):
            raise ValueError(f"{name} must lie {span}, got {number}")
        return number


@dataclass(frozen=True)
class Choice:
    """One of a few words: those given, or those registered, which are looked up at first use."""

    words: tuple[str, ...] | Registry[Any]

    def __call__(self, name: str, value: Any) -> str:
        names = self.names
        if not isinstance(value, str) or value not in names:
            raise ValueError(f"{name} must be one of {', '.join(names)}, got {value!r}")
        return names[names.index(value)]

    @property
    def names(self) -> tuple[str, ...]:
        """Every word."""
        return self.words if isinstance(self.words, tuple) else self.words.names

    @property
    def meanings(self) -> dict[str, str]:
        """What each registered word stands for, in one clause."""
        return {} if isinstance(self.words, tuple) else {entry.name: entry.help for entry in self.words}


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def __call__(self, name: str, value: Any) -> bool:
        if not isinstance(value, bool):
            import numpy as np

            if not isinstance(value, np.bool_):
                raise TypeError(f"{name} must be true or false, got {value!r}")
        return bool(value)
