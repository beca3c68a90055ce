"""Warnings of tensors that a model's files hold and the model loaded from them does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from pruning_ext.pruners.method import warn
from pruning_ext.storage.files import read_json

_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def warn_of_dropped_tensors(path: str, model: Any, unexpected: list[str]) -> None:
    """Warn of tensors that the model's class does not know, and of those that were given another dtype.

    Args:
        path: the directory, or the hub name, that ``model`` was loaded from.
        model: a transformers model as it was loaded.
        unexpected: the ``unexpected_keys`` of ``from_pretrained``'s loading information.
    """
    kind = type(model).__name__
    if unexpected:
        names = _named(sorted(unexpected))
        warn(f"{path} holds tensors that a {kind} does not have, and neither will the result: {names}")
    state = model.state_dict()
    changed = [name for name, stored in _stored_dtypes(path) if name in state and state[name].dtype != stored]
    if changed:
        dtype = str(state[changed[0]].dtype).removeprefix("torch.")
        warn(
            f"{path} holds tensors of another dtype than the {dtype} that transformers loads them as, "
            f"which the result will have: {_named(changed)}"
        )


def _stored_dtypes(path: str) -> Iterator[tuple[str, torch.dtype]]:
    """Names and dtypes of the floating-point tensors in a model's safetensors files."""
    for file in _weight_files(path):
        with safe_open(file, "pt") as opened:
            for name in opened.keys():  # noqa: SIM118  (no mapping, for all its keys())
                dtype = _DTYPES.get(opened.get_slice(name).get_dtype())
                if dtype is not None:
                    yield name, dtype


def _weight_files(path: str) -> list[Path]:
    """The safetensors files that ``from_pretrained`` has just read; none where it read others."""
    from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME, cached_file

    def present(name: str) -> Path | None:
        try:
            found = cached_file(path, name, local_files_only=True)
        except OSError:
            return None
        return Path(found) if found else None

    single = present(SAFE_WEIGHTS_NAME)
    if single is not None:
        return [single]
    index = present(SAFE_WEIGHTS_INDEX_NAME)
    shards = set(read_json(index)["weight_map"].values()) if index else set()
    return [file for shard in sorted(shards) if (file := present(shard)) is not None]


def _named(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
