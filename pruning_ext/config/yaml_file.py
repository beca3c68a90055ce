"""Mappings in YAML (or JSON) files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml


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
    """The mapping in ``path``; ``ValueError`` naming the file if it is not one."""
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


def mapping_text(values: dict[str, Any]) -> str:
    """``values`` as YAML text."""
    return yaml.safe_dump(values, sort_keys=False)
