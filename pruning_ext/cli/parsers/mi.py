"""The options of `pruning-ext mi`."""

from __future__ import annotations

import argparse
from pathlib import Path

from pruning_ext.choices import ALLOCATIONS, COMPENSATIONS, ESTIMATORS, METRICS, SELECTIONS, STRATEGIES
from pruning_ext.cli.parsers.options import add_config_options, add_device_option, add_plan_option

NAME = "mi"
HELP = "remove FFN neurons that can be spared; the result is a smaller, ordinary model"
DESCRIPTION = """\
MI pruning removes neurons of the feed-forward blocks and refits the layer that
read them. By default those go that the model's predictions feel least, which
measured best; --selection joint, greedy and random_pairs weigh the mutual
information between neurons (after Huang, Song & Pao 2024). It needs texts, but
no labels and no training. What is written is a model directory that
from_pretrained loads.

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
ALLOCATION_HELP = (
    "uniform (default): one width for all blocks, so that from_pretrained loads the result; global: the same "
    "share of neurons, taken where it costs least, which measured best but needs pruning_ext.load_pruned"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, its calibration texts, and the options of an :class:`~pruning_ext.pruners.MIConfig`."""
    parser.add_argument("model", metavar="MODEL", help="the model to prune: directory or hub name")
    group = add_config_options(parser, "seed of every random choice (default 0)")
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
    group.add_argument("--selection", choices=SELECTIONS, help="which neurons go")
    group.add_argument("--estimator", choices=ESTIMATORS, help="how mutual information is estimated")
    group.add_argument("--metric", choices=METRICS, help="how the columns that read a neuron are measured")
    group.add_argument("--compensation", choices=COMPENSATIONS, help="refit the down projection, or do not")
    group.add_argument("--ridge", type=float, metavar="X", help="pull of the refit towards the old weights")
    group.add_argument("--bins", type=int, metavar="N", help="bins of the histogram, 2 to 256")
    group.add_argument("--strategy", choices=STRATEGIES, help="where the edges of the bins lie")
    group.add_argument("--max-tokens", type=int, metavar="N", help="tokens to estimate information from")
    group.add_argument("--round-to", type=int, metavar="N", help="make widths multiples of N")
    group.add_argument("--allocation", choices=ALLOCATIONS, help=ALLOCATION_HELP)
    group.add_argument(
        "--recalibrate",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="look at each block with the blocks before it already pruned",
    )
    group.add_argument("--blocks-per-pass", type=int, metavar="N", help="blocks looked at in one pass")
    texts = parser.add_argument_group("calibration")
    texts.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE|DIR",
        help="texts, parted by empty lines, or .jsonl with a field 'text'; or a directory of such files",
    )
    texts.add_argument("--max-length", type=int, metavar="N", help="tokens per sequence (default 512)")
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
