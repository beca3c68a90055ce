"""`pruning-ext ken`: prune a fine-tuned model against its base and write the delta."""

from __future__ import annotations

import argparse
from typing import Any

from pruning_ext.cli.common import check_device, check_output, config_or_plan, warnings_as_lines
from pruning_ext.cli.console import say, show_progress
from pruning_ext.cli.models import load_model
from pruning_ext.models.checkpoint import changed_sidecars, check_model
from pruning_ext.pruners import KENConfig, Plan, plan
from pruning_ext.pruners.ken.to_delta import prune_to_delta
from pruning_ext.storage.sizes import size_text


@warnings_as_lines
def run(args: argparse.Namespace) -> None:
    """Prune, write the delta to ``args.output``, and say what it cost."""
    todo = _todo(args)
    check_output(args, args.finetuned, args.pretrained, args.config, args.plan)
    check_device(args)
    model, pretrained = _load(args)
    result = prune_to_delta(
        model,
        todo,
        args.output,
        pretrained=pretrained,
        device=args.device,
        overwrite=args.overwrite,
        files=changed_sidecars(args.finetuned, args.pretrained),
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
    """The plan that ``run`` would follow."""
    todo = _todo(args)
    if isinstance(todo, Plan):
        return todo
    model, pretrained = _load(args)
    return plan(model, todo, pretrained=pretrained, show_progress=show_progress(args))


def _todo(args: argparse.Namespace) -> KENConfig | Plan:
    """The configuration, or the plan to follow. What is wrong is told before a model is loaded."""
    return config_or_plan(args, KENConfig)


def _load(args: argparse.Namespace) -> tuple[Any, Any]:
    for path in (args.finetuned, args.pretrained):
        check_model(path)
    bars = show_progress(args)
    model = load_model(
        args.finetuned, model_class=args.model_class, option="--model-class", whole=True, progress=bars
    )
    pretrained = load_model(
        args.pretrained,
        model_class=args.pretrained_class,
        option="--pretrained-class",
        dtype=model.dtype,
        progress=bars,
    )
    return model, pretrained
