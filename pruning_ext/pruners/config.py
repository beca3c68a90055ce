"""What every pruning configuration shares: frozen fields, a dictionary form, and YAML.

A method derives one frozen dataclass from :class:`PruneConfig`, sets ``method``, and checks its own fields in
``__post_init__`` (calling ``super().__post_init__()`` first). Nothing here knows any method by name.
"""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml

Config = TypeVar("Config", bound="PruneConfig")

_TYPES: dict[str, type[PruneConfig]] = {}


@dataclass(frozen=True, kw_only=True)
class PruneConfig:
    """Fields common to all methods.

    Attributes:
        targets: what to prune: names, or ``re:`` patterns, as in
            :func:`pruning_ext.pruners.targets.select_names`. ``None`` means everything the method can prune.
        ignore: what to leave alone among the targets, in the same notation.
        seed: seed of every random choice; the same seed gives the same result on every device.
    """

    method: ClassVar[str] = ""

    targets: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    seed: int = 0

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.method:
            raise TypeError(f"{cls.__name__} must set the class attribute `method`")
        _TYPES[cls.method] = cls

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):  # from JSON or YAML; a frozen value holds nothing that can change
                object.__setattr__(self, field.name, tuple(value))
        if self.targets is not None:
            object.__setattr__(self, "targets", _names("targets", self.targets))
            if not self.targets:
                raise ValueError("targets is empty: nothing would be pruned; leave it out to prune all")
        object.__setattr__(self, "ignore", _names("ignore", self.ignore))
        check_int("seed", self.seed, minimum=0)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready dictionary: ``method`` and every field (tuples as lists)."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {"method": self.method} | {
            name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()
        }

    @classmethod
    def from_dict(cls: type[Config], values: dict[str, Any]) -> Config:
        """The inverse of :meth:`to_dict`; on :class:`PruneConfig` itself ``method`` chooses the class.

        Raises:
            ValueError: an unknown key (near names are listed), or a ``method`` that is not this class's.
        """
        if not isinstance(values, dict):
            raise TypeError(f"a configuration is a mapping of names to values, not {type(values).__name__}")
        values = dict(values)
        method = values.pop("method", cls.method)
        kind = _TYPES.get(method)
        if kind is None or not issubclass(kind, cls):
            known = [name for name, known in _TYPES.items() if issubclass(known, cls)]
            raise ValueError(f"method is {method!r}, expected {' or '.join(map(repr, known))}")
        known = [field.name for field in dataclasses.fields(kind)]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, n=3) or known
                raise ValueError(f"unknown key {name!r} for method {method!r}; near keys: {', '.join(near)}")
        return kind(**values)

    @classmethod
    def from_yaml(cls: type[Config], path: str | Path) -> Config:
        """Read a YAML (or JSON) mapping from ``path``; every error names the file."""
        values = read_mapping(path)
        try:
            return cls.from_dict(values)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{path}: {error}") from error

    def to_yaml(self) -> str:
        """The same mapping as YAML text."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False)


def read_mapping(path: str | Path) -> dict[str, Any]:
    """The YAML (or JSON) mapping in ``path``; ``ValueError`` naming the file if it is not one."""
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds {type(values).__name__}, expected a mapping of names to values")
    return values


def _names(field: str, value: Any) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else tuple(value)
    for name in names:
        if not isinstance(name, str) or not name or name == "re:":
            raise TypeError(f"{field} holds {name!r}, expected module or parameter names or 're:' patterns")
    return names


def check_int(name: str, value: Any, *, minimum: int) -> None:
    """Raise unless ``value`` is a whole number of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")


def check_share(name: str, value: Any, *, ends: bool = True) -> None:
    """Raise unless ``value`` is a number from 0 to 1, or without ``ends`` one between them."""
    span = "from 0 to 1" if ends else "between 0 and 1, both excluded"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number {span}, got {value!r}")
    if not (0 <= value <= 1 if ends else 0 < value < 1):
        raise ValueError(f"{name} must lie {span}, got {value}")


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
