"""The passes over the calibration inputs: statistics block by block, in as few passes as memory allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from torch import nn

from pruning_ext._progress import Stage, directly
from pruning_ext.calibration.batches import Batch
from pruning_ext.calibration.sensitivity import Sensitivity, split
from pruning_ext.calibration.statistics import BlockStatistics, Replacement, Wanted, block_bytes, gather
from pruning_ext.models.ffn import FFNBlock

STATISTICS_BYTES = 4 * 2**30
"""Most that one pass's statistics take, unless one block takes more or ``blocks_per_pass`` is given."""


@dataclass
class Passes:
    """Runs over the calibration inputs, one per group of blocks, so that memory is bounded.

    ``sensitivity``, if any, shares the forward pass of the first run, which is of the dense model. Where the
    caller ``recalibrates``, replacing blocks as it goes, a pass serves one block unless ``blocks_per_pass``
    is given. Each pass is a ``stage`` of the name ``collecting``.
    """

    model: nn.Module
    blocks: Sequence[FFNBlock]
    batches: Sequence[Batch]
    sensitivity: Sensitivity | None
    recalibrates: bool = False
    blocks_per_pass: int | None = None
    stage: Stage = directly
    show: bool = False
    tokens: int = 0
    sampled: int = 0
    _replaced: dict[nn.Module, Replacement] = field(default_factory=dict)

    def replace(self, block: FFNBlock, down: Replacement) -> None:
        """Let ``down`` act instead of the block's down projection in the passes to come."""
        self._replaced[block.down] = down

    def run(
        self, description: str, wanted: Wanted, *, needed: bool = True
    ) -> Iterator[tuple[int, BlockStatistics | None]]:
        """Each block's number and statistics; ``None`` where none are ``needed`` or there is no input."""
        if not needed or not self.batches:
            yield from ((i, None) for i in range(len(self.blocks)))
            return
        size = self._group_size(wanted)
        starts = range(0, len(self.blocks), size)
        for number, start in enumerate(starts):
            group = self.blocks[start : start + size]
            title = description if len(starts) == 1 else f"{description} {number + 1}/{len(starts)}"
            first, self.sensitivity = self.sensitivity, None
            ahead, rest = split(self.batches) if first else ((), self.batches)
            statistics: list[BlockStatistics | None] = list(
                self.stage(
                    "collecting",
                    gather,
                    self.model,
                    group,
                    rest,
                    wanted,
                    replaced=self._replaced,
                    ahead=ahead,
                    through=first.observe if first else None,
                    show_progress=self.show,
                    description=title,
                )
            )
            for offset in range(len(group)):
                found, statistics[offset] = statistics[offset], None  # freed as soon as it is used
                if found is not None:  # all blocks see the same tokens
                    self.tokens, self.sampled = found.tokens, max(self.sampled, len(found.samples))
                yield start + offset, found

    def _group_size(self, wanted: Wanted) -> int:
        if self.blocks_per_pass is not None:
            return self.blocks_per_pass
        if self.recalibrates:
            return 1
        return max(1, STATISTICS_BYTES // max(block_bytes(block, wanted) for block in self.blocks))
