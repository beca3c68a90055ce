"""Models that a command names, loaded in the class that their configuration or an option names."""

from __future__ import annotations

from typing import Any

import torch

from pruning_ext.cli.console import UsageError
from pruning_ext.cli.dropped_tensors import warn_of_dropped_tensors
from pruning_ext.models.checkpoint import load_checkpoint, load_config
from pruning_ext.models.huggingface import check_not_quantized, find_model_class


class MissingWeightsError(UsageError):
    """A model's files lack weights that its class needs.

    Attributes:
        names: the tensors, as the class calls them.
    """

    def __init__(self, path: str, kind: str, names: list[str], option: str) -> None:
        super().__init__(
            f"{path} has no weights for {len(names)} tensors of {kind} ({names[0]} ...), which would be "
            f"random: pass {option} with the class it was saved from"
        )
        self.names = names


def load_model(
    path: str,
    *,
    model_class: str | None,
    option: str,
    dtype: torch.dtype | str = "auto",
    whole: bool = False,
    progress: bool = False,
) -> Any:
    """The model in a directory or on the hub, in the class its configuration names, on the CPU.

    Args:
        path: a directory or a hub name that :func:`~pruning_ext.models.checkpoint.check_model` has seen.
        model_class: a transformers class that overrides the configuration's.
        option: the option that sets ``model_class``, for messages.
        dtype: as for ``from_pretrained``.
        whole: what it is loaded for should hold all that the files do: warn of what the class leaves out or
            changes.
        progress: let transformers draw its progress bars.

    Raises:
        UsageError: no class is known.
        MissingWeightsError: the class needs weights that the files lack (they would be random).
        ValueError: quantized weights, or as :func:`~pruning_ext.models.checkpoint.load_checkpoint`.
    """
    config = load_config(path)
    check_not_quantized(config, path)
    names = [model_class] if model_class else list(config.architectures or [])
    kind = next((known for name in names if (known := find_model_class(name))), None)
    if kind is None:
        problem = f"names {', '.join(names)}, unknown to transformers" if names else "names no architecture"
        raise UsageError(
            f"{path}: {option if model_class else 'config.json'} {problem}; pass {option} with a class"
        )
    model, info = load_checkpoint(path, kind, config, dtype=dtype, progress=progress)
    if missing := sorted(info["missing_keys"]):
        raise MissingWeightsError(path, kind.__name__, missing, option)
    if whole:
        warn_of_dropped_tensors(path, model, list(info["unexpected_keys"]))
    return model
