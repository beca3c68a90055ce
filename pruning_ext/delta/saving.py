"""Writing a delta: of a model that is there, or of one that KEN prunes on the way, tensor by tensor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pruning_ext._build import __version__
from pruning_ext._progress import progress
from pruning_ext.config.base import PruneConfig
from pruning_ext.config.ken import KENConfig
from pruning_ext.delta.base import tensor_sha256
from pruning_ext.delta.card import CARD_NAME, write_card
from pruning_ext.delta.file import CONFIG_NAME, FORMAT, FORMAT_VERSION, WEIGHTS_NAME, ShardWriter, checksum
from pruning_ext.models.huggingface import describe_model, model_name, unwrapped
from pruning_ext.models.pairing import Pair, pair_tensors
from pruning_ext.pruners.ken.apply import Resetting
from pruning_ext.pruners.ken.plan import most_changed
from pruning_ext.pruners.method import check_module, plan_for, timed
from pruning_ext.pruners.plan import Plan
from pruning_ext.storage.atomic import atomic_directory
from pruning_ext.storage.encoding import WHOLE, encode
from pruning_ext.storage.files import write_json
from pruning_ext.storage.sidecars import check_tokenizer, named_sidecars, write_sidecars
from pruning_ext.storage.sizes import size_of
from pruning_ext.storage.threads import in_threads

MAX_SHARD_SIZE = 10**9
"""Bytes of a file, and about what is held in memory of a delta while it is written."""

_NAMES = (CONFIG_NAME, CARD_NAME, f"{Path(WEIGHTS_NAME).stem}*.safetensors")


@dataclass(frozen=True)
class DeltaResult:
    """What :func:`prune_to_delta` wrote: where, how many bytes of tensors, the plan, a JSON-ready report."""

    directory: Path
    bytes: int
    plan: Plan
    report: dict[str, Any]


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
    check_module("model", model)
    check_module("base", base)
    model, base = unwrapped(model), unwrapped(base)
    if config is not None and not isinstance(config, PruneConfig):
        raise TypeError(
            f"config is a {type(config).__name__}, expected a KENConfig, or that of another method"
        )
    config = config or getattr(model, "pruning_config", None)
    check_tokenizer(tokenizer)
    sidecars, limit = named_sidecars(files, _NAMES), size_of("max_shard_size", max_shard_size)
    _check_place(directory, base)
    with atomic_directory(directory, overwrite=overwrite) as temporary:
        pairs = pair_tensors(model, base, "base")
        described = _described(model, base)
        shards = ShardWriter(temporary, limit)
        tensors = _write_pairs(shards, pairs, "write", show_progress)
        record = _record(config, contradicted=_is_contradicted(config, pairs, tensors))
        _finish(temporary, shards, tensors, {**record, **described}, model, sidecars, tokenizer)
    return Path(directory)


def prune_to_delta(
    model: nn.Module,
    config: KENConfig | Plan,
    directory: str | Path,
    *,
    pretrained: nn.Module,
    device: torch.device | str | None = None,
    overwrite: bool = False,
    tokenizer: Any = None,
    files: Iterable[str | Path] = (),
    max_shard_size: int | str = MAX_SHARD_SIZE,
    show_progress: bool = False,
) -> DeltaResult:
    """Prune by KEN and write the delta in one go, without ever holding the pruned model.

    The directory is the one that :func:`pruning_ext.prune` and :func:`save_delta` make. Neither model is
    altered. Beside them memory is needed for one tensor at a time and one file of the delta; where both were
    loaded by ``from_pretrained`` from safetensors onto the CPU, in the dtype they are stored in, they are
    mapped from their files, and may be larger than the memory there is.

    Args:
        model: the fine-tuned model.
        config: what to keep, or a :class:`Plan` of this model.
        directory: created in one step; nothing is left of it if pruning or writing fails.
        pretrained: the model that ``model`` was fine-tuned from.
        device: where rows are scored, some at a time; by default where they are. The models stay there.
        overwrite: replace ``directory`` if it exists and is not empty.
        tokenizer: saved beside the delta, where the command ``pruning-ext apply`` finds it.
        files: further files to copy into it, such as a tokenizer's.
        max_shard_size: bytes, or a text such as ``5GB``, beyond which another file is begun.
        show_progress: draw a progress bar on stderr.

    Raises:
        TypeError: a configuration of another method, or a model that is not a ``torch.nn.Module``.
        ValueError, FileExistsError, FileNotFoundError: as :func:`pruning_ext.prune` and :func:`save_delta`; a
            ``device`` that torch cannot use here.
    """
    started = time.perf_counter()
    kind = type(config.config if isinstance(config, Plan) else config)
    if kind is not KENConfig:
        raise TypeError(f"config is a {kind.__name__}, expected a KENConfig: only KEN keeps a model's shape")
    model, pretrained = unwrapped(model), unwrapped(pretrained)
    check_module("model", model)
    check_tokenizer(tokenizer)
    sidecars, limit = named_sidecars(files, _NAMES), size_of("max_shard_size", max_shard_size)
    _check_place(directory, pretrained)
    _check_device(device)
    with atomic_directory(directory, overwrite=overwrite) as temporary:
        made = plan_for(model, config, pretrained=pretrained, show_progress=show_progress)
        resetting = Resetting(model, made, pretrained, device=device)
        described = _described(model, pretrained)
        shards = ShardWriter(temporary, limit)
        criterion = resetting.config.criterion
        tensors = _write_pairs(shards, resetting.pairs, criterion, show_progress, resetting.pruned)
        record = _record(made.config, contradicted=False)
        _finish(temporary, shards, tensors, {**record, **described}, model, sidecars, tokenizer)
    return DeltaResult(Path(directory), shards.bytes, made, timed(made, resetting.report(), started))


def _check_place(directory: str | Path, base: nn.Module) -> None:
    name = model_name(base)
    if name and Path(name).is_dir() and Path(directory).resolve() == Path(name).resolve():
        raise FileExistsError(
            f"{directory} is where the base was loaded from, which a delta needs: name another directory"
        )


def _check_device(device: torch.device | str | None) -> None:
    if device is None:
        return
    try:
        torch.empty(1, device=device).cpu()
    except Exception as error:  # torch has a kind of its own for each way in which a device can be missing
        reason = str(error).splitlines()[0]
        raise ValueError(f"device is {device!r}, which torch cannot use here: {reason}") from error


def _write_pairs(
    shards: ShardWriter,
    pairs: Sequence[Pair],
    what: str,
    show_progress: bool,
    prune: Callable[[Pair], Pair] = lambda pair: pair,
) -> dict[str, dict[str, Any]]:
    """Write what each pair needs, pruned, and return the entries of the configuration by name."""
    entries = {}
    digests = in_threads(_base_sha256, pairs)  # while pairs before are pruned and encoded
    for pair, digest in zip(progress(pairs, what, show_progress), digests, strict=True):
        tensor = prune(pair).tensor
        encoded = encode(tensor, pair.base)
        shards.add({pair.name + suffix: part for suffix, part in encoded.parts.items()})
        based = pair.base is not None and encoded.encoding != WHOLE
        entries[pair.name] = {
            "shape": list(tensor.shape),
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "encoding": encoded.encoding,
            "changed": encoded.changed,
            "parts": sorted(encoded.parts),
            "tied": list(pair.tied),
            "base": pair.base_name if based else None,
            "base_sha256": digest if based else None,
        }
    return entries


def _base_sha256(pair: Pair) -> str | None:
    return None if pair.base is None else tensor_sha256(pair.base)


def _is_contradicted(
    config: PruneConfig | None, pairs: list[Pair], tensors: dict[str, dict[str, Any]]
) -> bool:
    """Whether more entries differ than ``config`` leaves, so that what was written is not what it made."""
    if not isinstance(config, KENConfig):
        return False
    try:
        bounds = most_changed(config, pairs)
    except ValueError:  # it names tensors that are not here any more
        return True
    return any(tensors[name]["changed"] > most for name, most in bounds.items())


def _record(config: PruneConfig | None, *, contradicted: bool) -> dict[str, Any]:
    """How the model was pruned, or had been before it came to differ in more than that leaves."""
    given = config.to_dict() if config else None
    made, earlier = (None, given) if contradicted else (given, None)
    return {"method": made and made["method"], "config": made, "earlier_config": earlier}


def _described(model: nn.Module, base: nn.Module) -> dict[str, Any]:
    """What is said of the two, before any work: JSON cannot hold every configuration."""
    try:
        return describe_model(model, base)
    except TypeError as error:
        raise TypeError(
            f"the configuration of model ({type(model).__name__}) cannot be stored: {error}"
        ) from error


def _finish(
    directory: Path,
    shards: ShardWriter,
    tensors: dict[str, dict[str, Any]],
    record: dict[str, Any],
    model: nn.Module,
    sidecars: Mapping[str, Path],
    tokenizer: Any,
) -> None:
    """What stands beside the tensors: the configuration, the card, further files."""
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "library_version": __version__,
        **record,
        "files": shards.close(),
        "tensors": tensors,
    }
    document["checksum"] = checksum(document)
    write_json(directory / CONFIG_NAME, document)
    write_card(directory, document, shards.bytes, sum(p.nbytes for p in model.parameters()))
    write_sidecars(sidecars, tokenizer, directory)
