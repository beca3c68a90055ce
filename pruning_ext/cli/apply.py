"""`pruning-ext apply`: restore a pruned model from its base and its delta."""

from __future__ import annotations

import argparse
import shutil
from typing import Any

import torch

from pruning_ext.cli.common import add_output_options, check_output, say, show_progress
from pruning_ext.cli.models import MissingWeightsError, check_model, companion_files, load_model
from pruning_ext.delta import load_delta
from pruning_ext.delta.base import listed, not_the_base
from pruning_ext.delta.file import read_delta_config
from pruning_ext.files import atomic_directory
from pruning_ext.huggingface import quiet_transformers

HELP = "restore a pruned model from its base and its delta"
DESCRIPTION = """\
Rebuild the pruned model, bit for bit, and write it as a directory that
from_pretrained loads. The tokenizer comes along: its files from the delta where
it has them, from the base otherwise. A base that differs in any tensor from the
one that the delta was made from is refused.

example:
  pruning-ext apply ./pretrained ./delta -o ./pruned
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Base, delta and output."""
    parser.add_argument("base", metavar="BASE", help="the pretrained model: a directory or a hub name")
    parser.add_argument("delta", metavar="DELTA", help="a directory written by pruning-ext ken")
    parser.add_argument(
        "--base-class", metavar="NAME", help="transformers class of BASE (default: as recorded)"
    )
    add_output_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Load, apply, and write ``args.output``."""
    check_output(args, args.base, args.delta)
    document = read_delta_config(args.delta)
    check_model(args.base)
    base = _load_base(args, document)
    model = load_delta(base, args.delta, inplace=True, show_progress=show_progress(args))
    companions = {file.name: file for path in (args.base, args.delta) for file in companion_files(path)}
    with atomic_directory(args.output, overwrite=args.overwrite) as temporary:
        with quiet_transformers(bars=show_progress(args)):
            model.save_pretrained(temporary)  # type: ignore[operator]
        for file in companions.values():
            shutil.copyfile(file, temporary / file.name)
    say(args, f"{args.output}: {type(model).__name__}, restored from {args.base} and {args.delta}")


def _load_base(args: argparse.Namespace, document: dict[str, Any]) -> Any:
    """The base in the class that the delta records; another model is told by its type or missing tensors."""
    from transformers import AutoConfig

    ours = getattr(AutoConfig.from_pretrained(args.base), "model_type", None)
    theirs = (document["model_config"] or {}).get("model_type")
    if theirs and ours != theirs:
        why = f"{args.base} is a model of type {ours!r}, not {theirs!r}"
        raise ValueError(not_the_base(args.delta, document, why))
    try:
        return load_model(
            args.base,
            model_class=args.base_class or document["base_architecture"],
            option="--base-class",
            dtype=getattr(torch, document["dtype"]),
            progress=show_progress(args),
        )
    except MissingWeightsError as error:
        needed = {entry["base"] for entry in document["tensors"].values()}.intersection(error.names)
        if not needed:  # the delta does without: another class will do
            raise
        why = f"{args.base} has no {listed(sorted(needed))}"
        raise ValueError(not_the_base(args.delta, document, why)) from error
