"""The options of `pruning-ext mi`."""

from __future__ import annotations

import argparse
from pathlib import Path

from pruning_ext.cli.parsers.defaults import MI, TOKENS
from pruning_ext.cli.parsers.options import add_config_options, add_device_option, add_plan_option, said
from pruning_ext.config.choices import ALLOCATIONS, COMPENSATIONS, ESTIMATORS, METRICS, SELECTIONS, STRATEGIES

NAME = "mi"
HELP = "remove FFN neurons that can be spared; the result is a smaller, ordinary model"
MODELS = "MODEL"
ABOUT = """\
MI pruning removes neurons of the feed-forward blocks and refits the layer that
read them. By default those go that the model's predictions feel least, which
measured best; --selection joint, greedy and random_pairs weigh the mutual
information between neurons (after Huang, Song & Pao 2024). It needs texts, but
no labels and no training.
"""
DESCRIPTION = f"""\
{ABOUT}\
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
TARGETS = (
    "FFN blocks to prune, such as model.layers.0 (`pruning-ext plan mi` lists them), by whole name or last "
    "parts, or a pattern re:... that matches all of a name (after the model); default: all. Blocks left out "
    "keep their width, so that the result needs pruning_ext.load_pruned or --pad-to-uniform"
)
ALLOCATION_HELP = (
    "uniform: one width for all blocks, so that from_pretrained loads the result; global: the same "
    "share of neurons, taken where it costs least, which measured best but needs pruning_ext.load_pruned"
)
LENGTH_HELP = "tokens per sequence (default 512, or what the model can take if that is less)"


_BLOCKS = "as many as fit in 4 GiB; with --recalibrate one"


def _tokens() -> str:
    return ", ".join(f"{number} with {estimator}" for estimator, number in TOKENS.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, its calibration texts, and the options of an :class:`~pruning_ext.pruners.MIConfig`."""
    parser.add_argument("model", metavar="MODEL", help="the model to prune: directory or hub name")
    group = add_config_options(parser, TARGETS, f"seed of every random choice (default {MI['seed']})")
    amount = group.add_mutually_exclusive_group()
    amount.add_argument(
        "--ratio", type=float, metavar="R", help="fraction of the neurons to remove, between 0 and 1"
    )
    amount.add_argument("--width", type=int, metavar="N", help="neurons to keep in each block")
    amount.add_argument(
        "--threshold",
        type=float,
        metavar="NATS",
        help="with random_pairs: information of a redundant pair",
    )
    words = {
        "selection": (SELECTIONS, "which neurons go"),
        "estimator": (ESTIMATORS, "how mutual information is estimated"),
        "metric": (METRICS, "how the columns that read a neuron are measured"),
        "compensation": (COMPENSATIONS, "refit the down projection, or do not"),
        "strategy": (STRATEGIES, "where the edges of the bins lie"),
        "allocation": (ALLOCATIONS, ALLOCATION_HELP),
    }
    for name, (choices, meaning) in words.items():
        group.add_argument(f"--{name}", choices=choices, help=f"{meaning} (default {MI[name]})")
    numbers = {
        "ridge": (float, f"pull of the refit towards the old weights (default {MI['ridge']})"),
        "bins": (int, f"bins of the histogram, 2 to 256 (default {MI['bins']})"),
        "max-tokens": (int, f"tokens to estimate information from (default {_tokens()})"),
        "round-to": (int, f"make widths multiples of N (default {MI['round_to']})"),
        "blocks-per-pass": (int, f"blocks looked at in one pass (default {_BLOCKS})"),
    }
    for name, (kind, meaning) in numbers.items():
        group.add_argument(f"--{name}", type=kind, metavar="X" if kind is float else "N", help=meaning)
    group.add_argument(
        "--recalibrate",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="look at each block with the blocks before it already pruned "
        f"(default {said(MI['recalibrate'])})",
    )
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
