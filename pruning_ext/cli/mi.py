"""`pruning-ext mi`: remove FFN neurons and write the smaller model."""

from __future__ import annotations

import argparse
import warnings
from typing import Any

from pruning_ext.calibration.batches import Batch, read_batches
from pruning_ext.calibration.latency import forward_seconds
from pruning_ext.cli.common import check_device, check_output, config_or_plan, warnings_as_lines
from pruning_ext.cli.console import UsageError, say, show_progress
from pruning_ext.cli.models import load_model
from pruning_ext.cli.texts import read_texts
from pruning_ext.models.checkpoint import check_model, load_tokenizer, sidecar_files
from pruning_ext.models.huggingface import quiet_transformers
from pruning_ext.models.resizing import WIDTHS_KEY
from pruning_ext.pruners import Calibration, MIConfig, Plan, PruningWarning, export, plan, prune
from pruning_ext.pruners.mi.export import pad
from pruning_ext.storage.sizes import size_text


@warnings_as_lines
def run(args: argparse.Namespace) -> None:
    """Prune, write the model to ``args.output``, and say what it is now."""
    todo = _todo(args)
    check_output(args, args.model, args.config, args.calibration, args.plan)
    model = _load(args)
    calibration = _calibration(args, model)
    batch = calibration[0] if calibration else None
    before = forward_seconds([model], batch)[0] if batch else None
    result = prune(model, todo, calibration=calibration, inplace=True, show_progress=show_progress(args))
    report = {"config": result.plan.config.settings(), **result.report}
    if args.pad_to_uniform:  # before anything is measured: what is reported is what is written
        report = pad(result.model, report)
    after = forward_seconds([model], batch)[0] if batch else None
    report["forward_seconds"] = [before, after]
    with quiet_transformers(bars=show_progress(args)), warnings.catch_warnings():
        warnings.simplefilter("ignore", PruningWarning)  # how to load it is said below
        written = export(
            result.model,
            args.output,
            files=sidecar_files(args.model),
            report=report,
            overwrite=args.overwrite,
        )
    _say_report(args, report)
    plain = not hasattr(result.model.config, WIDTHS_KEY)
    loader = "from_pretrained" if plain else "pruning_ext.load_pruned, or write it with --pad-to-uniform"
    say(args, f"{written}: load it with {loader}")


def _say_report(args: argparse.Namespace, report: dict[str, Any]) -> None:
    (old, new), (old_bytes, new_bytes) = report["parameters"], report["bytes"]
    padding = f", {report['unpadded']['parameters']:,} without the padding" if "unpadded" in report else ""
    say(args, f"parameters {old:,} -> {new:,} ({new / old:.1%}{padding})")
    say(args, f"size       {size_text(old_bytes)} -> {size_text(new_bytes)}")
    if "texts" in report:
        say(args, f"calibrated on {report['tokens']:,} tokens of {report['texts']:,} texts")
    before, after = report["forward_seconds"]
    if before is not None and after is not None:
        say(
            args, f"forward    {before * 1e3:,.1f} ms -> {after * 1e3:,.1f} ms on the first calibration batch"
        )


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
    todo = config_or_plan(args, MIConfig)
    if isinstance(todo, MIConfig) and todo.needs_calibration and args.calibration is None:
        raise UsageError("give --calibration FILE or DIR: MI pruning looks at what the neurons do on texts")
    return todo


def _load(args: argparse.Namespace) -> Any:
    check_model(args.model)
    check_device(args)
    return load_model(
        args.model,
        model_class=args.model_class,
        option="--model-class",
        whole=True,
        progress=show_progress(args),
    ).to(args.device)


def _calibration(args: argparse.Namespace, model: Any) -> list[Batch] | None:
    """The texts' batches, tokenized once for all who need them."""
    if args.calibration is None:
        return None
    tokenizer = load_tokenizer(args.model)
    texts = Calibration(read_texts(args.calibration), tokenizer, args.max_length, args.batch_size)
    return read_batches(model, texts)
