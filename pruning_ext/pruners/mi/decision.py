"""From the statistics of a block to a decision on its neurons: the one place where this is computed.

Whoever has a block's statistics (the passes of :mod:`pruning_ext.pruners.mi.plan`, a benchmark, an engine
that gathers them in another order) makes an :class:`Evidence` of them and asks :func:`decide`. Where blocks
share out one number of neurons, all are ranked by :func:`rank_block` and cut by :func:`share_out` before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from pruning_ext._progress import Stage, directly
from pruning_ext.calibration.statistics import BlockStatistics
from pruning_ext.choices.allocations import ALLOCATIONS
from pruning_ext.choices.compensations import COMPENSATIONS, Refit
from pruning_ext.choices.estimators import ESTIMATORS
from pruning_ext.choices.selections import Ranking
from pruning_ext.config.mi import MIConfig
from pruning_ext.models.ffn import FFNBlock
from pruning_ext.pruners.mi.selection import NeuronStatistics, kept_neurons, rank


@dataclass(frozen=True)
class Evidence:
    """What a decision on one block with ``N`` neurons rests on.

    Attributes:
        block: the dense block; its weights are read, not altered.
        number: its place among the blocks of this run, which with the configuration's seed seeds its choices.
        limit: how many neurons go, or with a threshold or a shared allocation at most how many.
        reading: ``[N]`` float64, how each neuron's column of the down projection is read: its norm, or the
            model's sensitivity to it.
        statistics: what its neurons did on the calibration inputs; ``None`` where nobody looked.
        information: ``[N, N]`` mutual information in nats, if it has been estimated before.
    """

    block: FFNBlock
    number: int
    limit: int
    reading: Tensor
    statistics: BlockStatistics | None = None
    information: Tensor | None = None


@dataclass(frozen=True)
class Decision:
    """Which neurons of a block go, in order and at what cost; which stay; and what makes up for the others.

    Attributes:
        block: the dense block.
        ranking: the neurons that go.
        keep: ascending int64 indices of those that stay.
        refit: the new down projection; ``None`` leaves the columns as they are.
    """

    block: FFNBlock
    ranking: Ranking
    keep: Tensor
    refit: Refit | None


def decide(
    evidence: Evidence, config: MIConfig, *, ranking: Ranking | None = None, stage: Stage = directly
) -> Decision:
    """Choose the neurons of one block that go, and fit what makes up for them. Nothing is altered.

    Args:
        ranking: the neurons that go, where they have been chosen before (:func:`share_out`).
        stage: runs the parts ``discretising``, ``information``, ``choosing`` and ``refitting``.

    Raises:
        ValueError: too few samples, or moments too close to singular.
    """
    ranking = rank_block(evidence, config, stage=stage) if ranking is None else ranking
    keep = kept_neurons(ranking, evidence.block.width)
    refit = None
    if len(ranking.order) and evidence.statistics is not None:
        refit = stage("refitting", refit_block, evidence.block, evidence.statistics, keep, config)
    return Decision(evidence.block, ranking, keep, refit)


def rank_block(evidence: Evidence, config: MIConfig, *, stage: Stage = directly) -> Ranking:
    """The neurons of one block in the order they go, at most ``evidence.limit`` of them."""
    statistics, width = evidence.statistics, evidence.block.width
    information = evidence.information
    # A random choice without statistics looks at nothing but the weights.
    importance = evidence.reading if statistics is None else statistics.square.sqrt() * evidence.reading
    if config.pairwise and information is None and statistics is not None:
        information = estimate_information(statistics.samples, config, stage=stage)
    ranking = stage(
        "choosing",
        rank,
        config.selection,
        NeuronStatistics(importance, information),
        evidence.limit,
        seed=(config.seed, evidence.number),
        threshold=config.threshold,
    )
    if config.threshold is None:
        return ranking
    kept = math.ceil((width - len(ranking.order)) / config.round_to) * config.round_to
    return cut(ranking, max(width - kept, 0))


def cut(ranking: Ranking, count: int) -> Ranking:
    """The first ``count`` neurons of ``ranking``."""
    return Ranking(ranking.order[:count], ranking.cost[:count], ranking.threshold)


def share_out(rankings: Sequence[Ranking], widths: Sequence[int], config: MIConfig) -> list[Ranking]:
    """Each block's ranking, cut where the blocks together give the ratio as the allocation has it."""
    share = ALLOCATIONS[config.allocation].share
    assert share is not None
    assert config.ratio is not None
    given = share([ranking.cost for ranking in rankings], round(config.ratio * sum(widths)), config.round_to)
    if not any(given):
        raise ValueError(f"ratio is {config.ratio}: it rounds to 0 neurons of all {len(widths)} FFN blocks")
    return [cut(ranking, count) for ranking, count in zip(rankings, given, strict=True)]


def estimate_information(samples: Tensor, config: MIConfig, *, stage: Stage = directly) -> Tensor:
    """Mutual information ``[N, N]`` in nats between the columns of ``samples [T, N]``."""
    if len(samples) < 2:
        raise ValueError(f"calibration has {len(samples)} token: mutual information needs at least 2")
    estimator = ESTIMATORS[config.estimator]
    return estimator.estimate(samples, bins=config.bins, strategy=config.strategy, stage=stage)


def refit_block(block: FFNBlock, statistics: BlockStatistics, keep: Tensor, config: MIConfig) -> Refit | None:
    """The block's down projection, refitted to the neurons that stay, if the configuration has it so."""
    fit = COMPENSATIONS[config.compensation].fit
    if fit is None:
        return None
    assert statistics.second_moment is not None
    weight, bias = block.down_weight, block.down_bias
    return fit(
        statistics.second_moment, statistics.mean, weight, bias, keep.to(weight.device), ridge=config.ridge
    )
