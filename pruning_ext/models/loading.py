"""Transformers models loaded with the widths of their feed-forward blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors
from torch import Tensor, nn

from pruning_ext.models.ffn import find_blocks
from pruning_ext.models.resizing import WIDTHS_KEY, narrow_to


def load_with_widths(
    directory: str | Path | None,
    model_class: Any,
    widths: dict[str, int] | None,
    *,
    origin: str | None = None,
    **kwargs: Any,
) -> tuple[nn.Module, dict[str, Any]]:
    """A model of ``model_class`` whose blocks have ``widths``, and ``from_pretrained``'s loading information.

    Args:
        directory: where its files are; ``None`` if ``kwargs`` have a ``state_dict``.
        origin: what to call that in messages; by default ``directory``.

    Raises:
        ValueError: ``widths`` of blocks that the model does not have, or a tensor of another shape than the
            configuration asks for.
    """
    built = model_class
    if widths is not None:
        built = type(model_class.__name__, (model_class,), {"__init__": _narrow_init(model_class, widths)})
        built.__module__ = model_class.__module__
    # asked to go on, transformers names the tensors that do not fit, where it would only log them
    model, info = built.from_pretrained(
        directory, output_loading_info=True, ignore_mismatched_sizes=True, **kwargs
    )
    # transformers 4 has their names, 5 a tuple of the name and two shapes
    mismatched = {entry if isinstance(entry, str) else entry[0] for entry in info["mismatched_keys"]}
    if mismatched:
        name, ours = next((n, list(t.shape)) for n, t in model.state_dict().items() if n in mismatched)
        theirs = _stored_shape(directory, kwargs.get("state_dict"), name, f"{model.base_model_prefix}.")
        raise ValueError(
            f"{origin or directory}: tensor {name} has {theirs} in its files, and {ours} in a "
            f"{model_class.__name__} as {'config.json' if directory else 'its configuration'} has it"
        )
    model.__class__ = model_class
    return model, info


def _stored_shape(
    directory: str | Path | None, state: dict[str, Tensor] | None, name: str, prefix: str
) -> str:
    """``shape [2, 3]`` of a tensor that is in ``state`` or, with the prefix or without, in the files."""
    if state is not None:
        return f"shape {list(state[name].shape)}"
    for file in sorted(Path(str(directory)).glob("*.safetensors")):
        with safetensors.safe_open(file, "pt") as opened:
            for spelling in {name, prefix + name, name.removeprefix(prefix)}.intersection(opened.keys()):
                return f"shape {opened.get_slice(spelling).get_shape()}"
    return "another shape"  # of a model on the hub, or pickled


def _narrow_init(model_class: type[nn.Module], widths: dict[str, int]) -> Any:
    def __init__(self: nn.Module, config: Any, *args: Any, **kwargs: Any) -> None:
        model_class.__init__(self, config, *args, **kwargs)
        blocks = {block.name: block for block in find_blocks(self)}
        # a head more or less than the saved model had moves every name by its prefix
        prefix = f"{self.base_model_prefix}."
        for name, width in widths.items():
            block = blocks.get(name) or blocks.get(prefix + name) or blocks.get(name.removeprefix(prefix))
            if block is None or not 0 < width <= block.width:
                raise ValueError(
                    f"config.{WIDTHS_KEY} gives {name} the width {width}, "
                    f"which {model_class.__name__} cannot have"
                )
            narrow_to(block, width)

    return __init__
