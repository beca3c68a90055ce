"""The writer of a delta directory, into which the tensors of a model come one at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import nn

from pruning_ext._build import __version__
from pruning_ext.config.base import PruneConfig
from pruning_ext.delta.base import base_sha256
from pruning_ext.delta.card import CARD_NAME, write_card
from pruning_ext.delta.file import CONFIG_NAME, FORMAT, FORMAT_VERSION, WEIGHTS_NAME, ShardWriter, checksum
from pruning_ext.models.huggingface import describe_model, model_name
from pruning_ext.models.pairing import Pair
from pruning_ext.models.pairs import Pairs
from pruning_ext.storage.atomic import atomic_directory
from pruning_ext.storage.encoding import WHOLE, encode
from pruning_ext.storage.files import write_json
from pruning_ext.storage.sidecars import check_tokenizer, named_sidecars, write_sidecars
from pruning_ext.storage.sizes import size_of
from pruning_ext.storage.threads import in_threads

MAX_SHARD_SIZE = 10**9
"""Bytes of a file, and about what is held in memory of a delta while it is written."""

_NAMES = (CONFIG_NAME, CARD_NAME, f"{Path(WEIGHTS_NAME).stem}*.safetensors")


class DeltaWriter:
    """A delta directory that appears when the ``with`` block of the writer ends well.

    In the block :meth:`write_tensors` and then :meth:`finish` are called, once each.

    Args:
        directory: where it is to stand.
        base: the model that the delta builds on, which ``directory`` must not be.
        overwrite: replace ``directory`` if it exists and is not empty.
        tokenizer: saved beside the delta.
        files: further files to copy into it.
        max_shard_size: bytes, or a text such as ``5GB``, beyond which another file is begun.

    Attributes:
        path: ``directory`` as a path.

    Raises:
        TypeError, ValueError, FileNotFoundError: arguments that are wrong, before any work.
        FileExistsError: ``base`` was loaded from ``directory``, or, at the block's begin, it is not to be
            replaced.
    """

    def __init__(
        self,
        directory: str | Path,
        base: nn.Module | None,
        *,
        overwrite: bool = False,
        tokenizer: Any = None,
        files: Iterable[str | Path] = (),
        max_shard_size: int | str = MAX_SHARD_SIZE,
    ) -> None:
        check_tokenizer(tokenizer)
        self.path = Path(directory)
        self._overwrite, self._tokenizer = overwrite, tokenizer
        self._sidecars = named_sidecars(files, _NAMES)
        self._limit = size_of("max_shard_size", max_shard_size)
        _check_place(directory, base)

    def __enter__(self) -> DeltaWriter:
        with contextlib.ExitStack() as opened:
            self._folder = opened.enter_context(atomic_directory(self.path, overwrite=self._overwrite))
            self._shards = ShardWriter(self._folder, self._limit)
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    @property
    def bytes(self) -> int:
        """Bytes of the files of tensors; all of them once the delta is finished."""
        return self._shards.bytes

    def write_tensors(self, pairs: Pairs, stored: Iterable[Pair]) -> dict[str, int]:
        """Write what tensors have beyond their base, and return the number of entries that differ, by name.

        Args:
            pairs: the models' tensors.
            stored: the same in the same order, each with the tensor that is to be restored.

        Raises:
            TypeError: a configuration that JSON cannot hold, before any work.
        """
        self._model, self._described = pairs.model, _described(pairs.model, pairs.base)
        self._entries: dict[str, dict[str, Any]] = {}
        digests = in_threads(base_sha256, pairs)  # while pairs before are pruned and encoded
        for digest, pair in zip(digests, stored, strict=True):
            encoded = encode(pair.tensor, pair.base)
            self._shards.add({pair.name + suffix: part for suffix, part in encoded.parts.items()})
            based = pair.base is not None and encoded.encoding != WHOLE
            self._entries[pair.name] = {
                "shape": list(pair.tensor.shape),
                "dtype": str(pair.tensor.dtype).removeprefix("torch."),
                "encoding": encoded.encoding,
                "changed": encoded.changed,
                "parts": sorted(encoded.parts),
                "tied": list(pair.tied),
                "base": pair.base_name if based else None,
                "base_sha256": digest if based else None,
            }
        return {name: entry["changed"] for name, entry in self._entries.items()}

    def finish(self, config: PruneConfig | None, *, earlier: PruneConfig | None = None) -> None:
        """Write what stands beside the tensors: the configuration, the card, further files.

        Args:
            config: how the model was pruned.
            earlier: how it had been pruned before it came to differ in more than that leaves.
        """
        document = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "library_version": __version__,
            "method": config and config.method,
            "config": config and config.to_dict(),
            "earlier_config": earlier and earlier.to_dict(),
            **self._described,
            "files": self._shards.close(),
            "tensors": self._entries,
        }
        document["checksum"] = checksum(document)
        write_json(self._folder / CONFIG_NAME, document)
        dense_bytes = sum(parameter.nbytes for parameter in self._model.parameters())
        write_card(self._folder, document, self.bytes, dense_bytes)
        write_sidecars(self._sidecars, self._tokenizer, self._folder)


def _check_place(directory: str | Path, base: nn.Module | None) -> None:
    name = None if base is None else model_name(base)
    if name and Path(name).is_dir() and Path(directory).resolve() == Path(name).resolve():
        raise FileExistsError(
            f"{directory} is where the base was loaded from, which a delta needs: name another directory"
        )


def _described(model: nn.Module, base: nn.Module) -> dict[str, Any]:
    """Both models' descriptions, before any work: JSON cannot hold every configuration."""
    try:
        return describe_model(model, base)
    except TypeError as error:
        raise TypeError(
            f"the configuration of model ({type(model).__name__}) cannot be stored: {error}"
        ) from error
