"""The tensors of two models in pairs, with what has been read of their values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import overload

import numpy as np
import torch
from torch import Tensor, nn

from pruning_ext.models.pairing import Pair, pair_tensors
from pruning_ext.storage.encoding import count_changed


class Pairs(Sequence[Pair]):
    """Every tensor of ``model``, in order, with its counterpart in ``base``: found once, values read once.

    What is asked of the values, by a tensor's name, is kept: asking again reads nothing.

    Args:
        model: the fine-tuned model.
        base: the model it came from.
        base_role: what messages call it.

    Raises:
        ValueError: as :func:`~pruning_ext.models.pairing.pair_tensors`.
    """

    def __init__(self, model: nn.Module, base: nn.Module, base_role: str = "pretrained") -> None:
        self.model, self.base = model, base
        self._role = base_role
        self._pairs = pair_tensors(model, base, base_role)
        self._by_name = {pair.name: pair for pair in self._pairs}
        self._changed: dict[str, np.ndarray] = {}
        self._largest: dict[str, float] = {}  # absolute values, of a tensor and its counterpart together

    def __len__(self) -> int:
        return len(self._pairs)

    @overload
    def __getitem__(self, index: int) -> Pair: ...

    @overload
    def __getitem__(self, index: slice) -> list[Pair]: ...

    def __getitem__(self, index: int | slice) -> Pair | list[Pair]:
        return self._pairs[index]

    def changed(self, name: str) -> np.ndarray:
        """Entries of each row of a tensor that differ from its counterpart's, int64 ``[rows]``."""
        if name not in self._changed:
            self._changed[name] = count_changed(*self._tensors(name))
        return self._changed[name]

    def check_values(self, name: str, *, subtracted: bool) -> None:
        """Raise ``ValueError`` if a tensor or its counterpart holds NaN or infinity.

        Args:
            name: of the tensor in the model.
            subtracted: raise also if differences between the two may overflow.
        """
        tensor, base = self._tensors(name)
        if name not in self._largest:
            self._largest[name] = check_finite(tensor, name, "model") + check_finite(base, name, self._role)
        limit = torch.finfo(torch.promote_types(tensor.dtype, torch.float32)).max
        if subtracted and self._largest[name] > limit:
            raise ValueError(f"tensor {name}: differences between model and {self._role} overflow")

    def _tensors(self, name: str) -> tuple[Tensor, Tensor]:
        pair = self._by_name[name]
        if pair.base is None:
            raise KeyError(f"{name} has no counterpart")
        return pair.tensor, pair.base


def check_finite(tensor: Tensor, name: str, role: str) -> float:
    """The largest absolute value of a tensor of rows.

    Raises:
        ValueError: a value is NaN or infinite; the sentence names the tensor, the first bad row and column.
    """
    if not tensor.numel():
        return 0.0
    low, high = (float(bound) for bound in tensor.aminmax())  # NaN propagates; one pass, no temporary
    if math.isfinite(low) and math.isfinite(high):
        return max(-low, high)
    rows = tensor.reshape(tensor.shape[0], -1)
    row, column = (~rows.isfinite()).nonzero()[0].tolist()
    raise ValueError(f"{role}: tensor {name} holds {rows[row, column].item()} in row {row}, column {column}")
