"""Saving of a model that is there as what differs from its base."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from pruning_ext._progress import progress
from pruning_ext.config.base import PruneConfig
from pruning_ext.config.ken import KENConfig
from pruning_ext.delta.writing import MAX_SHARD_SIZE, DeltaWriter
from pruning_ext.models.huggingface import given_model
from pruning_ext.models.matrices import select_matrices
from pruning_ext.models.pairs import Pairs


def save_delta(
    model: nn.Module,
    base: nn.Module,
    directory: str | Path,
    *,
    config: PruneConfig | None = None,
    overwrite: bool = False,
    tokenizer: Any = None,
    files: Iterable[str | Path] = (),
    max_shard_size: int | str = MAX_SHARD_SIZE,
    show_progress: bool = False,
) -> Path:
    """Write what ``model`` has and ``base`` has not, so that :func:`load_delta` restores it bit for bit.

    Works on any pair of models that belong together, pruned or not. Each tensor takes the smallest of:
    nothing (it equals the base), a bitmask and values, uint16 columns and values, or the whole tensor; tied
    tensors are written once.

    A model with other tensors than ``base``, a new head say, is rebuilt by transformers. If that has no such
    class, a model of the class and shapes with the values of ``base``, which you build, takes the part of
    ``base`` in :func:`load_delta`.

    Args:
        model: the pruned model; of a compiled one, as of ``base``, the module that was compiled is meant.
        base: the model it builds on, of the same class or its backbone, in the same dtype.
        directory: created in one step; nothing is left of it if writing fails.
        config: how the model was pruned, for the record; by default what :func:`pruning_ext.prune` left on
            it. Where more entries differ from ``base`` than a :class:`KENConfig` keeps, as after further
            training, it is recorded as what was done earlier.
        overwrite: replace ``directory`` if it exists and is not empty.
        tokenizer: saved beside the delta, where the command ``pruning-ext apply`` finds it.
        files: further files to copy into it, such as a tokenizer's.
        max_shard_size: bytes, or a text such as ``5GB``, beyond which another file is begun.
        show_progress: draw a progress bar on stderr.

    Returns:
        ``directory`` as a path.

    Raises:
        TypeError: ``model`` or ``base`` is not a ``torch.nn.Module``.
        ValueError: models that do not belong together, differ in dtype or device, or lie on the meta device;
            two ``files`` of one name, or one of a name that the delta's own have.
        FileExistsError: ``directory`` exists, is not empty, and ``overwrite`` is false, or ``base`` was
            loaded from it.
        FileNotFoundError: one of ``files`` is not there.
    """
    model, base = given_model("model", model), given_model("base", base)
    if config is not None and not isinstance(config, PruneConfig):
        raise TypeError(
            f"config is a {type(config).__name__}, expected a KENConfig, or that of another method"
        )
    config = config or getattr(model, "pruning_config", None)
    writer = DeltaWriter(
        directory,
        base,
        overwrite=overwrite,
        tokenizer=tokenizer,
        files=files,
        max_shard_size=max_shard_size,
    )
    with writer:
        pairs = Pairs(model, base, "base")
        changed = writer.write_tensors(pairs, progress(pairs, "write", show_progress))
        if _is_contradicted(config, pairs, changed):
            writer.finish(None, earlier=config)
        else:
            writer.finish(config)
    return writer.path


def _is_contradicted(config: PruneConfig | None, pairs: Pairs, changed: Mapping[str, int]) -> bool:
    """Whether more entries differ than ``config`` leaves, so that what was written is not what it made."""
    if not isinstance(config, KENConfig) or config.keep_ties:  # nothing bounds what ties keep
        return False
    try:
        matrices = select_matrices(pairs, config.targets, config.ignore)
    except ValueError:  # it names tensors that are not here any more
        return True
    return any(changed[name] > rows * config.entries_kept(n) for name, (rows, n) in matrices.items())
