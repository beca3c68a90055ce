"""MI pruning's ``details`` of a layer in a plan, as a type; neurons as ranges that a person can read."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pruning_ext.models.ffn import FFNBlock
from pruning_ext.pruners.plan import LayerPlan

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class BlockDetails:
    """One FFN block in a plan.

    Attributes:
        width: neurons of the dense block.
        kept_width: neurons that stay.
        dead: neurons that go because they never contribute.
        removed: the neurons that go, as ranges: ``"0-3, 7, 9-10"``.
        threshold: mutual information above which a pair counted as redundant, where there is one.
        output_error: what the refit leaves, relative to the block's output, on the calibration tokens.
        output_error_uncompensated: the same for the kept columns as they were.
    """

    width: int
    kept_width: int
    dead: int
    removed: str
    threshold: float | None = None
    output_error: float | None = None
    output_error_uncompensated: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The ``details`` of a layer, as JSON has them."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


def removed_neurons(layer: LayerPlan, block: FFNBlock) -> Indices:
    """Ascending indices of the neurons that ``layer``, which may come from a file, takes from ``block``.

    Raises:
        ValueError: ranges that cannot be read, or that do not fit the block.
    """
    removed = from_ranges(str(layer.details.get("removed")))
    width = block.width
    if (
        removed is None
        or len(removed) >= width
        or (len(removed) and not 0 <= removed[0] <= removed[-1] < width)
    ):
        raise ValueError(f"the plan's `removed` for FFN block {layer.name} does not fit its {width} neurons")
    return removed


def to_ranges(indices: Indices) -> str:
    """Ascending indices as text: ``"0-3, 7, 9-10"``."""
    runs = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)
    return ", ".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else str(r[0]) for r in runs if len(r))


def from_ranges(text: str) -> Indices | None:
    """The inverse of :func:`to_ranges`; ``None`` if ``text`` is not strictly ascending ranges."""
    indices: list[int] = []
    for part in filter(None, text.split(", ")):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal() or int(last or first) < int(first):
            return None
        indices.extend(range(int(first), int(last or first) + 1))
    found = np.array(indices, dtype=np.int64)
    return found if (np.diff(found) > 0).all() else None
