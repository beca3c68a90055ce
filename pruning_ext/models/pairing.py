"""The tensors of a fine-tuned model, each with its counterpart in the model it came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from pruning_ext.models.huggingface import check_not_quantized


@dataclass(frozen=True)
class Pair:
    """One tensor of a model's state dict, tied names folded.

    Attributes:
        name: its first name in the model.
        tied: its other names.
        tensor: its values, detached, sharing the model's memory.
        base_name: the name of its counterpart in the base, ``None`` where there is none of this shape.
        base: the counterpart's values, detached, sharing the base's memory.
        is_parameter: a parameter, not a buffer.
    """

    name: str
    tied: tuple[str, ...]
    tensor: Tensor
    base_name: str | None
    base: Tensor | None
    is_parameter: bool


def named_state(model: nn.Module, role: str) -> dict[str, tuple[tuple[str, ...], Tensor]]:
    """``name -> (tied names, tensor)`` of every parameter and persistent buffer, tied ones once.

    Raises:
        ValueError: state that is no tensor, or a sparse one, or one without values.
    """
    names_at: dict[object, list[str]] = {}
    state: dict[str, Tensor] = model.state_dict()
    for name, tensor in state.items():
        _check_tensor(name, tensor, role)
        place = (tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        names_at.setdefault(place if tensor.numel() else name, []).append(name)
    return {names[0]: (tuple(names[1:]), state[names[0]]) for names in names_at.values()}


def _check_tensor(name: str, tensor: Any, role: str) -> None:
    if not isinstance(tensor, Tensor):  # of a module quantized by torch, or with get_extra_state()
        kind = type(tensor).__name__
        raise ValueError(f"{role}: {name} in its state is a {kind}: only tensors can be pruned or stored")
    if is_lazy(tensor):
        raise ValueError(f"{role}: tensor {name} has no shape yet; run a batch through its lazy module first")
    if tensor.is_meta:
        raise ValueError(f"{role}: tensor {name} is on the meta device, without values; load them first")
    if tensor.layout != torch.strided:
        raise ValueError(f"{role}: tensor {name} is sparse ({tensor.layout}); make it dense first")


def pair_tensors(model: nn.Module, base: nn.Module, base_role: str = "pretrained") -> list[Pair]:
    """Every tensor of ``model``, in order, with its counterpart in ``base``.

    The counterpart has the same name, or the same after adding or removing the models' ``base_model_prefix``
    (so that a bare backbone serves as the base of a model with a head), and the same shape. A tensor without
    one is new: a head, or an embedding that was resized. Messages call the base ``base_role``.

    Raises:
        ValueError: the models do not belong together (another ``model_type``, other layers, no tensor in
            common), a pair differs in dtype or device, a tensor is on the meta device, or a model is
            quantized.
    """
    for role, each in (("model", model), (base_role, base)):
        check_not_quantized(getattr(each, "config", None), role)
    _check_model_type(model, base, base_role)
    ours = named_state(model, "model")
    theirs: dict[str, Tensor] = {}
    for name, (tied, tensor) in named_state(base, base_role).items():
        theirs |= dict.fromkeys((name, *tied), tensor)
    prefixes = base_prefixes(model, base)
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    pairs = []
    for name, (tied, tensor) in ours.items():
        base_name = find_counterpart((name, *tied), tensor.shape, theirs, prefixes)
        counterpart = None if base_name is None else theirs[base_name]
        pairs.append(Pair(name, tied, tensor, base_name, counterpart, name in parameters))
    if not any(pair.base is not None and pair.is_parameter for pair in pairs):
        raise ValueError(
            f"model ({type(model).__name__}) and {base_role} ({type(base).__name__}) have no parameter of "
            f"the same name and shape; the first are {_first_parameter(model)} and {_first_parameter(base)}: "
            "they do not belong together, or one is wrapped, and the module inside is to be given"
        )
    _check_layers(pairs, theirs, prefixes, base_role)
    for pair in pairs:
        _check_storage(pair, base_role)
    return pairs


def find_counterpart(
    names: Iterable[str], shape: Sequence[int], candidates: Mapping[str, Tensor], prefixes: Iterable[str]
) -> str | None:
    """The first of ``names``, as it is or with a prefix more or less, that a candidate of this shape has."""
    prefixes = list(prefixes)
    for name in names:
        spellings = [name, *(name.removeprefix(p) for p in prefixes), *(p + name for p in prefixes)]
        for spelling in spellings:
            if spelling in candidates and candidates[spelling].shape == torch.Size(shape):
                return spelling
    return None


def base_prefixes(*models: nn.Module) -> list[str]:
    """Prefixes, dot included, by which names of a backbone and of a model around it may differ."""
    prefixes = [getattr(model, "base_model_prefix", "") for model in models]
    return list(dict.fromkeys(f"{prefix}." for prefix in prefixes if prefix))


def _first_parameter(model: nn.Module) -> str:
    first = next(model.named_parameters(), None)
    return "none at all" if first is None else f"{first[0]} of shape {list(first[1].shape)}"


def _check_model_type(model: nn.Module, base: nn.Module, base_role: str) -> None:
    kinds = [getattr(getattr(m, "config", None), "model_type", None) for m in (model, base)]
    if None not in kinds and kinds[0] != kinds[1]:
        raise ValueError(
            f"model is of type {kinds[0]!r} ({type(model).__name__}) and {base_role} of type {kinds[1]!r} "
            f"({type(base).__name__}): they do not belong together"
        )


def _check_layers(
    pairs: list[Pair], theirs: Mapping[str, Tensor], prefixes: list[str], base_role: str
) -> None:
    """A new head is welcome, layers that one model has and the other lacks are not."""
    if not prefixes:  # not a Hugging Face model: nothing tells a head from a backbone
        return
    used = {pair.base_name for pair in pairs if pair.base_name}
    matched = {stack for name in used if (stack := _stack(name, prefixes))}
    backbone = [name for name in theirs if name.startswith(tuple(prefixes))] or list(theirs)
    layers = [name for name in backbone if _stack(name, prefixes)]
    if layers and not any(_stack(name, prefixes) in matched for name in layers):
        raise ValueError(
            f"{base_role} has {layers[0]} of shape {list(theirs[layers[0]].shape)}, and model has no tensor "
            "of that name and shape, nor any other of its layers: they have other names, or the two do not "
            "belong together"
        )
    for pair in pairs:
        if pair.base is None and pair.is_parameter and _stack(pair.name, prefixes) in matched:
            raise ValueError(
                f"model has {pair.name} of shape {list(pair.tensor.shape)}, and {base_role} has no tensor of "
                "that name and shape: the two differ in the number or size of their layers"
            )
    ours = [name for pair in pairs for name in (pair.name, *pair.tied)]
    known = {spelling for name in ours for spelling in _bare(name, prefixes)}
    for name, tensor in theirs.items():
        if _stack(name, prefixes) in matched and not known.intersection(_bare(name, prefixes)):
            raise ValueError(
                f"{base_role} has {name} of shape {list(tensor.shape)}, and model has no tensor of that "
                "name: the two differ in the number or size of their layers"
            )


def _bare(name: str, prefixes: list[str]) -> set[str]:
    return {name, *(name.removeprefix(prefix) for prefix in prefixes)}


def _stack(name: str, prefixes: list[str]) -> str | None:
    """``encoder.layer`` for ``bert.encoder.layer.3.output.dense.weight``, ``None`` outside such a stack."""
    for prefix in prefixes:
        name = name.removeprefix(prefix)
    numbered = re.match(r"(.+?)\.\d+\.", name)
    return numbered[1] if numbered else None


def _check_storage(pair: Pair, base_role: str) -> None:
    if pair.base is None:
        return
    if pair.tensor.dtype != pair.base.dtype:
        raise ValueError(
            f"tensor {pair.name} is {pair.tensor.dtype} in model and {pair.base.dtype} in {base_role}: "
            "load both in one dtype"
        )
    if pair.tensor.device != pair.base.device:
        raise ValueError(
            f"tensor {pair.name} is on {pair.tensor.device} in model and on {pair.base.device} in "
            f"{base_role}: move them to one device"
        )
