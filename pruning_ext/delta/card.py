"""The README.md of a delta directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pruning_ext.delta.file import CONFIG_NAME
from pruning_ext.storage.sizes import size_text

CARD_NAME = "README.md"

_CARD = """\
---
library_name: pruning_ext
{base_line}tags:
- pruning
- {method}
---

# {title}

This directory holds what a {architecture} has beyond its base model, {base}:
{changed:,} of {entries:,} entries, in {differing} of {tensors} tensors. It is not a model by itself.

| | size |
|---|---|
| {weights} | {delta_size} |
| the parameters of the dense model ({dtype}) | {dense_size} |

{how}
Restore the model, bit for bit:

```python
from transformers import {base_architecture}
from pruning_ext import load_delta

base = {base_architecture}.from_pretrained("{base_path}", dtype="{dtype}")
model = load_delta(base, ".")
```

or `pruning-ext apply {base_path} . -o DIR`.

`{config}` lists every tensor with its encoding and the sha256 of the base tensor it builds on; a base that
differs in any of them is refused. Written by pruning_ext {version}.
"""


def write_card(directory: Path, document: dict[str, Any], delta_bytes: int, dense_bytes: int) -> None:
    """Write :data:`CARD_NAME` into ``directory`` from the content of ``delta_config.json``."""
    tensors = document["tensors"].values()
    name = document["base_model_name_or_path"]
    on_hub = _is_hub_name(name)
    card = _CARD.format(
        base_line=f"base_model: {name}\n" if on_hub else "",
        method=document["method"] or "delta",
        title=f"{document['architecture']}, {document['method'] or 'delta'}",
        architecture=document["architecture"],
        base=f"{name} (a {document['base_architecture']})"
        if on_hub
        else f"a {document['base_architecture']}",
        base_path=name if on_hub else "BASE",
        base_architecture=document["base_architecture"],
        changed=sum(entry["changed"] for entry in tensors),
        entries=sum(_product(entry["shape"]) for entry in tensors),
        differing=sum(1 for entry in tensors if entry["changed"]),
        tensors=len(tensors),
        weights=_weights(list(document["files"])),
        config=CONFIG_NAME,
        delta_size=size_text(delta_bytes),
        dense_size=size_text(dense_bytes),
        dtype=document["dtype"],
        how=_how(document),
        version=document["library_version"],
    )
    (directory / CARD_NAME).write_text(card, encoding="utf-8")


def _is_hub_name(name: str | None) -> bool:
    """Whether ``name`` may be on the hub: owner/name, or one word. A path is of no use to others."""
    if not name or name.count("/") > 1 or name.startswith((".", "/", "~")):
        return False
    return not Path(name).exists()


def _how(document: dict[str, Any]) -> str:
    if document["config"]:
        return f"Pruned with {_settings(document['config'])}.\n"
    if document["earlier_config"]:
        return (
            f"The model was once pruned with {_settings(document['earlier_config'])}, and has changed since: "
            "more entries differ\nfrom this base than that keeps.\n"
        )
    return ""


def _settings(config: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in config.items() if value not in (None, [], ""))


def _weights(names: list[str]) -> str:
    return f"`{names[0]}`" + (f" to `{names[-1]}`" if len(names) > 1 else "")


def _product(shape: list[int]) -> int:
    result = 1
    for size in shape:
        result *= size
    return result
