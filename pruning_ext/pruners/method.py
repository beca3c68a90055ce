"""`plan` and `prune` for every method, and the registry of methods by their type of configuration."""

from __future__ import annotations

import copy
import importlib
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import nn

from pruning_ext.config.base import PruneConfig
from pruning_ext.models.huggingface import given_model
from pruning_ext.pruners.plan import ModelSummary, Plan

Config = TypeVar("Config", bound=PruneConfig)
Config_contra = TypeVar("Config_contra", bound=PruneConfig, contravariant=True)


class PruningWarning(UserWarning):
    """A result that was asked for and is probably not what was meant."""


def warn(sentence: str) -> None:
    """Issue a :class:`PruningWarning` that points at the line which called this package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "pruning_ext":
        frame, level = frame.f_back, level + 1
    warnings.warn(sentence, PruningWarning, stacklevel=level)


class MakePlan(Protocol[Config_contra]):
    """The first half of a method; it alters nothing, and finds every error that can be found before it would.

    ``pretrained`` is what :attr:`Method.prepare` makes of it.
    """

    def __call__(
        self,
        model: nn.Module,
        config: Config_contra,
        *,
        pretrained: Any,
        calibration: Any,
        show_progress: bool,
    ) -> Plan: ...


class ApplyPlan(Protocol):
    """The second half of a method; it alters ``model`` in place and returns a JSON-ready report.

    ``model`` is the one that was planned for, or a copy of it. ``pretrained`` is what the first half had.
    """

    def __call__(
        self, model: nn.Module, plan: Plan, *, pretrained: Any, calibration: Any, show_progress: bool
    ) -> dict[str, Any]: ...


def _as_given(model: nn.Module, pretrained: nn.Module | None) -> nn.Module | None:
    return pretrained


@dataclass(frozen=True)
class Method(Generic[Config_contra]):
    """The two halves of a method, and what they share.

    Attributes:
        plan: says what is to be done.
        apply: does it.
        prepare: makes of the model and of ``pretrained`` what both halves get as ``pretrained``, once for
            both, so that neither reads again what the other has read; by default ``pretrained`` itself.
    """

    plan: MakePlan[Config_contra]
    apply: ApplyPlan
    prepare: Callable[[nn.Module, nn.Module | None], Any] = _as_given


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


_BUILT_IN = ("ken", "mi")
_METHODS: dict[type[PruneConfig], Method[Any]] = {}


def register_method(config_type: type[Config], method: Method[Config]) -> None:
    """Make :func:`plan` and :func:`prune` accept configurations of ``config_type``."""
    _METHODS[config_type] = method


def _method_of(config: PruneConfig) -> Method[Any]:
    for name in _BUILT_IN:  # they stand above this module, and register themselves when they are imported
        importlib.import_module(f"pruning_ext.pruners.{name}.plan")
    method = _METHODS.get(type(config))
    if method is None:
        known = ", ".join(kind.__name__ for kind in _METHODS)
        remedy = "; PruneConfig.from_dict makes one of it" if isinstance(config, dict) else ""
        raise TypeError(f"config is a {type(config).__name__}, expected one of {known}{remedy}")
    return method


def given_models(model: Any, pretrained: Any) -> tuple[nn.Module, nn.Module | None]:
    """Both arguments as :func:`~pruning_ext.models.huggingface.given_model` has them."""
    return (
        given_model("model", model),
        None if pretrained is None else given_model("pretrained", pretrained),
    )


def plan(
    model: nn.Module,
    config: PruneConfig,
    *,
    pretrained: nn.Module | None = None,
    calibration: Any = None,
    show_progress: bool = False,
) -> Plan:
    """Plan the pruning of ``model``: layers, predicted parameters and bytes. Alters nothing.

    Args:
        model: the model to prune (for KEN: the fine-tuned one).
        config: a :class:`KENConfig` or an :class:`MIConfig`.
        pretrained: the model that ``model`` was fine-tuned from, where the method needs it.
        calibration: unlabelled inputs, where the method needs them.
        show_progress: draw a progress bar on stderr.
    """
    model, pretrained = given_models(model, pretrained)
    method = _method_of(config)
    return method.plan(
        model,
        config,
        pretrained=method.prepare(model, pretrained),
        calibration=calibration,
        show_progress=show_progress,
    )


def plan_for(
    model: nn.Module,
    config: PruneConfig | Plan,
    prepared: Any,
    *,
    calibration: Any = None,
    show_progress: bool = False,
) -> Plan:
    """The plan that the method of ``config`` makes, or ``config`` itself where it is a plan of this model.

    Args:
        model: of :func:`given_models`.
        config: a configuration or a plan.
        prepared: what the method's ``prepare`` made of the models.
        calibration: as for :func:`plan`.
        show_progress: as for :func:`plan`.

    Raises:
        ValueError: a plan that was made for a model with other tensors.
    """
    if not isinstance(config, Plan):
        return _method_of(config).plan(
            model, config, pretrained=prepared, calibration=calibration, show_progress=show_progress
        )
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
    model, pretrained = given_models(model, pretrained)
    method = _method_of(config.config if isinstance(config, Plan) else config)
    prepared = method.prepare(model, pretrained)
    made = plan_for(model, config, prepared, calibration=calibration, show_progress=show_progress)
    with torch.inference_mode(False):  # or the copy could never be trained
        result = model if inplace else copy.deepcopy(model)
    report = method.apply(
        result, made, pretrained=prepared, calibration=calibration, show_progress=show_progress
    )
    result.pruning_config = made.config  # type: ignore[assignment]
    return PruneResult(result, made, timed(made, report, started))


def timed(made: Plan, report: dict[str, Any], started: float) -> dict[str, Any]:
    """``report`` with its method, and the seconds since :func:`time.perf_counter` was ``started``."""
    return {"method": made.config.method, **report, "seconds": round(time.perf_counter() - started, 3)}
