"""The options of `pruning-ext ken`."""

from __future__ import annotations

import argparse

from pruning_ext.cli.parsers.defaults import KEN
from pruning_ext.cli.parsers.options import add_config_options, add_device_option, add_plan_option, said
from pruning_ext.config.choices import CRITERIA

NAME = "ken"
HELP = "keep k entries in each row of a fine-tuned model, the others become pretrained again"
MODELS = "FINETUNED PRETRAINED"
ABOUT = """\
KEN keeps k entries in each row of every weight matrix of a fine-tuned model
and resets the others to the values of the pretrained model it came from
(Mastromattei & Zanzotto 2024). Biases, norms and new heads stay as fine-tuned.
"""
DESCRIPTION = f"""\
{ABOUT}\
What is written is a delta: the kept entries and where they go. Both models are
read from their files tensor by tensor; they may be larger than the memory.

examples:
  half of every row, chosen by KEN:
    pruning-ext ken ./finetuned ./pretrained --density 0.5 -o ./delta
  the 64 entries of each row that moved furthest, and only in the attention:
    pruning-ext ken ./finetuned ./pretrained --k 64 --criterion delta \\
        --targets attention -o ./delta  # the other tensors are stored whole
  look at the plan first, then follow it:
    pruning-ext plan ken ./finetuned ./pretrained --density 0.5 -o plan.json
    pruning-ext ken ./finetuned ./pretrained --plan plan.json -o ./delta
  settings from a file:
    pruning-ext ken ./finetuned ./pretrained --config ken.yaml -o ./delta
"""
PLAN_DESCRIPTION = f"""\
Print, layer by layer, what `pruning-ext ken` would keep and how large its delta
would be. Nothing is written but the plan, and that only with -o FILE.

{ABOUT}
examples:
  half of every row:
    pruning-ext plan ken ./finetuned ./pretrained --density 0.5
  into a file, and what that says:
    pruning-ext plan ken ./finetuned ./pretrained --density 0.5 -o plan.json
    pruning-ext plan ken ./finetuned ./pretrained --plan plan.json
  follow it:
    pruning-ext ken ./finetuned ./pretrained --plan plan.json -o ./delta
"""
TARGETS = (
    "modules or parameters to prune, by whole name or last parts, or a pattern re:... that matches all of a "
    "name (after the models); default: all. What is left out is stored whole, as fine-tuned"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Models and options of a :class:`~pruning_ext.pruners.KENConfig`."""
    parser.add_argument("finetuned", metavar="FINETUNED", help="the fine-tuned model: directory or hub name")
    parser.add_argument("pretrained", metavar="PRETRAINED", help="the model it was fine-tuned from")
    group = add_config_options(parser, TARGETS, f"seed of the criterion random (default {KEN['seed']})")
    kept = group.add_mutually_exclusive_group()
    kept.add_argument("--density", type=float, metavar="D", help="fraction of each row to keep, 0 to 1")
    kept.add_argument("--k", type=int, metavar="K", help="entries of each row to keep")
    group.add_argument(
        "--criterion",
        choices=CRITERIA,
        help="which entries to keep: KEN's, the densest, the largest, those that moved furthest, any "
        f"(default {KEN['criterion']})",
    )
    group.add_argument(
        "--on",
        choices=("weight", "delta"),
        help=f"score weights, or their change by fine-tuning (default {KEN['on']})",
    )
    group.add_argument(
        "--keep-ties",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="with ken, keep every entry equal to a kept one too, as the published code does "
        f"(default {said(KEN['keep_ties'])})",
    )
    add_plan_option(parser, "these models")
    loading = parser.add_argument_group("loading")
    loading.add_argument("--model-class", metavar="NAME", help="transformers class of FINETUNED")
    loading.add_argument("--pretrained-class", metavar="NAME", help="transformers class of PRETRAINED")


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """`--device`: a plan selects nothing."""
    add_device_option(parser, "where rows are selected, some at a time; the models stay on the CPU")
