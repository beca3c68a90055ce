"""Matrix-based entropies of order 2, as in Huang, Song & Pao, "Large Language Model Pruning", 2024."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning_ext.choices.estimators import ESTIMATORS, Estimator

if TYPE_CHECKING:
    from torch import Tensor

    from pruning_ext._progress import Stage


def estimate(samples: Tensor, *, bins: int, strategy: str, stage: Stage) -> Tensor:
    """From Gram matrices of the samples, see :func:`pruning_ext.ops.renyi.renyi_mutual_information`."""
    from pruning_ext.ops.renyi import renyi_mutual_information

    return stage("information", renyi_mutual_information, samples, unit="nats")


# The cost grows with the square of the tokens.
ESTIMATORS.add(
    Estimator("renyi", "the paper's matrix-based entropies of order 2", estimate, default_tokens=512)
)
