"""The part that every pruning configuration shares: frozen fields, a dictionary form, and YAML.

A method derives one frozen dataclass from :class:`PruneConfig`, sets ``method``, and states in each field's
metadata (:func:`~pruning_ext.config.fields.option`) what it takes, what it is for and when it has an effect;
rules on several fields stand in ``_check_together``. Numbers may be NumPy's; what a configuration holds is
always Python's own, so that it can be written down. Nothing here knows any method by name.
"""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pruning_ext.config.checks import Names, Whole
from pruning_ext.config.fields import option, options_of

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
    amounts: ClassVar[tuple[str, ...]] = ()
    """Fields that say how much is pruned; exactly one of them is given."""

    targets: tuple[str, ...] | None = field(default=None, metadata=option(Names(), "what to prune"))
    ignore: tuple[str, ...] = field(
        default=(), metadata=option(Names(), "what to leave alone, named likewise")
    )
    seed: int = field(default=0, metadata=option(Whole(0), "seed of every random choice"))

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.method:
            raise TypeError(f"{cls.__name__} must set the class attribute `method`")
        _TYPES[cls.method] = cls

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if isinstance(value, list):  # from JSON or YAML; a frozen value holds nothing that can change
                object.__setattr__(self, each.name, tuple(value))
        options = options_of(type(self))
        for name, about in options.items():
            value = getattr(self, name)
            if value is not None or about.default is not None:
                object.__setattr__(self, name, about.check(name, value))
        if self.targets is not None and not self.targets:
            raise ValueError("targets is empty: nothing would be pruned; leave it out to prune all")
        self._check_together()
        for name, about in options.items():
            if getattr(self, name) != about.default and (owner := about.elsewhere(self)):
                raise ValueError(f"{name} belongs to {owner}")

    def _check_together(self) -> None:
        """Raise ``ValueError`` for fields that are right one by one and do not go together."""

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
        return {name for name, about in options_of(type(self)).items() if about.is_idle(self)}

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
        from pruning_ext.config.yaml_file import read_mapping  # not needed to make the help of a command

        values = read_mapping(path)
        try:
            return cls.from_dict(values)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{path}: {error}") from error

    def to_yaml(self) -> str:
        """The same mapping as YAML text."""
        from pruning_ext.config.yaml_file import mapping_text

        return mapping_text(self.to_dict())
