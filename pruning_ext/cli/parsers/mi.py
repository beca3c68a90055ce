"""The options of `pruning-ext mi`."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

from pruning_ext.choices.selections import SELECTIONS
from pruning_ext.cli.parsers.options import add_config_options, add_device_option, add_plan_option
from pruning_ext.config.mi import MIConfig

NAME = "mi"
HELP = "remove FFN neurons that can be spared; the result is a smaller, ordinary model"
MODELS = "MODEL"
_BY_PAIRS = [selection.name for selection in SELECTIONS if selection.pairwise]
ABOUT = textwrap.fill(
    "MI pruning removes neurons of the feed-forward blocks and refits the layer that read them. By default "
    "those go that the model's predictions feel least, which measured best; "
    f"--selection {', '.join(_BY_PAIRS[:-1])} and {_BY_PAIRS[-1]} weigh the mutual information between "
    "neurons (after Huang, Song & Pao 2024). It needs texts, but no labels and no training.",
    width=80,
)
DESCRIPTION = f"""\
{ABOUT}
What is written is a model directory, which from_pretrained loads where all
blocks have one width.

examples:
  a quarter of the neurons of every block:
    pruning-ext mi ./model --ratio 0.25 --calibration texts.txt -o ./smaller
  look at the plan first, then follow it:
    pruning-ext plan mi ./model --ratio 0.25 --calibration texts/ -o plan.json
    pruning-ext mi ./model --plan plan.json -o ./smaller
  each block as wide as it needs, for less loss at the same size:
    pruning-ext mi ./model --ratio 0.25 --allocation global \\
        --calibration texts.txt -o ./smaller
  by importance and mutual information together:
    pruning-ext mi ./model --ratio 0.25 --selection joint \\
        --calibration texts.txt -o ./smaller
  the paper's own way:
    pruning-ext mi ./model --ratio 0.25 --selection random_pairs \\
        --estimator renyi --compensation none --calibration texts.txt -o ./smaller
"""
PLAN_DESCRIPTION = f"""\
Print, block by block, what `pruning-ext mi` would remove and how large the
blocks would be. Nothing is written but the plan, and that only with -o FILE.

{ABOUT}

examples:
  a quarter of the neurons of every block:
    pruning-ext plan mi ./model --ratio 0.25 --calibration texts.txt
  into a file, with the refitted layers beside it, and what that says:
    pruning-ext plan mi ./model --ratio 0.25 --calibration texts/ -o plan.json
    pruning-ext plan mi ./model --plan plan.json
  follow it:
    pruning-ext mi ./model --plan plan.json -o ./smaller
"""
LENGTH_HELP = "tokens per sequence (default 512, or what the model can take if that is less)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, its calibration texts, and the options of an :class:`~pruning_ext.pruners.MIConfig`."""
    parser.add_argument("model", metavar="MODEL", help="the model to prune: directory or hub name")
    add_config_options(parser, MIConfig)
    texts = parser.add_argument_group("calibration")
    texts.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE|DIR",
        help="texts, parted by empty lines, or .jsonl with a field 'text'; or a directory of such files",
    )
    texts.add_argument("--max-length", type=int, metavar="N", help=LENGTH_HELP)
    texts.add_argument("--batch-size", type=int, default=8, metavar="N", help="sequences at once (default 8)")
    loading = parser.add_argument_group("loading")
    loading.add_argument("--model-class", metavar="NAME", help="transformers class of MODEL")
    add_plan_option(parser, "this model")
    add_device_option(parser, "where the model runs and neurons are scored")


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """`--pad-to-uniform`: a plan writes no model."""
    parser.add_argument(
        "--pad-to-uniform",
        action="store_true",
        help="where widths differ, pad with zero neurons so that from_pretrained loads the result",
    )
