"""One width for all blocks."""

from __future__ import annotations

from pruning_ext.choices.allocations import ALLOCATIONS, Allocation

ALLOCATIONS.add(
    Allocation("uniform", "one width for all blocks, so that from_pretrained loads the result", None)
)
