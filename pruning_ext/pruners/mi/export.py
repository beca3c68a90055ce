"""MI-pruned models on disk: plain checkpoints where all widths agree, and a loader where they do not."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import transformers
from torch import nn

from pruning_ext.config.mi import MIConfig
from pruning_ext.models.families import family_of
from pruning_ext.models.ffn import find_blocks
from pruning_ext.models.huggingface import find_model_class, given_model, save_model
from pruning_ext.models.loading import load_with_widths
from pruning_ext.models.resizing import WIDTHS_KEY, record_widths, widen
from pruning_ext.pruners.method import warn
from pruning_ext.storage.atomic import atomic_directory
from pruning_ext.storage.files import write_json
from pruning_ext.storage.sidecars import MODEL_NAMES, check_tokenizer, named_sidecars, write_sidecars

REPORT_NAME = "pruning_report.json"


def export(
    model: nn.Module,
    directory: str | Path,
    *,
    tokenizer: Any = None,
    files: Iterable[str | Path] = (),
    report: dict[str, Any] | None = None,
    pad_to_uniform: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write a pruned model with ``save_pretrained``, in one atomic step.

    Args:
        tokenizer: saved beside the model. Without it, or its ``files``, the directory has none, and
            ``AutoTokenizer`` makes an empty one there without a word.
        files: copied beside it as they are, those of a tokenizer or of an image processor say.
        report: of :func:`~pruning_ext.pruners.prune`, written beside it as ``pruning_report.json``.
        pad_to_uniform: write what :func:`pad` makes of the model, and of the report, so that plain
            ``from_pretrained`` loads the result. ``model`` is not altered, so a copy of it is made.

    Without padding such a model is loaded by :func:`load_pruned`; plain ``from_pretrained`` refuses it with
    the first tensor whose shape it does not expect.

    Warns:
        PruningWarning: it is such a model, and ``allocation="global"`` had not asked for it: what ``targets``
            or ``ignore`` left alone keeps its width.

    Raises:
        FileExistsError: ``directory`` exists and ``overwrite`` is false, or ``tokenizer`` has written one of
            ``files``.
        FileNotFoundError: one of ``files`` is not there.
        TypeError: ``model`` is not a ``torch.nn.Module``, or has no ``save_pretrained``, or ``tokenizer``
            cannot be saved.
        ValueError: two ``files`` of one name, or one of a name that the model's own have; a model with
            modules that are wrapped.
        OSError: it cannot be written, a full disk say; what was there stays.
    """
    model = given_model("model", model)
    if not hasattr(model, "save_pretrained"):
        raise TypeError(
            f"model: {type(model).__name__} has no save_pretrained, which export writes with: give the "
            "transformers model in it"
        )
    check_tokenizer(tokenizer)
    sidecars = named_sidecars(files, (*MODEL_NAMES, REPORT_NAME))
    if pad_to_uniform and hasattr(model.config, WIDTHS_KEY):
        model = copy.deepcopy(model)
        padded = pad(model, report or {})
        report = padded if report else report
    made = getattr(model, "pruning_config", None)
    if hasattr(model.config, WIDTHS_KEY) and isinstance(made, MIConfig) and made.allocation != "global":
        warn(
            "the FFN blocks have widths of their own, which plain from_pretrained refuses: load the result "
            "with pruning_ext.load_pruned, or write it with pad_to_uniform=True"
        )
    with atomic_directory(directory, overwrite=overwrite) as temporary:
        write_sidecars(sidecars, tokenizer, temporary)
        save_model(model, temporary)
        if report is not None:
            write_json(temporary / REPORT_NAME, report)
    return Path(directory)


def pad(model: nn.Module, report: dict[str, Any]) -> dict[str, Any]:
    """Give all blocks of ``model`` one width, in place, where theirs differ or none can be configured.

    It is the largest of theirs (four times the hidden size for BLOOM). The neurons added are zero on both
    sides, so the outputs stay the same.

    Returns:
        ``report`` with the ``parameters`` and ``bytes`` that the model has now; those that it had without the
        padding stay under ``unpadded``.
    """
    if not hasattr(model.config, WIDTHS_KEY):
        return report
    blocks = find_blocks(model)
    field = family_of(model).width_field
    widest = max(block.width for block in blocks)
    if field is None:
        widest = 4 * int(model.config.hidden_size)  # type: ignore[union-attr, arg-type]
    unpadded = _sizes(model)
    for block in blocks:
        widen(block, widest)
    record_widths(model, blocks)
    sizes = _sizes(model)
    now = {name: [report[name][0], size] for name, size in sizes.items() if name in report}
    return {**report, **now, "unpadded": unpadded}


def _sizes(model: nn.Module) -> dict[str, int]:
    parameters = list(model.parameters())
    return {"parameters": sum(p.numel() for p in parameters), "bytes": sum(p.nbytes for p in parameters)}


def load_pruned(
    directory: str | Path, *, model_class: type[nn.Module] | None = None, **kwargs: Any
) -> nn.Module:
    """Load a model whose FFN blocks have widths of their own (and any other that ``from_pretrained`` loads).

    The model is built narrow from the start: its class's ``__init__`` is followed by the resizing, and then
    ``from_pretrained`` fills it as ever. Nothing is initialised twice, nothing is ignored.

    Args:
        directory: what :func:`export` or ``save_pretrained`` wrote.
        model_class: a transformers model class; by default the one that the configuration names. What another
            class has beyond that, a head say, is new and random, as ``from_pretrained`` logs.
        kwargs: for ``from_pretrained`` (``dtype``, ``device_map`` ...).

    Raises:
        ValueError: the configuration names no known class, or widths of blocks that the model does not have,
            or not those of the files; files that lack a tensor of the class they were saved from.
    """
    config = kwargs.pop("config", None) or transformers.AutoConfig.from_pretrained(directory)
    kind: Any = model_class
    saved = list(getattr(config, "architectures", None) or [])
    if kind is None:
        name = saved[0] if saved else None
        kind = find_model_class(str(name))
        if kind is None:
            raise ValueError(
                f"{directory} names the architecture {name!r}, which transformers does not have: "
                "give model_class"
            )
    widths = getattr(config, WIDTHS_KEY, None)
    model, info = load_with_widths(directory, kind, widths, config=config, **kwargs)
    if (missing := sorted(info["missing_keys"])) and (not saved or kind.__name__ in saved):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(
            f"{directory} has no weights for {missing[0]}{more} of a {kind.__name__}, which would be random"
        )
    return model
