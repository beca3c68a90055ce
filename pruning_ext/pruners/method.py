"""`plan` and `prune` for every method; a method registers itself under its configuration type."""

from __future__ import annotations

import copy
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pruning_ext.config.base import PruneConfig
from pruning_ext.models.huggingface import unwrapped
from pruning_ext.pruners.plan import ModelSummary, Plan


class PruningWarning(UserWarning):
    """What was asked for is done, and is probably not what was meant."""


def warn(doubt: str) -> None:
    """Issue a :class:`PruningWarning` that points at the line which called this package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "pruning_ext":
        frame, level = frame.f_back, level + 1
    warnings.warn(doubt, PruningWarning, stacklevel=level)


@dataclass(frozen=True)
class Method:
    """How one method plans and applies.

    Attributes:
        plan: ``plan(model, config, *, pretrained, calibration, show_progress) -> Plan``; alters nothing, and
            finds every error that can be found before the first change.
        apply: ``apply(model, plan, *, pretrained, calibration, show_progress) -> report``; alters ``model``
            in place and returns a JSON-ready report.
    """

    plan: Callable[..., Plan]
    apply: Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class PruneResult:
    """The pruned model, the plan it followed, and a JSON-ready report of what was done.

    Attributes:
        model: pruned; the one that was given if it was pruned in place.
        plan: what was followed.
        report: ``method``, and ``seconds`` of the whole call. For KEN ``criterion``, ``entries`` of the
            pruned rows, how many of them were ``kept``, their share ``density``, ``kept_per_tensor``, and
            names of tensors that were left alone: ``new`` ones, which the base has not, and those
            ``as_fine_tuned``. For MI ``parameters`` and ``bytes`` of the model, and ``widths`` of each pruned
            block, all as ``[before, after]``; the ``tokens`` it was calibrated on, and the ``texts`` they are
            of.
    """

    model: nn.Module
    plan: Plan
    report: dict[str, Any]


_METHODS: dict[type[PruneConfig], Method] = {}


def register_method(config_type: type[PruneConfig], method: Method) -> None:
    """Make :func:`plan` and :func:`prune` accept configurations of ``config_type``."""
    _METHODS[config_type] = method


def _method_of(config: PruneConfig) -> Method:
    # They need what stands above; so they come last, and register themselves.
    from pruning_ext.pruners.ken import plan as _ken  # noqa: F401
    from pruning_ext.pruners.mi import plan as _mi  # noqa: F401

    method = _METHODS.get(type(config))
    if method is None:
        known = ", ".join(kind.__name__ for kind in _METHODS)
        remedy = "; PruneConfig.from_dict makes one of it" if isinstance(config, dict) else ""
        raise TypeError(f"config is a {type(config).__name__}, expected one of {known}{remedy}")
    return method


def check_module(name: str, given: Any) -> None:
    """Raise ``TypeError`` unless the argument ``name`` is a module: a path, say, is to be loaded first."""
    if not isinstance(given, nn.Module):
        raise TypeError(f"{name} is a {type(given).__name__}, expected a torch.nn.Module: load it first")


def _check_models(model: Any, pretrained: Any) -> None:
    check_module("model", model)
    if pretrained is not None:
        check_module("pretrained", pretrained)


def plan(
    model: nn.Module,
    config: PruneConfig,
    *,
    pretrained: nn.Module | None = None,
    calibration: Any = None,
    show_progress: bool = False,
) -> Plan:
    """What :func:`prune` would do to ``model``: layers, predicted parameters and bytes. Alters nothing.

    Args:
        model: the model to prune (for KEN: the fine-tuned one).
        config: a :class:`KENConfig` or an :class:`MIConfig`.
        pretrained: the model that ``model`` was fine-tuned from, where the method needs it.
        calibration: unlabelled inputs, where the method needs them.
        show_progress: draw a progress bar on stderr.
    """
    _check_models(model, pretrained)
    model, pretrained = unwrapped(model), unwrapped(pretrained)
    return _method_of(config).plan(
        model, config, pretrained=pretrained, calibration=calibration, show_progress=show_progress
    )


def plan_for(
    model: nn.Module,
    config: PruneConfig | Plan,
    *,
    pretrained: nn.Module | None = None,
    calibration: Any = None,
    show_progress: bool = False,
) -> Plan:
    """The plan that :func:`plan` makes, or ``config`` itself where it is a plan of this model.

    Raises:
        ValueError: a plan that was made for a model with other tensors.
    """
    if not isinstance(config, Plan):
        return plan(
            model, config, pretrained=pretrained, calibration=calibration, show_progress=show_progress
        )
    _check_models(model, pretrained)
    _method_of(config.config)
    model = unwrapped(model)
    if ModelSummary.of(model).signature != config.model.signature:
        raise ValueError(
            f"the plan was made for {config.model.architecture} {config.model.name or '(unnamed)'}, whose "
            f"tensors (names, shapes, dtypes, or values) are not those of this {type(model).__name__}"
        )
    return config


def prune(
    model: nn.Module,
    config: PruneConfig | Plan,
    *,
    pretrained: nn.Module | None = None,
    calibration: Any = None,
    inplace: bool = False,
    show_progress: bool = False,
) -> PruneResult:
    """Prune ``model`` by ``config``, or by a plan made earlier for the same model.

    Without ``inplace`` the inputs stay as they are and the result is one new copy of ``model``; with it the
    result is ``model`` itself (of a compiled model, the module that was compiled). Every error that the plan
    can find is raised before the first change. The result remembers its configuration as the attribute
    ``pruning_config``, for what is written about it on disk.

    Args:
        model: the model to prune (for KEN: the fine-tuned one).
        config: a :class:`KENConfig`, an :class:`MIConfig`, or a :class:`Plan` of this model.
        pretrained: for KEN the model that ``model`` was fine-tuned from.
        calibration: for MI unlabelled inputs: a :class:`Calibration` of texts and their tokenizer, token ids
            ``[B, S]``, a batch, or an iterable of them.
        inplace: alter ``model`` itself.
        show_progress: draw a progress bar on stderr.

    Raises:
        TypeError: a model that is not a ``torch.nn.Module``, its name say.
        ValueError: a plan that was made for a model with other tensors; modules of a model that
            ``torch.compile`` has wrapped one by one, which ``module.compile()`` does not, or that FSDP or
            activation checkpointing has.

    Warns:
        PruningWarning: for KEN, no weight differs; for MI, too few tokens for what is estimated.
    """
    started = time.perf_counter()
    made = plan_for(
        model, config, pretrained=pretrained, calibration=calibration, show_progress=show_progress
    )
    model, pretrained = unwrapped(model), unwrapped(pretrained)
    with torch.inference_mode(False):  # or the copy could never be trained
        result = model if inplace else copy.deepcopy(model)
    report = _method_of(made.config).apply(
        result, made, pretrained=pretrained, calibration=calibration, show_progress=show_progress
    )
    result.pruning_config = made.config  # type: ignore[assignment]
    return PruneResult(result, made, timed(made, report, started))


def timed(made: Plan, report: dict[str, Any], started: float) -> dict[str, Any]:
    """``report`` with its method, and the seconds since :func:`time.perf_counter` was ``started``."""
    return {"method": made.config.method, **report, "seconds": round(time.perf_counter() - started, 3)}
