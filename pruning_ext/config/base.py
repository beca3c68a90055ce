"""What every pruning configuration shares: frozen fields, a dictionary form, and YAML.

A method derives one frozen dataclass from :class:`PruneConfig`, sets ``method``, and checks its own fields in
``__post_init__`` (calling ``super().__post_init__()`` first). Numbers may be NumPy's; what a configuration
holds is always Python's own, so that it can be written down. Nothing here knows any method by name.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import yaml

from pruning_ext._arguments import real_number, whole_number

Config = TypeVar("Config", bound="PruneConfig")

_TYPES: dict[str, type[PruneConfig]] = {}


@dataclass(frozen=True, kw_only=True)
class PruneConfig:
    """Fields common to all methods.

    Attributes:
        targets: what to prune: names, or ``re:`` patterns, as in
            :func:`pruning_ext.models.targets.select_names`. ``None`` means everything the method can prune.
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
        self._settle("targets", check_names)
        if self.targets is not None and not self.targets:
            raise ValueError("targets is empty: nothing would be pruned; leave it out to prune all")
        self._settle("ignore", check_names)
        self._settle("seed", check_int, minimum=0)

    def _settle(self, name: str, check: Callable[..., Any], *args: Any, **options: Any) -> None:
        """Make the field what ``check`` returns for it; ``None`` stays where it is the default."""
        value = getattr(self, name)
        if value is not None or type(self).__dataclass_fields__[name].default is not None:
            object.__setattr__(self, name, check(name, value, *args, **options))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready dictionary: ``method`` and every field (tuples as lists)."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {"method": self.method} | {
            name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()
        }

    def settings(self) -> dict[str, Any]:
        """The part of :meth:`to_dict` that decides something, for people: what is given and not idle.

        :meth:`from_dict` makes a configuration of it that prunes the same.
        """
        idle = self.idle()
        return {
            name: value
            for name, value in self.to_dict().items()
            if name not in idle and value is not None and value != []
        }

    def idle(self) -> set[str]:
        """Names of fields that have no effect beside the others."""
        return set()

    @classmethod
    def from_dict(cls: type[Config], values: dict[str, Any]) -> Config:
        """The inverse of :meth:`to_dict`; on :class:`PruneConfig` itself ``method`` chooses the class.

        Raises:
            ValueError: an unknown key (near names are listed), or a ``method`` that is not this class's.
            TypeError: not a mapping, or a value of the wrong kind.
        """
        if not isinstance(values, dict):
            raise TypeError(f"a configuration is a mapping of names to values, not {type(values).__name__}")
        values = dict(values)
        method = values.pop("method", cls.method)
        kind = _TYPES.get(method) if isinstance(method, str) else None
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


class _Loader(yaml.SafeLoader):
    """YAML whose truth values are true and false alone, as in version 1.2: in 1.1 the key ``on`` is one."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, re.compile("(?:true|True|TRUE|false|False|FALSE)$") if tag.endswith(":bool") else pattern)
        for tag, pattern in resolvers
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_mapping(path: str | Path) -> dict[str, Any]:
    """The YAML (or JSON) mapping in ``path``; ``ValueError`` naming the file if it is not one."""
    try:
        # a SafeLoader, so nothing but plain data comes of it
        values = yaml.load(Path(path).read_text(encoding="utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds {type(values).__name__}, expected a mapping of names to values")
    return values


def check_names(field: str, value: Any) -> tuple[str, ...]:
    """One name or pattern, or several."""
    if not isinstance(value, Iterable) or isinstance(value, Mapping):
        raise TypeError(
            f"{field} must be names of modules or parameters or 're:' patterns, not {type(value).__name__}"
        )
    names = (value,) if isinstance(value, str) else tuple(value)
    for name in names:
        if not isinstance(name, str) or not name or name == "re:":
            raise TypeError(f"{field} holds {name!r}, expected module or parameter names or 're:' patterns")
    return tuple(map(str, names))


def check_int(name: str, value: Any, *, minimum: int) -> int:
    """A whole number of at least ``minimum``."""
    number = whole_number(value)
    if number is None:
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {number}")
    return number


def check_number(name: str, value: Any, *, above: float | None = None) -> float:
    """A finite number, above ``above`` if that is given."""
    number = real_number(value)
    if number is None:
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not np.isfinite(number) or (above is not None and number <= above):
        raise ValueError(
            f"{name} must be a finite number{'' if above is None else f' above {above:g}'}, got {number}"
        )
    return number


def check_share(name: str, value: Any, *, ends: bool = True) -> float:
    """A number from 0 to 1, or without ``ends`` one between them."""
    span = "from 0 to 1" if ends else "between 0 and 1, both excluded"
    number = real_number(value)
    if number is None:
        raise TypeError(f"{name} must be a number {span}, got {value!r}")
    if not (0 <= number <= 1 if ends else 0 < number < 1):
        raise ValueError(f"{name} must lie {span}, got {number}")
    return number


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """One of ``choices``."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
    return choices[choices.index(value)]


def check_flag(name: str, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be true or false, got {value!r}")
    return bool(value)
