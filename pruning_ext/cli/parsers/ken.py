"""The options of `pruning-ext ken`."""

from __future__ import annotations

import argparse

from pruning_ext.cli.parsers.options import add_config_options, add_device_option, add_plan_option
from pruning_ext.config.ken import KENConfig

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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Models and options of a :class:`~pruning_ext.pruners.KENConfig`."""
    parser.add_argument("finetuned", metavar="FINETUNED", help="the fine-tuned model: directory or hub name")
    parser.add_argument("pretrained", metavar="PRETRAINED", help="the model it was fine-tuned from")
    add_config_options(parser, KENConfig)
    add_plan_option(parser, "these models")
    loading = parser.add_argument_group("loading")
    loading.add_argument("--model-class", metavar="NAME", help="transformers class of FINETUNED")
    loading.add_argument("--pretrained-class", metavar="NAME", help="transformers class of PRETRAINED")


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """`--device`: a plan selects nothing."""
    add_device_option(parser, "where rows are selected, some at a time; the models stay on the CPU")
