"""KEN's second half: what a plan does not keep goes back to its pretrained value, tensor by tensor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from pruning_ext.config.ken import KENConfig
from pruning_ext.models.pairing import Pair, pair_tensors
from pruning_ext.pruners.ken.criteria import select_entries
from pruning_ext.pruners.ken.rows import check_finite, row_chunks, tensor_generator
from pruning_ext.pruners.plan import LayerPlan, Plan
from pruning_ext.storage.encoding import count_changed, row_shape

# What a plan says of a tensor: its rows are pruned, it has no counterpart, or it is left alone.
ROWS, NEW, AS_FINE_TUNED = "rows", "new", "as fine-tuned"


class Resetting:
    """One run over the tensors of a model that a plan of KEN prunes, in place or into new tensors.

    Args:
        model: the fine-tuned model.
        plan: what to keep of it.
        pretrained: the model it was fine-tuned from.
        device: where rows are scored; by default where they are. The tensors stay.

    Attributes:
        config: the plan's.
        pairs: every tensor of the model with its counterpart.

    Raises:
        ValueError: the models do not belong together, ``pretrained`` lacks a tensor that the plan prunes, or
            the plan says what no plan of KEN does.
    """

    def __init__(
        self, model: nn.Module, plan: Plan, pretrained: nn.Module, *, device: torch.device | str | None = None
    ) -> None:
        assert isinstance(plan.config, KENConfig)
        self.config = plan.config
        self.pairs = pair_tensors(model, pretrained)
        self._device = None if device is None else torch.device(device)
        self._layers = plan.layers
        self._k = {layer.name: _planned_k(layer) for layer in plan.layers if _action(layer) == ROWS}
        self._kept: dict[str, int] = {}
        self._entries = 0
        if missing := self._k.keys() - {pair.name for pair in self.pairs if pair.base is not None}:
            raise ValueError(f"the plan prunes {sorted(missing)[0]}, which has no counterpart in pretrained")

    def prunes(self, pair: Pair) -> bool:
        """Whether the plan prunes this tensor's rows."""
        return pair.name in self._k

    def reset(self, pair: Pair) -> None:
        """Reset a tensor that is pruned, in place. Its values must be finite."""
        self._run(pair, pair.tensor)

    def pruned(self, pair: Pair) -> Pair:
        """``pair`` with the tensor that pruning leaves, a new one where anything is reset.

        Raises:
            ValueError: a tensor that is pruned holds NaN or infinity.
        """
        if not self.prunes(pair):
            return pair
        check_pair(pair, self.config)
        return replace(pair, tensor=self._run(pair, None))

    def report(self) -> dict[str, Any]:
        """What has been done so far, JSON-ready."""
        kept = sum(self._kept.values())
        return {
            "criterion": self.config.criterion,
            "entries": self._entries,
            "kept": kept,
            "density": kept / self._entries if self._entries else 1.0,
            "new": [layer.name for layer in self._layers if layer.details["action"] == NEW],
            "as_fine_tuned": [
                layer.name for layer in self._layers if layer.details["action"] == AS_FINE_TUNED
            ],
            "kept_per_tensor": dict(self._kept),
        }

    @torch.no_grad()
    def _run(self, pair: Pair, out: Tensor | None) -> Tensor:
        """Write what is left of ``pair`` into ``out`` (its own tensor, or a new one) and count it."""
        weight, base, config = pair.tensor, pair.base, self.config
        assert base is not None
        rows, n = row_shape(weight.shape)
        k = self._k[pair.name]
        if not config.keep_ties and (k >= n or not count_changed(weight, base).any()):
            kept, out = rows * min(k, n), weight  # nothing to reset
        else:
            kept = 0
            out = torch.empty(weight.shape, dtype=weight.dtype, device=weight.device) if out is None else out
            device = self._device or weight.device
            reads_base = config.on == "delta" or config.criterion == "delta"
            generator = tensor_generator(config.seed, pair.name)
            for part in row_chunks(rows, n, device):
                ours, theirs = weight[part].reshape(-1, n), base[part].reshape(-1, n)
                mask = select_entries(
                    ours.to(device),
                    theirs.to(device) if reads_base else theirs,
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
        self._entries += weight.numel()
        return out


def _action(layer: LayerPlan) -> str:
    action = layer.details.get("action")
    if action not in (ROWS, NEW, AS_FINE_TUNED):
        raise ValueError(f"the plan has action {action!r} for {layer.name}: it is no plan of KEN")
    return str(action)


def _planned_k(layer: LayerPlan) -> int:
    k = layer.details.get("k")
    if not isinstance(k, int) or isinstance(k, bool) or k < 0:
        raise ValueError(f"the plan has k={k!r} for {layer.name}, expected a whole number of at least 0")
    return k


def check_writable(pair: Pair) -> None:
    """Raise ``ValueError`` if a tensor cannot be reset in place, before any other is."""
    tensor = pair.tensor
    if any(size > 1 and stride == 0 for size, stride in zip(tensor.shape, tensor.stride(), strict=True)):
        why = "is expanded: several of its entries are one"
    elif tensor.is_inference() and not torch.is_inference_mode_enabled():
        why = "was made under torch.inference_mode()"
    else:
        return
    raise ValueError(
        f"model: tensor {pair.name} {why}, so it cannot be pruned in place; prune a copy of the model"
    )


def required(pretrained: nn.Module | None) -> nn.Module:
    """``pretrained``, which KEN cannot do without."""
    if pretrained is None:
        raise ValueError("pretrained is missing: KEN resets weights to the values they were tuned from")
    return pretrained


def check_pair(pair: Pair, config: KENConfig) -> None:
    """Raise ``ValueError`` if a tensor that is pruned holds NaN or infinity, or if a difference overflows."""
    assert pair.base is not None
    reach = check_finite(pair.tensor, pair.name, "model") + check_finite(pair.base, pair.name, "pretrained")
    largest = torch.finfo(torch.promote_types(pair.tensor.dtype, torch.float32)).max
    if reach > largest and (config.on == "delta" or config.criterion == "delta"):
        raise ValueError(f"tensor {pair.name}: differences between model and pretrained overflow")
