"""`pruning-ext mi`: remove FFN neurons and write the smaller model."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from torch import Tensor

from pruning_ext.cli.common import (
    UsageError,
    add_config_options,
    add_device_option,
    check_device,
    check_output,
    config_from_args,
    say,
    show_progress,
)
from pruning_ext.cli.models import check_model, companion_files, load_model, load_tokenizer
from pruning_ext.cli.texts import read_texts
from pruning_ext.huggingface import quiet_transformers
from pruning_ext.pruners import Calibration, MIConfig, Plan, export, plan, prune
from pruning_ext.pruners.calibration import read_batches
from pruning_ext.pruners.checkpoint import pad
from pruning_ext.pruners.ffn import WIDTHS_KEY
from pruning_ext.pruners.latency import forward_seconds
from pruning_ext.pruners.mi_config import ALLOCATIONS, COMPENSATIONS, ESTIMATORS, METRICS, STRATEGIES
from pruning_ext.pruners.selection import SELECTIONS
from pruning_ext.sizes import size_text

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
FIELDS = (
    "ratio",
    "width",
    "threshold",
    "selection",
    "estimator",
    "metric",
    "compensation",
    "ridge",
    "bins",
    "strategy",
    "max_tokens",
    "round_to",
    "allocation",
    "recalibrate",
    "blocks_per_pass",
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
    parser.add_argument("--plan", type=Path, metavar="FILE", help="follow a plan made earlier for this model")
    add_device_option(parser, "where the model runs and neurons are scored")


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """`--pad-to-uniform`: a plan writes no model."""
    parser.add_argument(
        "--pad-to-uniform",
        action="store_true",
        help="where widths differ, pad with zero neurons so that from_pretrained loads the result",
    )


def run(args: argparse.Namespace) -> None:
    """Prune, write the model to ``args.output``, and say what it is now."""
    todo = _todo(args)
    check_output(args, args.model, args.config, args.calibration, args.plan)
    model = _load(args)
    calibration = _calibration(args, model)
    batch = calibration and read_batches(model, calibration[:1])[0]
    before = forward_seconds([model], batch)[0] if batch else None
    result = prune(model, todo, calibration=calibration, inplace=True, show_progress=show_progress(args))
    report = {"config": result.plan.config.to_dict(), **result.report}
    if args.pad_to_uniform:  # before anything is measured: what is reported is what is written
        report = pad(result.model, report)
    after = forward_seconds([model], batch)[0] if batch else None
    report["forward_seconds"] = [before, after]
    with quiet_transformers(bars=show_progress(args)):
        written = export(
            result.model,
            args.output,
            files=companion_files(args.model),
            report=report,
            overwrite=args.overwrite,
        )
    _say_report(args, report)
    ours = hasattr(result.model.config, WIDTHS_KEY)
    say(args, f"{written}: load it with {'pruning_ext.load_pruned' if ours else 'from_pretrained'}")
    if _could_be_global(result.plan):
        say(
            args,
            "--allocation global lost less at the same size where it was measured; its result needs "
            "pruning_ext.load_pruned",
        )


def _say_report(args: argparse.Namespace, report: dict[str, Any]) -> None:
    (old, new), (old_bytes, new_bytes) = report["parameters"], report["bytes"]
    padding = f", {report['unpadded']['parameters']:,} without the padding" if "unpadded" in report else ""
    say(args, f"parameters {old:,} -> {new:,} ({new / old:.1%}{padding})")
    say(args, f"size       {size_text(old_bytes)} -> {size_text(new_bytes)}")
    before, after = report["forward_seconds"]
    if before is not None and after is not None:
        say(
            args, f"forward    {before * 1e3:,.1f} ms -> {after * 1e3:,.1f} ms on the first calibration batch"
        )


def _could_be_global(plan: Plan) -> bool:
    """Whether another allocation was open to someone who took the default."""
    config = plan.config
    try:
        other = dataclasses.replace(config, allocation="global")  # type: ignore[call-arg]
    except ValueError:
        return False
    return other != config and len(plan.layers) > 1


def make_plan(args: argparse.Namespace) -> Plan:
    """What ``run`` would remove."""
    todo = _todo(args)
    if isinstance(todo, Plan):
        return todo
    model = _load(args)
    calibration = _calibration(args, model)
    return plan(model, todo, calibration=calibration, show_progress=show_progress(args))


def _todo(args: argparse.Namespace) -> MIConfig | Plan:
    """The configuration, or the plan to follow. What is wrong or missing is told before a model is loaded."""
    for option, least in (("max_length", 2), ("batch_size", 1)):
        given = getattr(args, option)
        if given is not None and given < least:
            raise UsageError(f"--{option.replace('_', '-')} must be at least {least}, got {given}")
    if args.plan is None:
        config = config_from_args(args, MIConfig, FIELDS, alternatives=("ratio", "width", "threshold"))
        if config.needs_calibration and args.calibration is None:
            raise UsageError(
                "give --calibration FILE or DIR: MI pruning looks at what the neurons do on texts"
            )
        return config
    options = (*FIELDS, "targets", "ignore", "seed", "config")
    given = [name for name in options if getattr(args, name) is not None]
    if given:
        raise UsageError(f"--plan says all that --{given[0].replace('_', '-')} would: give one or the other")
    found = Plan.load(args.plan)
    if not isinstance(found.config, MIConfig):
        raise UsageError(f"{args.plan} is a plan of method {found.config.method!r}, not of {NAME!r}")
    return found


def _load(args: argparse.Namespace) -> Any:
    check_model(args.model)
    check_device(args)
    return load_model(
        args.model, model_class=args.model_class, option="--model-class", progress=show_progress(args)
    ).to(args.device)


def _calibration(args: argparse.Namespace, model: Any) -> list[dict[str, Tensor]] | None:
    """The texts' batches, tokenized once for all who need them."""
    if args.calibration is None:
        return None
    tokenizer = load_tokenizer(args.model)
    texts = Calibration(read_texts(args.calibration), tokenizer, args.max_length, args.batch_size)
    return [batch.inputs for batch in read_batches(model, texts)]
