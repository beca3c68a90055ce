"""`pruning-ext apply`: restore a pruned model from its base and its delta."""

from __future__ import annotations

import argparse
from typing import Any

import torch

from pruning_ext.cli.common import check_output, warnings_as_lines
from pruning_ext.cli.console import say, show_progress
from pruning_ext.cli.models import MissingWeightsError, load_model
from pruning_ext.delta import apply_delta
from pruning_ext.delta.base import listed, not_the_base
from pruning_ext.delta.file import read_delta_config
from pruning_ext.models.checkpoint import check_model, load_config, sidecar_files


@warnings_as_lines
def run(args: argparse.Namespace) -> None:
    """Restore into ``args.output``, tensor by tensor."""
    check_output(args, args.base, args.delta)
    document = read_delta_config(args.delta)
    check_model(args.base)
    base = _load_base(args, document)
    sidecars = {file.name: file for path in (args.base, args.delta) for file in sidecar_files(path)}
    apply_delta(
        base,
        args.delta,
        args.output,
        overwrite=args.overwrite,
        files=sidecars.values(),
        show_progress=show_progress(args),
    )
    say(args, f"{args.output}: {document['architecture']}, restored from {args.base} and {args.delta}")


def _load_base(args: argparse.Namespace, document: dict[str, Any]) -> Any:
    """The base in the class that the delta records; another model is told by its type or missing tensors."""
    ours = getattr(load_config(args.base), "model_type", None)
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
