"""`pruning-ext ken`: prune a fine-tuned model against its base and write the delta."""

from __future__ import annotations

import argparse
from typing import Any

from pruning_ext.cli.common import (
    add_config_options,
    add_device_option,
    check_device,
    check_output,
    config_from_args,
    say,
    show_progress,
)
from pruning_ext.cli.models import changed_companions, check_model, load_model
from pruning_ext.delta import prune_to_delta
from pruning_ext.pruners import KENConfig, Plan, plan
from pruning_ext.pruners.rows import CRITERIA
from pruning_ext.sizes import size_text

NAME = "ken"
HELP = "keep k entries in each row of a fine-tuned model, the others become pretrained again"
DESCRIPTION = """\
KEN keeps k entries in each row of every weight matrix of a fine-tuned model
and resets the others to the values of the pretrained model it came from
(Mastromattei & Zanzotto 2024). Biases, norms and new heads stay as fine-tuned.
What is written is a delta: the kept entries and where they go. Both models are
read from their files tensor by tensor; they may be larger than the memory.

examples:
  half of every row, chosen by KEN:
    pruning-ext ken ./finetuned ./pretrained --density 0.5 -o ./delta
  the 64 entries of each row that moved furthest, and only in the attention:
    pruning-ext ken ./finetuned ./pretrained --k 64 --criterion delta \\
        --targets attention -o ./delta
  settings from a file:
    pruning-ext ken ./finetuned ./pretrained --config ken.yaml -o ./delta
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Models and options of a :class:`~pruning_ext.pruners.KENConfig`."""
    parser.add_argument("finetuned", metavar="FINETUNED", help="the fine-tuned model: directory or hub name")
    parser.add_argument("pretrained", metavar="PRETRAINED", help="the model it was fine-tuned from")
    group = add_config_options(parser, "seed of the criterion random (default 0)")
    kept = group.add_mutually_exclusive_group()
    kept.add_argument("--density", type=float, metavar="D", help="fraction of each row to keep, 0 to 1")
    kept.add_argument("--k", type=int, metavar="K", help="entries of each row to keep")
    group.add_argument(
        "--criterion",
        choices=CRITERIA,
        help="which entries to keep: ken (default), the densest, the largest, those that moved furthest, any",
    )
    group.add_argument("--on", choices=("weight", "delta"), help="score weights (default) or their change")
    group.add_argument(
        "--keep-ties",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="with ken, keep every entry equal to a kept one too, as the published code does",
    )
    loading = parser.add_argument_group("loading")
    loading.add_argument("--model-class", metavar="NAME", help="transformers class of FINETUNED")
    loading.add_argument("--pretrained-class", metavar="NAME", help="transformers class of PRETRAINED")


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """`--device`: a plan selects nothing."""
    add_device_option(parser, "where rows are selected, some at a time; the models stay on the CPU")


def run(args: argparse.Namespace) -> None:
    """Prune, write the delta to ``args.output``, and say what it cost."""
    config = _config(args)
    check_output(args, args.finetuned, args.pretrained, args.config)
    check_device(args)
    model, pretrained = _load(args)
    result = prune_to_delta(
        model,
        config,
        args.output,
        pretrained=pretrained,
        device=args.device,
        overwrite=args.overwrite,
        files=changed_companions(args.finetuned, args.pretrained),
        show_progress=show_progress(args),
    )
    report, written, dense = result.report, result.directory, result.plan.model.bytes
    say(args, f"kept {report['kept']:,} of {report['entries']:,} entries in {report['seconds']:.1f} s")
    say(
        args,
        f"{written}: {size_text(result.bytes)}, {result.bytes / dense:.1%} of the model's {size_text(dense)}",
    )
    say(args, f"restore it with: pruning-ext apply {args.pretrained} {written} -o DIR")


def make_plan(args: argparse.Namespace) -> Plan:
    """What ``run`` would keep."""
    config = _config(args)
    model, pretrained = _load(args)
    return plan(model, config, pretrained=pretrained, show_progress=show_progress(args))


def _config(args: argparse.Namespace) -> KENConfig:
    fields = ("k", "density", "criterion", "on", "keep_ties")
    return config_from_args(args, KENConfig, fields, alternatives=("k", "density"))


def _load(args: argparse.Namespace) -> tuple[Any, Any]:
    for path in (args.finetuned, args.pretrained):
        check_model(path)
    bars = show_progress(args)
    model = load_model(args.finetuned, model_class=args.model_class, option="--model-class", progress=bars)
    pretrained = load_model(
        args.pretrained,
        model_class=args.pretrained_class,
        option="--pretrained-class",
        dtype=model.dtype,
        progress=bars,
    )
    return model, pretrained
