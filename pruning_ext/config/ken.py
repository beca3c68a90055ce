"""Configuration of KEN."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pruning_ext.choices.criteria import CRITERIA
from pruning_ext.config.base import PruneConfig
from pruning_ext.config.checks import Choice, Flag, Names, Share, Whole
from pruning_ext.config.fields import option

_TARGETS = (
    "modules or parameters to prune, by whole name or last parts, or a pattern re:... that matches all of a "
    "name (after the models); default: all. What is left out is stored whole, as fine-tuned"
)


def _of_ken(config: KENConfig) -> str | None:
    return None if config.criterion == "ken" else f"criterion 'ken', not to {config.criterion!r}"


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
    amounts: ClassVar[tuple[str, ...]] = ("density", "k")

    targets: tuple[str, ...] | None = field(default=None, metadata=option(Names(), _TARGETS))
    seed: int = field(default=0, metadata=option(Whole(0), "seed of the criterion random"))
    k: int | None = field(default=None, metadata=option(Whole(0), "entries of each row to keep", metavar="K"))
    density: float | None = field(
        default=None, metadata=option(Share(), "fraction of each row to keep, 0 to 1", metavar="D")
    )
    criterion: str = field(default="ken", metadata=option(Choice(CRITERIA), "which entries of a row to keep"))
    on: str = field(
        default="weight",
        metadata=option(Choice(("weight", "delta")), "score weights, or their change by fine-tuning"),
    )
    keep_ties: bool = field(
        default=False,
        metadata=option(
            Flag(),
            "with ken, keep every entry equal to a kept one too, as the published code does",
            belongs_to=_of_ken,
        ),
    )

    def _check_together(self) -> None:
        if (self.k is None) == (self.density is None):
            raise ValueError(f"give either k or density, got k={self.k} and density={self.density}")

    def entries_kept(self, n: int) -> int:
        """Entries kept in a row of ``n``."""
        if self.k is not None:
            return min(self.k, n)
        assert self.density is not None
        return round(self.density * n)
