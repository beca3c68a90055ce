"""`pruning-ext plan METHOD`: what a method would keep."""

from __future__ import annotations

import argparse
from pathlib import Path

from pruning_ext.cli.common import UsageError, say
from pruning_ext.pruners import Plan

HELP = "say what a method would keep and how large the result would be, without pruning"
DESCRIPTION = """\
Print, layer by layer, what a method would keep and how many bytes that takes. Takes the options of the
method.

example:
  pruning-ext plan ken ./finetuned ./pretrained --density 0.25 -o plan.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--output`."""
    group = parser.add_argument_group("output")
    group.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write the plan to FILE too, as JSON"
    )
    group.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")


def run(args: argparse.Namespace) -> None:
    """Print the plan, and save it if asked to."""
    if args.output and args.output.exists() and not args.overwrite:
        raise UsageError(f"{args.output} exists: name another file, or pass --overwrite")
    made: Plan = args.make_plan(args)
    if args.output:
        made.save(args.output)
    say(args, made.summary())
