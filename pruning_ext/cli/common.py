"""Checks and steps that several commands share."""

from __future__ import annotations

import argparse
import functools
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from pruning_ext.cli.console import UsageError
from pruning_ext.config.base import PruneConfig
from pruning_ext.config.fields import options_of
from pruning_ext.config.yaml_file import read_mapping
from pruning_ext.pruners import Plan, PruningWarning
from pruning_ext.storage.atomic import check_writable
from pruning_ext.storage.replaceable import check_replaceable

Config = TypeVar("Config", bound=PruneConfig)
Run = Callable[[argparse.Namespace], None]


def check_device(args: argparse.Namespace) -> None:
    """Refuse a device that is not here before the work, not after loading a model."""
    try:
        torch.empty(1, device=args.device).cpu()
    except Exception as error:  # torch has a kind of its own for each way in which a device can be missing
        reason = str(error).splitlines()[0]
        raise UsageError(f"--device {args.device}: torch cannot use it here: {reason}") from error


def config_from_args(args: argparse.Namespace, config_type: type[Config]) -> Config:
    """The configuration that `--config` and the options make together.

    Args:
        args: parsed options; those that were not given are ``None``.
        config_type: the configuration class, whose fields have options of the same name. An amount given as
            an option replaces any other in the file.
    """
    given = _given(args, config_type)
    amounts = config_type.amounts
    try:
        values = read_mapping(args.config) if args.config else {}
        if given.keys() & set(amounts):
            values = {name: value for name, value in values.items() if name not in amounts}
        elif (
            amounts
            and not values.keys() & set(amounts)
            and values.keys() <= {"method", *options_of(config_type)}
        ):
            raise UsageError(f"give {' or '.join(f'--{name}' for name in amounts)}")
        return config_type.from_dict(values | given)
    except UsageError:
        raise
    except OSError as error:
        raise UsageError(f"--config {args.config} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        origin = f"{args.config}: " if args.config and str(args.config) not in str(error) else ""
        raise UsageError(f"{origin}{error}") from error


def config_or_plan(args: argparse.Namespace, config_type: type[Config]) -> Config | Plan:
    """The plan that `--plan` names, or what :func:`config_from_args` makes of the other options."""
    if args.plan is None:
        return config_from_args(args, config_type)
    given = [*_given(args, config_type), *(["config"] if args.config is not None else [])]
    if given:
        raise UsageError(f"--plan says all that --{given[0].replace('_', '-')} would: give one or the other")
    found = Plan.load(args.plan)
    if not isinstance(found.config, config_type):
        raise UsageError(
            f"{args.plan} is a plan of method {found.config.method!r}, not of {config_type.method!r}"
        )
    return found


def _given(args: argparse.Namespace, config_type: type[PruneConfig]) -> dict[str, Any]:
    """By field, what the options say."""
    found = {name: getattr(args, name) for name in options_of(config_type)}
    return {name: value for name, value in found.items() if value is not None}


def warnings_as_lines(run: Run) -> Run:
    """``run`` with the package's warnings as sentences on stderr, where Python would show a line of our code;
    none with `--quiet`."""

    @functools.wraps(run)
    def running(args: argparse.Namespace) -> None:
        others = warnings.showwarning

        def show(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
            if not issubclass(category, PruningWarning):
                others(message, category, *where, **more)
            elif not args.quiet:
                print(f"pruning-ext: warning: {message}", file=sys.stderr)

        with warnings.catch_warnings():
            warnings.simplefilter("always", PruningWarning)
            warnings.showwarning = show
            run(args)

    return running


def check_output(args: argparse.Namespace, *inputs: str | Path | None) -> None:
    """Refuse an output directory before the work, not after it.

    Args:
        args: with ``output`` and ``overwrite``.
        inputs: what is read; it must not lie where the output will.
    """
    try:
        path: Path = args.output.resolve()
    except RuntimeError as error:
        raise UsageError(f"--output {args.output} is a link that leads back to itself") from error
    if path == Path.cwd():
        raise UsageError(f"--output {args.output} is the current directory: name one to be made")
    for given in (each for each in inputs if each):
        other = Path(given).resolve()
        if other.exists() and (path == other or path in other.parents):
            raise UsageError(f"--output {args.output} would replace {given}, which is read: name another")
    try:
        check_replaceable(path, args.overwrite, permission="--overwrite")
        check_writable(path)
    except FileExistsError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"--output {args.output} cannot be written: {error.strerror}") from error
