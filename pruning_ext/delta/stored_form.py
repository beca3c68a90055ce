"""The form in which ``save_pretrained`` stores a model's tensors, taken by a few at a time.

What lies in the files of a model is not its state dict: of tied tensors one is stored, some are not stored
at all, and some under the names and in the pieces that the checkpoint had which the model came from, where
transformers has joined the experts of a block, say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

try:
    from transformers.core_model_loading import revert_weight_conversion
except ImportError:  # transformers 4, where names are all that differs
    revert_weight_conversion = None  # type: ignore[assignment]


def stored_names(model: Any, tied: Iterable[tuple[str, ...]]) -> list[str]:
    """Those names of the state dict that are stored, in its order.

    Args:
        model: a transformers model.
        tied: the names of each tensor.
    """
    patterns = [
        re.compile(f"{prefix}.{pattern}" if prefix else pattern)
        for prefix, module in model.named_modules()
        for pattern in getattr(module, "_tied_weights_keys", None) or ()
    ]
    ignored = set(model._keys_to_ignore_on_save or ())
    stored = set()
    for names in tied:
        left = sorted(set(names) - ignored)
        first = [name for name in left if not any(pattern.search(name) for pattern in patterns)]
        stored.update(first or left[-1:])
    return [name for name in model.state_dict() if name in stored]


def stored_form(model: Any, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """``state``, or the part of it that :func:`parts` names, as it is stored."""
    if revert_weight_conversion is None:
        return dict(model._fix_state_dict_keys_on_save(state))
    return dict(revert_weight_conversion(model, state))


def stored_outline(model: Any, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names, dtypes and shapes of the stored form, on the meta device like ``state``."""
    return {
        name: torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
        for name, tensor in stored_form(model, dict(state)).items()
    }


def parts(model: Any, state: dict[str, Tensor]) -> list[list[str]]:
    """The names of ``state`` in the smallest groups whose stored form does not need the others.

    A tensor each, unless a model stores several as one: then the tensors of a layer, or all.

    Args:
        model: a transformers model.
        state: the tensors of its state dict that are stored, on the meta device: what is tried out is whether
            the parts have the names and shapes of the whole.
    """
    whole = _described(stored_outline(model, state))
    for group_of in (str, _layer):
        groups = _grouped(state, group_of)
        if _described_by_parts(model, state, groups) == whole:
            return groups
    return [list(state)]


def _described(tensors: dict[str, Tensor]) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}


def _described_by_parts(
    model: Any, state: dict[str, Tensor], groups: list[list[str]]
) -> dict[str, tuple[torch.dtype, torch.Size]] | None:
    whole: dict[str, tuple[torch.dtype, torch.Size]] = {}
    for names in groups:
        try:
            part = _described(stored_outline(model, {name: state[name] for name in names}))
        except Exception:  # each conversion has its own for tensors that it misses
            return None
        if whole.keys() & part.keys():
            return None
        whole |= part
    return whole


def _grouped(names: Iterable[str], group_of: Callable[[str], str]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(group_of(name), []).append(name)
    return list(groups.values())


def _layer(name: str) -> str:
    """``model.layers.3`` for ``model.layers.3.mlp.up_proj.weight``, the name itself outside the layers."""
    numbered = re.match(r".+?\.\d+(?=\.)", name)
    return numbered[0] if numbered else name
