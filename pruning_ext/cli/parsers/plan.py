"""The options of `pruning-ext plan METHOD`, beside the method's own."""

from __future__ import annotations

import argparse
from pathlib import Path

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
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="write the plan to FILE too, as JSON; its tensors, if any, go beside it",
    )
    group.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
