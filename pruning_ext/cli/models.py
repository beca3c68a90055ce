"""Loading models for the command line, and the small files that travel with them."""

from __future__ import annotations

import filecmp
from pathlib import Path
from typing import Any

import torch

from pruning_ext.cli.common import UsageError
from pruning_ext.huggingface import find_model_class, quiet_transformers

# What from_pretrained of tokenizers and processors reads, beside the model.
_COMPANIONS = (
    "added_tokens.json",
    "bpe.codes",
    "chat_template.jinja",
    "chat_template.json",
    "merges.txt",
    "preprocessor_config.json",
    "processor_config.json",
    "sentencepiece.bpe.model",
    "special_tokens_map.json",
    "spiece.model",
    "spm.model",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "video_preprocessor_config.json",
    "vocab.bpe",
    "vocab.json",
    "vocab.txt",
)


def load_model(
    path: str,
    *,
    model_class: str | None,
    option: str,
    dtype: torch.dtype | str = "auto",
    progress: bool = False,
) -> Any:
    """The model in a directory or on the hub, in the class its configuration names, on the CPU.

    Args:
        path: a directory or a hub name.
        model_class: a transformers class that overrides the configuration's.
        option: the option that sets ``model_class``, for messages.
        dtype: as for ``from_pretrained``.
        progress: let transformers draw its progress bars.

    Raises:
        UsageError: no class is known, or the class needs weights that the files lack (they would be random).
        OSError: there is no such model.
    """
    from transformers import AutoConfig

    if not Path(path).is_dir() and (path.startswith((".", "/", "~")) or path.count("/") > 1):
        raise FileNotFoundError(f"{path} is not a directory")  # and not a name on the hub either
    config = AutoConfig.from_pretrained(path)
    names = [model_class] if model_class else list(config.architectures or [])
    kind: Any = next((found for name in names if (found := find_model_class(name))), None)
    if kind is None:
        known = f"names {', '.join(names)}, unknown to transformers" if names else "names no architecture"
        raise UsageError(
            f"{path}: {option if model_class else 'config.json'} {known}; pass {option} with a class"
        )
    with quiet_transformers(bars=progress):
        model, found = kind.from_pretrained(path, dtype=dtype, output_loading_info=True)
    if missing := sorted(found["missing_keys"]):
        raise UsageError(
            f"{path} has no weights for {len(missing)} tensors of {kind.__name__} ({missing[0]} ...), which "
            f"would be random: pass {option} with the class it was saved from"
        )
    return model


def companion_files(path: str) -> list[Path]:
    """Tokenizer and processor files of a model in a directory or on the hub."""
    directory = Path(path)
    if not directory.is_dir():
        from huggingface_hub import snapshot_download

        directory = Path(snapshot_download(path, allow_patterns=list(_COMPANIONS)))
    return [directory / name for name in _COMPANIONS if (directory / name).is_file()]


def changed_companions(path: str, base: str) -> list[Path]:
    """Tokenizer and processor files of ``path`` that ``base`` has not, or not with this content."""
    theirs = {file.name: file for file in companion_files(base)}
    return [
        file
        for file in companion_files(path)
        if file.name not in theirs or not filecmp.cmp(file, theirs[file.name], shallow=False)
    ]
