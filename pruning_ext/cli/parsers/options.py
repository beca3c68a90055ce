"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pruning_ext.config.base import PruneConfig
from pruning_ext.config.checks import Choice, Flag, Names, Whole
from pruning_ext.config.fields import Option, options_of


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """`--quiet` and `--debug`."""
    group = parser.add_argument_group("messages")
    group.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """`--output` and `--overwrite`."""
    group = parser.add_argument_group("output")
    group.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="directory to write, in one step",
    )
    group.add_argument(
        "--overwrite",
        action="store_true",
        help="replace DIR if it is not empty",
    )


def add_config_options(parser: argparse.ArgumentParser, config_type: type[PruneConfig]) -> None:
    """`--config`, and an option for each field of the configuration."""
    group = parser.add_argument_group("what to prune")
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="YAML with the fields of the configuration; options given here override it",
    )
    options = options_of(config_type)
    amounts = group.add_mutually_exclusive_group()
    for name in dict.fromkeys([*options_of(PruneConfig), *config_type.amounts, *options]):
        about = options[name]
        (amounts if name in config_type.amounts else group).add_argument(
            f"--{name.replace('_', '-')}", default=None, help=_help(about), **_kind(about)
        )


def _kind(about: Option) -> dict[str, Any]:
    """What argparse is told of the values."""
    match about.check:
        case Flag():
            return {"action": argparse.BooleanOptionalAction}
        case Choice(names=names):
            return {"choices": names}
        case Names():
            return {"nargs": "+", "metavar": about.metavar or "NAME"}
        case Whole():
            return {"type": int, "metavar": about.metavar or "N"}
        case _:
            return {"type": float, "metavar": about.metavar or "X"}


def _help(about: Option) -> str:
    """The help with what each word means, and what holds where the option is left out."""
    meanings = about.check.meanings if isinstance(about.check, Choice) else {}
    text = "; ".join([about.help, *(f"{name}: {meaning}" for name, meaning in meanings.items())])
    omitted = about.omitted() if callable(about.omitted) else about.omitted
    if isinstance(about.default, bool):
        omitted = "yes" if about.default else "no"
    elif about.default not in (None, ()):
        omitted = str(about.default)
    text += f" (default {omitted})" if omitted else ""
    return text.replace("%", "%%")


def add_plan_option(parser: argparse.ArgumentParser, models: str) -> None:
    """`--plan`."""
    parser.add_argument(
        "--plan",
        type=Path,
        metavar="FILE",
        help=f"follow a plan made earlier for {models}, in place of options",
    )


def add_device_option(parser: argparse.ArgumentParser, help: str) -> None:
    """`--device`."""
    group = parser.add_argument_group("device")
    group.add_argument(
        "--device", default="cpu", metavar="NAME", help=f"{help}: cpu (default), cuda, cuda:1 ..."
    )
