"""A model made new for the tensors of a delta, where it cannot be a copy of the base with other values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from pruning_ext.models.huggingface import find_model_class, quiet_transformers
from pruning_ext.models.loading import load_with_widths
from pruning_ext.models.resizing import WIDTHS_KEY


def build_model(description: dict[str, Any], state: dict[str, Tensor], base: nn.Module) -> nn.Module:
    """A model of the described class and configuration that consists of the tensors of ``state``.

    It is made by ``from_pretrained``, which knows about buffers that are not stored, and about blocks whose
    widths are their own; a tensor that is missing or left over is an error, because nothing may be
    initialised at random here. It is then given the tensors themselves, so that no bit and no tie depends on
    what a version of transformers makes of them. It is in the mode of ``base``, and on its device.

    Args:
        description: of :func:`pruning_ext.models.huggingface.describe_model`.
        state: by name; tied ones are one tensor.
        base: the model that the delta is applied to.

    Raises:
        ValueError: transformers lacks the class, or it does not fit the tensors.
    """
    name, settings = description["architecture"], description["model_config"]
    kind: Any = type(base) if type(base).__name__ == name else find_model_class(name)
    if settings is None or not hasattr(kind, "from_pretrained"):
        raise ValueError(
            f"the delta is of a {name} {_difference(state, base)}, and transformers "
            f"{transformers.__version__} cannot build one: build a {name} like that with the values of base, "
            "and give it as base"
        )
    model: Any
    with quiet_transformers():
        model, info = load_with_widths(
            None,
            kind,
            settings.get(WIDTHS_KEY),
            origin=f"the delta of a {name}",
            config=kind.config_class.from_dict(settings),
            state_dict=state,
            dtype=getattr(torch, description["dtype"]),
        )
    for problem in ("missing_keys", "unexpected_keys"):
        if names := sorted(info[problem]):
            raise ValueError(f"{name} cannot be built: {problem.replace('_', ' ')} {', '.join(names[:3])}")
    _take_over(model, state)
    if settings.get("_name_or_path"):
        model.config._name_or_path = settings["_name_or_path"]
    model.train(base.training)
    devices = {parameter.device for parameter in base.parameters()}
    return model.to(devices.pop()) if len(devices) == 1 else model


def _take_over(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put the tensors of ``state`` where ``model`` has those names, one parameter for each tensor."""
    taken: dict[tuple[int, bool], Tensor] = {}
    for name, old in model.state_dict(keep_vars=True).items():
        key = _place(state[name], old)
        if key not in taken:
            new = state[name].detach()
            is_parameter = isinstance(old, nn.Parameter)
            taken[key] = nn.Parameter(new, requires_grad=old.requires_grad) if is_parameter else new
        owner, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(owner), leaf, taken[key])
    for name, new in model.state_dict(keep_vars=True).items():
        if new is not taken[_place(state[name], new)]:  # a module that has two names
            raise ValueError(
                f"{type(model).__name__} cannot be built: what holds {name} holds another tensor too"
            )


def _place(tensor: Tensor, held: Tensor) -> tuple[int, bool]:
    return id(tensor), isinstance(held, nn.Parameter)


def _difference(state: Mapping[str, Tensor], base: nn.Module) -> str:
    """The first difference between a model of these tensors and ``base``, to follow its name."""
    kind, theirs = f"base ({type(base).__name__})", base.state_dict()
    for name, tensor in state.items():
        shape = list(tensor.shape)
        if name not in theirs:
            return f"with {name} of shape {shape}, where {kind} has none"
        if theirs[name].shape != tensor.shape:
            return f"with {name} of shape {shape}, where {kind} has shape {list(theirs[name].shape)}"
    left = next((name for name in theirs if name not in state), None)
    return f"without {left}, which {kind} has" if left else f"of another class, dtype or ties than {kind}"
