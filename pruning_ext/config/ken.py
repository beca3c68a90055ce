"""What KEN is told to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pruning_ext.config.base import PruneConfig, check_choice, check_flag, check_int, check_share
from pruning_ext.config.choices import CRITERIA


@dataclass(frozen=True, kw_only=True)
class KENConfig(PruneConfig):
    """What KEN keeps.

    Pruned are the parameters of two or more dimensions (float64, float32, float16, bfloat16) that the base
    has in the same shape; those of more than two are viewed as rows over their first dimension. Everything
    else stays as fine-tuned: vectors (biases, norms), new heads, resized embeddings, buffers, and what
    ``targets`` and ``ignore`` leave out. Tied tensors, of the same memory and shape, are pruned once; one
    that is another's view in another shape (its transpose) is pruned and counted by itself, in place on top
    of the other, while a copy of the model is no longer tied.

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
        self._settle("k", check_int, minimum=0)
        self._settle("density", check_share)
        self._settle("criterion", check_choice, CRITERIA)
        self._settle("on", check_choice, ("weight", "delta"))
        self._settle("keep_ties", check_flag)
        if self.keep_ties and self.criterion != "ken":
            raise ValueError(f"keep_ties belongs to criterion 'ken', not to {self.criterion!r}")

    def entries_kept(self, n: int) -> int:
        """Entries kept in a row of ``n``."""
        if self.k is not None:
            return min(self.k, n)
        assert self.density is not None
        return round(self.density * n)
