"""Configuration of the MI pruner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from pruning_ext._arguments import STRATEGIES
from pruning_ext.choices.allocations import ALLOCATIONS
from pruning_ext.choices.compensations import COMPENSATIONS
from pruning_ext.choices.estimators import ESTIMATORS
from pruning_ext.choices.selections import SELECTIONS, Selection
from pruning_ext.config.base import PruneConfig
from pruning_ext.config.checks import Choice, Flag, Names, Number, Share, Whole
from pruning_ext.config.fields import option

METRICS = ("norm", "fisher")
_TARGETS = (
    "FFN blocks to prune, such as model.layers.0 (`pruning-ext plan mi` lists them), by whole name or last "
    "parts, or a pattern re:... that matches all of a name (after the model); default: all. Blocks left out "
    "keep their width, so that the result needs pruning_ext.load_pruned or --pad-to-uniform"
)


def _of_random_pairs(config: MIConfig) -> str | None:
    if config.selection == "random_pairs":
        return None
    return f"selection 'random_pairs', not to {config.selection!r}"


def _of_pairs(config: MIConfig) -> str | None:
    if config.pairwise:
        return None
    names = ", ".join(entry.name for entry in SELECTIONS if entry.pairwise)
    return f"the selections {names}: {config.selection!r} looks at no pairs"


def _default_tokens() -> str:
    return ", ".join(f"{entry.default_tokens} with {entry.name}" for entry in ESTIMATORS)


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
    amounts: ClassVar[tuple[str, ...]] = ("ratio", "width", "threshold")

    targets: tuple[str, ...] | None = field(default=None, metadata=option(Names(), _TARGETS))
    ratio: float | None = field(
        default=None,
        metadata=option(
            Share(ends=False),  # nothing or everything is no pruning
            "fraction of the neurons to remove, between 0 and 1",
            metavar="R",
        ),
    )
    width: int | None = field(default=None, metadata=option(Whole(1), "neurons to keep in each block"))
    threshold: float | None = field(
        default=None,
        metadata=option(
            Number(),
            "with random_pairs: information of a redundant pair",
            metavar="NATS",
            belongs_to=_of_random_pairs,
        ),
    )
    selection: str = field(default="importance", metadata=option(Choice(SELECTIONS), "which neurons go"))
    estimator: str = field(
        default="histogram",
        metadata=option(Choice(ESTIMATORS), "how mutual information is estimated", belongs_to=_of_pairs),
    )
    metric: str = field(
        default="fisher",
        metadata=option(
            Choice(METRICS),
            "how the columns that read a neuron are measured",
            idle_if=lambda config: not config.weighs_importance,
        ),
    )
    compensation: str = field(
        default="ridge", metadata=option(Choice(COMPENSATIONS), "what makes up for the neurons that go")
    )
    ridge: float = field(
        default=0.1,
        metadata=option(
            Number(above=0),
            "pull of the refit towards the old weights",
            idle_if=lambda config: not config.refits,
        ),
    )
    bins: int = field(
        default=16, metadata=option(Whole(2, 256), "bins of the histogram, 2 to 256", belongs_to=_of_pairs)
    )
    strategy: str = field(
        default="quantile",
        metadata=option(Choice(STRATEGIES), "where the edges of the bins lie", belongs_to=_of_pairs),
    )
    max_tokens: int | None = field(
        default=None,
        metadata=option(
            Whole(2), "tokens to estimate information from", omitted=_default_tokens, belongs_to=_of_pairs
        ),
    )
    round_to: int = field(
        default=8,
        metadata=option(
            Whole(1), "make widths multiples of N", idle_if=lambda config: config.width is not None
        ),
    )
    allocation: str = field(
        default="uniform", metadata=option(Choice(ALLOCATIONS), "how the blocks share what goes")
    )
    recalibrate: bool = field(
        default=False, metadata=option(Flag(), "look at each block with the blocks before it already pruned")
    )
    blocks_per_pass: int | None = field(
        default=None,
        metadata=option(
            Whole(1),
            "blocks looked at in one pass",
            omitted="as many as fit in 4 GiB; with --recalibrate one",
        ),
    )

    def _check_together(self) -> None:
        given = [name for name in self.amounts if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"give exactly one of ratio, width and threshold, got {' and '.join(given) or 'none'}"
            )
        if self.strategy == "zero-quantile":
            Whole(3)("bins", self.bins)
        if ALLOCATIONS[self.allocation].share is not None:
            self._check_shared()

    def _check_shared(self) -> None:
        allocation = f"allocation {self.allocation!r}"
        if self.ratio is None:
            raise ValueError(f"{allocation} needs ratio: it shares out one number of neurons")
        if not self.weighs_importance:
            raise ValueError(
                f"{allocation} needs costs to compare, and selection {self.selection!r} has none"
            )
        if self.recalibrate:
            raise ValueError(f"{allocation} compares all blocks at once, so it cannot recalibrate in between")

    @property
    def _selection(self) -> Selection:
        return SELECTIONS[self.selection]

    @property
    def pairwise(self) -> bool:
        """Whether the selection looks at the mutual information of pairs."""
        return self._selection.pairwise

    @property
    def weighs_importance(self) -> bool:
        """Whether the selection weighs neurons by their importance."""
        return self._selection.weighs_importance

    @property
    def refits(self) -> bool:
        """Whether the down projection makes up for the neurons that go."""
        return COMPENSATIONS[self.compensation].fit is not None

    @property
    def needs_gradients(self) -> bool:
        """Whether neurons are weighed by what the model's predictions feel of them."""
        return self.metric == "fisher" and self.weighs_importance

    @property
    def tokens(self) -> int:
        """Tokens whose activations are kept."""
        if self.max_tokens is not None:
            return self.max_tokens
        return ESTIMATORS[self.estimator].default_tokens

    @property
    def needs_calibration(self) -> bool:
        """Whether anything is measured on calibration inputs."""
        return self.pairwise or self.weighs_importance or self.refits
