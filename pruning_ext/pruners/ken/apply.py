"""Applying of KEN: what a plan does not keep goes back to its pretrained value, tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from pruning_ext._progress import progress
from pruning_ext.config.ken import KENConfig
from pruning_ext.models.pairing import Pair
from pruning_ext.models.pairs import Pairs
from pruning_ext.pruners.ken.criteria import reads_base, select_entries
from pruning_ext.pruners.ken.details import TensorDetails
from pruning_ext.pruners.ken.rows import row_chunks, tensor_generator
from pruning_ext.pruners.plan import Plan
from pruning_ext.storage.encoding import row_shape


def apply_plan(
    model: nn.Module, plan: Plan, *, pretrained: Pairs, calibration: Any = None, show_progress: bool = False
) -> dict[str, Any]:
    """Reset what the plan does not keep, in place; nothing is altered if that cannot be done everywhere.

    Args:
        model: the model of ``pretrained``, or a copy of it.
        plan: what to keep.
        pretrained: the tensors of the model with those that it was tuned from.
        calibration: not used.
        show_progress: draw a progress bar on stderr.
    """
    resetting = Resetting(pretrained, plan)
    state = model.state_dict()
    pruned = [pair for pair in pretrained if pair.name in resetting.k]
    for pair in pruned:
        check_writable(pair.name, state[pair.name])
        resetting.check_values(pair.name)
    for pair in progress(pruned, resetting.config.criterion, show_progress):
        resetting.reset(pair, state[pair.name])
    return resetting.report()


class Resetting:
    """One run over the tensors of a model that a plan of KEN prunes, in place or into new tensors.

    Args:
        pairs: the tensors of the model with those that it was tuned from.
        plan: what to keep of them.
        device: where rows are scored; by default where they are. The tensors stay.

    Attributes:
        config: the plan's.
        k: entries kept in each row, by name of each tensor that is pruned.

    Raises:
        ValueError: a tensor that the plan prunes has no counterpart, or the plan says what no plan of KEN
            does.
    """

    def __init__(self, pairs: Pairs, plan: Plan, *, device: torch.device | str | None = None) -> None:
        assert isinstance(plan.config, KENConfig)
        self.config = plan.config
        self._pairs = pairs
        self._reads_base = reads_base(self.config.criterion, self.config.on)
        self._device = None if device is None else torch.device(device)
        self._details = {layer.name: TensorDetails.of(layer) for layer in plan.layers}
        self.k = {name: each.k for name, each in self._details.items() if each.k is not None}
        self._kept: dict[str, int] = {}
        self._entries = 0
        self._written: set[int] = set()  # addresses of storages
        if missing := self.k.keys() - {pair.name for pair in pairs if pair.base is not None}:
            raise ValueError(f"the plan prunes {sorted(missing)[0]}, which has no counterpart in pretrained")

    def check_values(self, name: str) -> None:
        """Raise ``ValueError`` if a tensor to prune holds NaN or infinity, or a difference may overflow."""
        self._pairs.check_values(name, subtracted=self._reads_base)

    @torch.no_grad()
    def reset(self, pair: Pair, out: Tensor | None = None) -> Tensor:
        """Prune a tensor into ``out`` or a new one; if nothing is to be reset, the tensor itself is returned.

        Args:
            pair: a tensor that is pruned; its values are finite.
            out: takes the result; it holds the tensor's values already.
        """
        weight, base, config = pair.tensor, pair.base, self.config
        assert base is not None
        rows, n = row_shape(weight.shape)
        k = self.k[pair.name]
        self._entries += weight.numel()
        if not config.keep_ties and (k >= n or self._is_base(pair)):
            self._kept[pair.name] = rows * min(k, n)
            return weight
        kept = 0
        out = torch.empty(weight.shape, dtype=weight.dtype, device=weight.device) if out is None else out
        device = self._device or weight.device
        generator = tensor_generator(config.seed, pair.name)
        for part in row_chunks(rows, n, device):
            ours, theirs = weight[part].reshape(-1, n), base[part].reshape(-1, n)
            mask = select_entries(
                ours.to(device),
                theirs.to(device) if self._reads_base else theirs,
                k,
                criterion=config.criterion,
                on=config.on,
                keep_ties=config.keep_ties,
                generator=generator,
            )
            kept += int(mask.sum()) if config.keep_ties else mask.shape[0] * min(k, n)
            left = out[part].reshape(-1, n)
            torch.where(mask.to(weight.device), ours, theirs, out=left)
            if left.data_ptr() != out[part].data_ptr():  # reshaping copied, as for channels-last weights
                out[part] = left.reshape(-1, *weight.shape[1:])
        self._kept[pair.name] = kept
        self._written.add(out.untyped_storage().data_ptr())
        return out

    def pruned(self) -> Iterator[Pair]:
        """Every pair with the tensor that pruning leaves, a new one where anything is reset.

        Raises:
            ValueError: a tensor that is pruned holds NaN or infinity.
        """
        for pair in self._pairs:
            if pair.name in self.k:
                self.check_values(pair.name)
                yield replace(pair, tensor=self.reset(pair))
            else:
                yield pair

    def report(self) -> dict[str, Any]:
        """Report of all that has been done so far, JSON-ready."""
        kept = sum(self._kept.values())
        return {
            "criterion": self.config.criterion,
            "entries": self._entries,
            "kept": kept,
            "density": kept / self._entries if self._entries else 1.0,
            "new": self._names("new"),
            "as_fine_tuned": self._names("as fine-tuned"),
            "kept_per_tensor": dict(self._kept),
        }

    def _names(self, action: str) -> list[str]:
        return [name for name, each in self._details.items() if each.action == action]

    def _is_base(self, pair: Pair) -> bool:
        """Whether a tensor still equals its counterpart: resetting another in place may have altered it."""
        altered = pair.tensor.untyped_storage().data_ptr() in self._written
        return not altered and not self._pairs.changed(pair.name).any()


def check_writable(name: str, tensor: Tensor) -> None:
    """Raise ``ValueError`` if a tensor cannot be reset in place, before any other is."""
    if any(size > 1 and stride == 0 for size, stride in zip(tensor.shape, tensor.stride(), strict=True)):
        why = "is expanded: several of its entries are one"
    elif tensor.is_inference() and not torch.is_inference_mode_enabled():
        why = "was made under torch.inference_mode()"
    else:
        return
    raise ValueError(
        f"model: tensor {name} {why}, so it cannot be pruned in place; prune a copy of the model"
    )
