"""Fields of configurations, each with its check, its help and when it has an effect, in one place.

Checks, the command line's options and their help are made from these.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pruning_ext.config.checks import Check


@dataclass(frozen=True)
class Option:
    """All about one field.

    Attributes:
        check: called with the field's name and value; gives the value to hold, or raises. ``None`` is not
            checked where it is the default.
        help: what it is, in one clause, for the command line.
        metavar: what stands for its value there; by default what its check suggests.
        omitted: what leaving it out means, where the default is ``None`` and the help should say so.
        belongs_to: from a configuration, what the field belongs to and the configuration lacks, in words;
            ``None`` where it lacks nothing. A field that belongs elsewhere is idle, and is refused with
            "NAME belongs to ..." if it was given.
        idle_if: from a configuration, whether the field has no effect in it; such a field may be given.
        default: the field's.
    """

    check: Check
    help: str
    metavar: str | None = None
    omitted: str | Callable[[], str] | None = None
    belongs_to: Callable[[Any], str | None] | None = None
    idle_if: Callable[[Any], bool] | None = None
    default: Any = None

    def elsewhere(self, config: Any) -> str | None:
        """What the field belongs to and ``config`` lacks."""
        return None if self.belongs_to is None else self.belongs_to(config)

    def is_idle(self, config: Any) -> bool:
        """Whether the field has no effect in ``config``."""
        return self.elsewhere(config) is not None or (self.idle_if is not None and self.idle_if(config))


def option(check: Check, help: str, **more: Any) -> dict[Any, Any]:
    """The metadata of a dataclass field: the :class:`Option` that these arguments make."""
    return {Option: Option(check, help, **more)}


def options_of(config_type: type) -> dict[str, Option]:
    """By name, the options of a configuration class, in the order of its fields."""
    return {
        field.name: dataclasses.replace(field.metadata[Option], default=field.default)
        for field in dataclasses.fields(config_type)
        if Option in field.metadata
    }
