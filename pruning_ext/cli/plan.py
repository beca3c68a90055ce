"""`pruning-ext plan METHOD`: what a method would keep."""

from __future__ import annotations

import argparse
import importlib
import tempfile
from pathlib import Path

from pruning_ext.cli.common import warnings_as_lines
from pruning_ext.cli.console import UsageError, say
from pruning_ext.pruners import Plan
from pruning_ext.pruners.plan import is_plan


@warnings_as_lines
def run(args: argparse.Namespace) -> None:
    """Print the plan, and save it if asked to."""
    if args.output:
        _check_file(args.output, args.overwrite)
    method = importlib.import_module(f"pruning_ext.cli.{args.method}")
    made: Plan = method.make_plan(args)
    say(args, made.summary())
    if args.output:
        made.save(args.output)


def _check_file(path: Path, overwrite: bool) -> None:
    """Refuse a place for the plan before the work, not after it."""
    if path.exists() and (path.is_dir() or not overwrite):
        remedy = "name a file in it" if path.is_dir() else "name another file, or pass --overwrite"
        raise UsageError(f"--output {path} exists: {remedy}")
    if path.exists() and not is_plan(path):
        raise UsageError(f"--output {path} is no plan to overwrite: name another file")
    if path.suffix == ".safetensors":
        raise UsageError(f"--output {path}: a plan is JSON; its tensors go to a file beside it")
    try:
        with tempfile.TemporaryFile(dir=path.absolute().parent):
            pass
    except OSError as error:
        raise UsageError(f"--output {path} cannot be written: {error.strerror}") from error
