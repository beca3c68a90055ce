"""Models in a directory or on the hub: found, loaded with the damaged file named, and their sidecars."""

from __future__ import annotations

import filecmp
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from pruning_ext.models.huggingface import quiet_transformers
from pruning_ext.models.loading import load_with_widths
from pruning_ext.models.resizing import WIDTHS_KEY
from pruning_ext.storage.model_files import DELTA_CONFIG, MODEL_CONFIG, SIDECARS

HUB_SECONDS = 10
"""Timeout of the request whether the hub knows a name."""


def check_model(path: str) -> None:
    """Raise at once if there is no such model, in a directory or on the hub.

    The libraries below would ask the hub again and again before they give up, also for a name that was
    meant to be a directory. Here a hub that cannot be reached is asked once; what lies in its cache needs no
    asking.

    Raises:
        OSError: no such directory and no such name on the hub, or a hub that cannot be reached.
    """
    directory = Path(path)
    if directory.is_dir():
        if (directory / MODEL_CONFIG).is_file():
            return
        what = "it is a delta, see pruning-ext apply" if (directory / DELTA_CONFIG).is_file() else "no model"
        raise FileNotFoundError(f"{path} is a directory without {MODEL_CONFIG}: {what}")
    if directory.exists():
        raise NotADirectoryError(f"{path} is a file: name the directory that holds the model")
    if path.startswith((".", "/", "~")) or path.count("/") > 1:
        raise FileNotFoundError(f"{path} is not a directory")  # and not a name on the hub either
    _ask_hub(path)


def _ask_hub(name: str) -> None:
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    absent = f"there is no directory {name}"
    try:
        if not isinstance(try_to_load_from_cache(name, MODEL_CONFIG), str):
            HfApi().model_info(name, timeout=HUB_SECONDS)
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise FileNotFoundError(
            f"{absent}, and no model of that name on the hub, where names look like owner/name"
        ) from error
    except HfHubHTTPError:
        return  # it answers: from_pretrained has its reason
    except Exception as error:  # each version of the client has its own for a network that is not there
        reason = "HF_HUB_OFFLINE is set" if isinstance(error, OfflineModeIsEnabled) else str(error)
        raise ConnectionError(
            f"{absent}, and the hub, where names look like owner/name, cannot be asked: {reason}"
        ) from error


def load_config(path: str) -> Any:
    """The configuration of a model.

    Raises:
        ValueError: it needs code that comes with the model.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(path, trust_remote_code=False)  # else it asks on the terminal
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise ValueError(
            f"{path} needs code of its own, which this command does not run: load it in Python, and give the "
            "model to pruning_ext.prune"
        ) from error


def load_checkpoint(
    path: str, model_class: Any, config: Any, *, dtype: torch.dtype | str = "auto", progress: bool = False
) -> tuple[Any, dict[str, Any]]:
    """The model in a directory or on the hub, on the CPU, and what ``from_pretrained`` says of the loading.

    Blocks of an MI-pruned model have the widths that it was written with.

    Args:
        path: a directory or a hub name that :func:`check_model` has seen.
        model_class: a transformers class.
        config: of :func:`load_config`.
        dtype: as for ``from_pretrained``.
        progress: let transformers draw its progress bars.

    Raises:
        ValueError: a weight whose shape is not that of the configuration, or a file that ends too early.
    """
    widths = getattr(config, WIDTHS_KEY, None)
    try:
        with quiet_transformers(bars=progress):
            return load_with_widths(path, model_class, widths, dtype=dtype)
    except (SafetensorError, OSError, RuntimeError, pickle.UnpicklingError) as error:
        if (damaged := _damaged(path)) is None:
            raise
        raise ValueError(f"{damaged} is damaged or not complete: {' '.join(str(error).split())}") from error


def _damaged(path: str) -> Path | None:
    """The first of a model's files that cannot be opened: the libraries' own errors name none."""
    files = [
        file for name in ("*.safetensors", "pytorch_model*.bin") for file in sorted(Path(path).glob(name))
    ]
    return next((file for file in files if not _opens(file)), None)


def _opens(file: Path) -> bool:
    try:
        if file.suffix == ".bin":
            torch.load(file, mmap=True, weights_only=True)
        else:
            with safe_open(file, "pt"):
                pass
    except (SafetensorError, OSError, RuntimeError, pickle.UnpicklingError):
        return False
    return True


def load_tokenizer(path: str) -> Any:
    """The tokenizer of a model.

    Raises:
        ValueError: there is none, or it cannot be loaded.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(path)
    except Exception as error:  # an OSError, ValueError, KeyError ... by what is missing
        reason = str(error).strip().split("\n")[0]
        raise ValueError(f"{path} has no tokenizer to read texts with: {reason}") from error


def sidecar_files(path: str) -> list[Path]:
    """Tokenizer and processor files of a model in a directory or on the hub."""
    directory = Path(path)
    if not directory.is_dir():
        from huggingface_hub import snapshot_download

        directory = Path(snapshot_download(path, allow_patterns=list(SIDECARS)))
    return [directory / name for name in SIDECARS if (directory / name).is_file()]


def changed_sidecars(path: str, base: str) -> list[Path]:
    """Tokenizer and processor files of ``path`` that ``base`` has not, or not with this content."""
    theirs = {file.name: file for file in sidecar_files(base)}
    return [
        file
        for file in sidecar_files(path)
        if file.name not in theirs or not filecmp.cmp(file, theirs[file.name], shallow=False)
    ]
