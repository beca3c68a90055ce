"""Configuration of the MI pruner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pruning_ext.config.base import (
    PruneConfig,
    check_choice,
    check_flag,
    check_int,
    check_number,
    check_share,
)
from pruning_ext.config.choices import (
    ALLOCATIONS,
    COMPENSATIONS,
    ESTIMATORS,
    METRICS,
    PAIRWISE,
    SELECTIONS,
    STRATEGIES,
)

DEFAULT_TOKENS = {"histogram": 8192, "renyi": 512}

OF_PAIRS = {"estimator": "histogram", "bins": 16, "strategy": "quantile", "max_tokens": None}
"""Fields that only mean something for pairs, and their defaults."""

WEIGHED = ("joint", "greedy", "importance")
"""Selections that weigh neurons by their importance."""


@dataclass(frozen=True, kw_only=True)
class MIConfig(PruneConfig):
    """Which FFN neurons go, and what makes up for them. ``targets`` and ``ignore`` name FFN blocks.

    The default is what measured best on real models (docs/evidence.md): importance in the Fisher metric, with
    the down projection refitted. It does not look at mutual information; ``selection="joint"`` does.

    Attributes:
        ratio: fraction of the neurons removed, between 0 and 1, both excluded. Exactly one of ``ratio``,
            ``width`` and ``threshold`` is given.
        width: neurons kept in each block.
        threshold: mutual information in nats above which one neuron of a random pair goes, as the paper has
            it; only with ``selection="random_pairs"``. Each block then gets a width of its own.
        selection: see :func:`pruning_ext.pruners.mi.selection.rank`.
        estimator: ``histogram`` (plug-in over ``bins`` x ``bins`` cells, Miller-Madow corrected) or ``renyi``
            (the paper's matrix-based entropies of order 2).
        metric: how a neuron's column of the down projection is measured for its importance: ``norm``, or
            ``fisher``, by how much the model's predictions feel it (one backward pass over 8,192 tokens, see
            :func:`pruning_ext.calibration.sensitivity.column_sensitivity`).
        compensation: ``ridge`` refits the down projection to the dense block's output, see
            :func:`pruning_ext.choices.compensations.ridge.refit_down_projection`; ``none`` leaves it alone.
        ridge: strength of the pull towards the old weights, relative to the mean squared activation.
        bins, strategy: see :func:`pruning_ext.ops.mi.discretize`. Like ``estimator`` and ``max_tokens`` they
            belong to the selections that look at pairs, and are refused with the others.
        max_tokens: tokens whose activations are kept to estimate mutual information, a seeded uniform choice
            among those that count. ``None``: 8192 for ``histogram``, 512 for ``renyi``, whose cost grows with
            the square. Means and second moments always use all tokens.
        round_to: widths are multiples of it.
        allocation: ``uniform`` gives all blocks the same width, and the result loads with plain
            ``from_pretrained``. ``global`` removes the share ``ratio`` of all neurons where that costs least;
            it measured best (docs/evidence.md) but needs :func:`pruning_ext.pruners.load_pruned`.
        recalibrate: gather the statistics of each group of blocks on the model as pruned so far.
        blocks_per_pass: blocks whose statistics are gathered in one pass over the calibration inputs.
            ``None``: as many as fit in 4 GiB; with ``recalibrate`` one.
    """

    method: ClassVar[str] = "mi"

    ratio: float | None = None
    width: int | None = None
    threshold: float | None = None
    selection: str = "importance"
    estimator: str = "histogram"
    metric: str = "fisher"
    compensation: str = "ridge"
    ridge: float = 0.1
    bins: int = 16
    strategy: str = "quantile"
    max_tokens: int | None = None
    round_to: int = 8
    allocation: str = "uniform"
    recalibrate: bool = False
    blocks_per_pass: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [name for name in ("ratio", "width", "threshold") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"give exactly one of ratio, width and threshold, got {' and '.join(given) or 'none'}"
            )
        self._settle("ratio", check_share, ends=False)  # nothing or everything is no pruning
        self._settle("width", check_int, minimum=1)
        self._settle("threshold", check_number)
        self._settle("selection", check_choice, SELECTIONS)
        self._settle("estimator", check_choice, ESTIMATORS)
        self._settle("metric", check_choice, METRICS)
        self._settle("compensation", check_choice, COMPENSATIONS)
        self._settle("strategy", check_choice, STRATEGIES)
        self._settle("allocation", check_choice, ALLOCATIONS)
        self._settle("ridge", check_number, above=0)
        self._settle("bins", check_int, minimum=3 if self.strategy == "zero-quantile" else 2)
        if self.bins > 256:
            raise ValueError(f"bins must be at most 256, got {self.bins}")
        self._settle("round_to", check_int, minimum=1)
        self._settle("max_tokens", check_int, minimum=2)
        self._settle("blocks_per_pass", check_int, minimum=1)
        self._settle("recalibrate", check_flag)
        self._check_combination()

    def _check_combination(self) -> None:
        if self.threshold is not None and self.selection != "random_pairs":
            raise ValueError(f"threshold belongs to selection 'random_pairs', not to {self.selection!r}")
        for name, default in OF_PAIRS.items():
            if not self.pairwise and getattr(self, name) != default:
                raise ValueError(
                    f"{name} belongs to the selections {', '.join(PAIRWISE)}: "
                    f"{self.selection!r} looks at no pairs"
                )
        if self.allocation == "global":
            if self.ratio is None:
                raise ValueError("allocation 'global' needs ratio: it shares out one number of neurons")
            if self.selection not in WEIGHED:
                raise ValueError(
                    f"allocation 'global' needs costs to compare, and selection {self.selection!r} has none"
                )
            if self.recalibrate:
                raise ValueError(
                    "allocation 'global' compares all blocks at once, so it cannot recalibrate in between"
                )

    def idle(self) -> set[str]:
        """What the selection does not look at, and what belongs to a step that is left out."""
        idle = set() if self.pairwise else set(OF_PAIRS)
        if self.selection not in WEIGHED:
            idle.add("metric")
        if self.compensation == "none":
            idle.add("ridge")
        if self.width is not None:
            idle.add("round_to")
        return idle

    @property
    def pairwise(self) -> bool:
        """Whether the selection looks at the mutual information of pairs."""
        return self.selection in PAIRWISE

    @property
    def needs_gradients(self) -> bool:
        """Whether neurons are weighed by what the model's predictions feel of them."""
        return self.metric == "fisher" and self.selection in WEIGHED

    @property
    def tokens(self) -> int:
        """Tokens whose activations are kept."""
        return self.max_tokens if self.max_tokens is not None else DEFAULT_TOKENS[self.estimator]

    @property
    def needs_calibration(self) -> bool:
        return self.selection != "random" or self.compensation != "none"
