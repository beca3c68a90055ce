"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path


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


def said(switch: object) -> str:
    """A switch's default as a word."""
    return "yes" if switch else "no"


def add_config_options(
    parser: argparse.ArgumentParser, targets_help: str, seed_help: str
) -> argparse._ArgumentGroup:
    """The options of every configuration; returns the group, for those of the method."""
    group = parser.add_argument_group("what to prune")
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="YAML with the fields of the configuration; options given here override it",
    )
    group.add_argument("--targets", nargs="+", metavar="NAME", help=targets_help)
    group.add_argument("--ignore", nargs="+", metavar="NAME", help="what to leave alone, named likewise")
    group.add_argument("--seed", type=int, metavar="N", help=seed_help)
    return group


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
