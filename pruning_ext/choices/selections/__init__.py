"""Selections: which neurons of one feed-forward block to remove, and in what order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pruning_ext.choices.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]
    Information = NDArray[np.float32]


@dataclass(frozen=True)
class Candidates:
    """The ``N`` neurons of a block that contribute, and how many of them to choose.

    Attributes:
        importance: ``[N]``, positive.
        count: how many go; with ``threshold`` at most how many.
        generator: the source of every random choice.
        threshold: mutual information in nats above which a pair is redundant, where one is given.
        pairs: ``[N, N]`` mutual information in nats, -1 on the diagonal, a copy that may be altered; ``None``
            where nobody estimated it.
    """

    importance: Floats
    count: int
    generator: np.random.Generator
    threshold: float | None = None
    pairs: Information | None = None

    @property
    def information(self) -> Information:
        """``pairs``, for a selection that cannot do without."""
        assert self.pairs is not None
        return self.pairs


class Ranking(NamedTuple):
    """Neurons in the order they are removed, ``order`` int64 ``[n]``, and what each costs, ``cost`` ``[n]``.

    ``cost`` never decreases. ``threshold`` is the mutual information above which a pair counted as redundant.
    """

    order: Indices
    cost: Floats
    threshold: float | None = None


@dataclass(frozen=True)
class Selection:
    """One way to choose neurons.

    Attributes:
        rank: gives ``count`` of the candidates, or fewer with ``threshold``; equal costs go by index.
        pairwise: it looks at the mutual information of pairs.
        weighs_importance: its costs are importances, which can be compared between blocks.
    """

    name: str
    help: str
    rank: Callable[[Candidates], Ranking]
    pairwise: bool = False
    weighs_importance: bool = False


SELECTIONS: Registry[Selection] = Registry(
    __name__, first=("joint", "greedy", "random_pairs", "importance", "random")
)
