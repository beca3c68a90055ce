"""The options of `pruning-ext apply`."""

from __future__ import annotations

import argparse

from pruning_ext.cli.parsers.options import add_output_options

HELP = "restore a pruned model from its base and its delta"
DESCRIPTION = """\
Rebuild the pruned model, bit for bit, and write it as a directory that
from_pretrained loads. This is done tensor by tensor: the model may be larger
than the memory. The tokenizer comes along: its files from the delta where it
has them, from the base otherwise. A base that differs in any tensor from the
one that the delta was made from is refused.

example:
  pruning-ext apply ./pretrained ./delta -o ./pruned
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Base, delta and output."""
    parser.add_argument("base", metavar="BASE", help="the pretrained model: a directory or a hub name")
    parser.add_argument("delta", metavar="DELTA", help="a directory written by pruning-ext ken")
    parser.add_argument(
        "--base-class", metavar="NAME", help="transformers class of BASE (default: as recorded)"
    )
    add_output_options(parser)
