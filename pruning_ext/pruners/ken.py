"""KEN: keep k entries in each row of a fine-tuned weight matrix, reset the others to their pretrained values.

Mastromattei & Zanzotto, "Less is KEN: a Universal and Simple Non-Parametric Pruning Algorithm for Large
Language Models", 2024. Which entries of a row stay is decided by :func:`pruning_ext.ops.ken_mask`; the other
criteria are its neighbours, for comparison.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from pruning_ext.encoding import count_changed, encoded_bytes, is_uniform, row_shape
from pruning_ext.progress import progress
from pruning_ext.pruners.config import PruneConfig, check_choice, check_int, check_share
from pruning_ext.pruners.method import Method, PruningWarning, register_method
from pruning_ext.pruners.pairing import Pair, pair_tensors
from pruning_ext.pruners.plan import LayerPlan, ModelSummary, Plan
from pruning_ext.pruners.rows import CRITERIA, check_finite, row_chunks, select_entries, tensor_generator
from pruning_ext.pruners.targets import select_names

ROWS, NEW, AS_FINE_TUNED = "rows", "new", "as fine-tuned"
_DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


@dataclass(frozen=True, kw_only=True)
class KENConfig(PruneConfig):
    """What KEN keeps.

    Pruned are the parameters of two or more dimensions (float64, float32, float16, bfloat16) that the base
    has in the same shape; those of more than two are viewed as rows over their first dimension. Everything
    else stays as fine-tuned: vectors (biases, norms), new heads, resized embeddings, buffers, and what
    ``targets`` and ``ignore`` leave out. Tied tensors are pruned once.

    Attributes:
        k: entries kept per row; a row of at most ``k`` entries is kept whole.
        density: fraction kept, from 0 to 1: ``k = round(density * n)`` where rows have ``n`` entries.
            Exactly one of ``k`` and ``density`` is given.
        criterion: ``ken``; ``density`` (the k densest entries), ``magnitude`` (largest absolute value),
            ``delta`` (largest ``|W_t - W_0|``), ``random``.
        on: apply the criterion to the ``weight`` or to its ``delta`` from the pretrained value.
        keep_ties: with ``ken``, keep every entry equal to a kept one too, as the published code does; a row
            may then keep more than k.

    Raises:
        ValueError, TypeError: a field that is out of range, in one sentence naming it.
    """

    method: ClassVar[str] = "ken"

    k: int | None = None
    density: float | None = None
    criterion: str = "ken"
    on: str = "weight"
    keep_ties: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.k is None) == (self.density is None):
            raise ValueError(f"give either k or density, got k={self.k} and density={self.density}")
        if self.k is not None:
            check_int("k", self.k, minimum=0)
        else:
            check_share("density", self.density)
        check_choice("criterion", self.criterion, CRITERIA)
        check_choice("on", self.on, ("weight", "delta"))
        if not isinstance(self.keep_ties, bool):
            raise TypeError(f"keep_ties must be true or false, got {self.keep_ties!r}")
        if self.keep_ties and self.criterion != "ken":
            raise ValueError(f"keep_ties belongs to criterion 'ken', not to {self.criterion!r}")

    def entries_kept(self, n: int) -> int:
        """Entries kept in a row of ``n``."""
        if self.k is not None:
            return min(self.k, n)
        assert self.density is not None
        return round(self.density * n)


def plan_ken(
    model: nn.Module,
    config: KENConfig,
    *,
    pretrained: nn.Module | None,
    calibration: Any,
    show_progress: bool,
) -> Plan:
    """Entries kept and bytes of the delta, tensor by tensor; both models are read once, no row is selected.

    The bytes are those that :func:`pruning_ext.delta.save_delta` writes, without its header, if every kept
    entry differs from the base (in a row where fewer than k differ: if all of those are kept). Buffers, which
    are rarely different, are not counted.
    """
    if calibration is not None:
        raise ValueError("calibration is not used by KEN, which looks at weights only")
    pairs = pair_tensors(model, _required(pretrained))
    selected = _selected(pairs, config)
    _check_k(config, {pair.name: row_shape(pair.tensor.shape)[1] for pair in pairs if pair.name in selected})
    parameters = [pair for pair in pairs if pair.is_parameter]
    layers = [
        _plan_pair(pair, config, pair.name in selected)
        for pair in progress(parameters, "plan", show_progress)
    ]
    if doubt := _doubt(layers):
        warnings.warn(doubt, PruningWarning, stacklevel=3)
    return Plan(config, ModelSummary.of(model), tuple(layers))


def _doubt(layers: list[LayerPlan]) -> str | None:
    """What to tell someone whose fine-tuning left every matrix as it was, ``None`` for everyone else."""
    if any(layer.details["changed"] for layer in layers if layer.details["action"] == ROWS):
        return None
    rest = sum(layer.details["action"] == NEW or layer.details["changed"] > 0 for layer in layers)
    if not rest:
        return (
            "model and pretrained are equal, so the delta stores nothing of use: give the model as it was "
            "before fine-tuning for pretrained"
        )
    return (
        f"no weight that KEN would prune differs between model and pretrained, so there is nothing to choose "
        f"from; the {rest} tensors that differ are kept as fine-tuned"
    )


def apply_ken(
    model: nn.Module,
    plan: Plan,
    *,
    pretrained: nn.Module | None,
    calibration: Any,
    show_progress: bool,
) -> dict[str, Any]:
    """Reset what the plan does not keep, in place; nothing is altered if any tensor is not finite."""
    config = plan.config
    assert isinstance(config, KENConfig)
    started = time.perf_counter()
    kept_in = {layer.name: layer.details["k"] for layer in plan.layers if layer.details["action"] == ROWS}
    pairs = [pair for pair in pair_tensors(model, _required(pretrained)) if pair.name in kept_in]
    if missing := kept_in.keys() - {pair.name for pair in pairs if pair.base is not None}:
        raise ValueError(f"the plan prunes {sorted(missing)[0]}, which has no counterpart in pretrained")
    for pair in pairs:
        _check_pair(pair, config)
    kept = {
        pair.name: _prune_pair(pair, kept_in[pair.name], config)
        for pair in progress(pairs, config.criterion, show_progress)
    }
    entries = sum(pair.tensor.numel() for pair in pairs)
    return {
        "method": config.method,
        "criterion": config.criterion,
        "entries": entries,
        "kept": sum(kept.values()),
        "density": sum(kept.values()) / entries if entries else 1.0,
        "seconds": time.perf_counter() - started,
        "new": [layer.name for layer in plan.layers if layer.details["action"] == NEW],
        "as_fine_tuned": [layer.name for layer in plan.layers if layer.details["action"] == AS_FINE_TUNED],
        "kept_per_tensor": kept,
    }


def _required(pretrained: nn.Module | None) -> nn.Module:
    if pretrained is None:
        raise ValueError("pretrained is missing: KEN resets weights to the values they were tuned from")
    return pretrained


def _is_rows(pair: Pair) -> bool:
    tensor = pair.tensor
    return pair.is_parameter and pair.base is not None and tensor.dtype in _DTYPES and tensor.dim() >= 2


def _check_k(config: KENConfig, row_lengths: dict[str, int]) -> None:
    longest = max(row_lengths, key=row_lengths.__getitem__)
    if config.k is not None and config.k > row_lengths[longest]:
        raise ValueError(
            f"k is {config.k} and the longest row has {row_lengths[longest]} entries ({longest}): nothing "
            "would be pruned"
        )


def _selected(pairs: list[Pair], config: KENConfig) -> set[str]:
    # Any name of a tied tensor selects it, and any name of it ignores it.
    first_name = {name: pair.name for pair in pairs for name in (pair.name, *pair.tied)}
    rows = [name for pair in pairs if _is_rows(pair) for name in (pair.name, *pair.tied)]
    what = "weight matrix that KEN can prune"
    chosen = select_names(rows, config.targets, known=first_name, what=what)
    left = select_names(chosen, None, config.ignore, known=first_name, what=what)
    ignored = {first_name[name] for name in set(chosen).difference(left)}
    selected = {first_name[name] for name in left} - ignored
    if not selected:
        raise ValueError(f"targets and ignore leave no {what} to prune")
    return selected


def _plan_pair(pair: Pair, config: KENConfig, selected: bool) -> LayerPlan:
    tensor, base = pair.tensor, pair.base
    rows, n = row_shape(tensor.shape)
    details: dict[str, Any] = {"shape": list(tensor.shape), "tied": list(pair.tied)}
    if base is None:
        kept, size, details["action"] = tensor.numel(), tensor.nbytes, NEW
    else:
        stored = count_changed(tensor, base)
        kept = tensor.numel()
        details |= {"action": AS_FINE_TUNED, "changed": int(stored.sum())}
        if selected:
            _check_pair(pair, config)
            k = config.entries_kept(n)
            kept, stored = rows * k, stored.clip(max=k)
            details |= {"action": ROWS, "k": k}
        sizes = encoded_bytes(tensor.shape, tensor.element_size(), int(stored.sum()), is_uniform(stored))
        size = min(sizes.values())
    return LayerPlan(pair.name, tensor.numel(), kept, tensor.nbytes, size, details)


def _check_pair(pair: Pair, config: KENConfig) -> None:
    assert pair.base is not None
    reach = check_finite(pair.tensor, pair.name, "model") + check_finite(pair.base, pair.name, "pretrained")
    largest = torch.finfo(torch.promote_types(pair.tensor.dtype, torch.float32)).max
    if reach > largest and (config.on == "delta" or config.criterion == "delta"):
        raise ValueError(f"tensor {pair.name}: differences between model and pretrained overflow")


@torch.no_grad()
def _prune_pair(pair: Pair, k: int, config: KENConfig) -> int:
    weight, base = pair.tensor, pair.base
    assert base is not None
    rows, n = row_shape(weight.shape)
    if not config.keep_ties and (k >= n or not count_changed(weight, base).any()):
        return rows * min(k, n)  # nothing to reset
    generator = tensor_generator(config.seed, pair.name)
    kept = 0
    for part in row_chunks(rows, n, weight.device):
        target = weight[part]
        ours, theirs = target.reshape(-1, n), base[part].reshape(-1, n)
        mask = select_entries(
            ours,
            theirs,
            k,
            criterion=config.criterion,
            on=config.on,
            keep_ties=config.keep_ties,
            generator=generator,
        )
        kept += int(mask.sum()) if config.keep_ties else mask.shape[0] * min(k, n)
        torch.where(mask, ours, theirs, out=ours)
        if ours.data_ptr() != target.data_ptr():  # reshaping had to copy, as for channels-last weights
            target.copy_(ours.reshape(target.shape))
    return kept


register_method(KENConfig, Method(plan_ken, apply_ken))
