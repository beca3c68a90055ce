"""Planning of MI pruning: statistics block by block, a decision on each, and what the plan says of it.

After Huang, Song & Pao, "Large Language Model Pruning", 2024, which draws random pairs of hidden neurons and
drops one of the two where their mutual information is high. The default asks instead what the model's
predictions feel of each neuron, because that measured best; ``selection="joint"`` and ``"greedy"`` weigh the
mutual information of all pairs (:mod:`pruning_ext.ops.mi`), and the paper's way is
``selection="random_pairs"`` with ``estimator="renyi"``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from pruning_ext._progress import Stage, directly
from pruning_ext.calibration.batches import amounts_read, read_batches
from pruning_ext.calibration.passes import Passes
from pruning_ext.calibration.sensitivity import Sensitivity
from pruning_ext.calibration.statistics import BlockStatistics, Wanted, eager
from pruning_ext.choices.allocations import ALLOCATIONS
from pruning_ext.choices.compensations import COMPENSATIONS
from pruning_ext.config.mi import MIConfig
from pruning_ext.pruners.method import Method, register_method, warn
from pruning_ext.pruners.mi.apply import apply_plan
from pruning_ext.pruners.mi.blocks import removal_limit, targeted_blocks
from pruning_ext.pruners.mi.decision import Decision, Evidence, decide, rank_block, share_out
from pruning_ext.pruners.mi.layers import describe_layer, replacement
from pruning_ext.pruners.mi.sample_size import too_few_tokens
from pruning_ext.pruners.plan import LayerPlan, ModelSummary, Plan

__all__ = ["MIConfig", "apply_plan", "make_plan"]


def make_plan(
    model: nn.Module,
    config: MIConfig,
    *,
    pretrained: nn.Module | None = None,
    calibration: Any = None,
    show_progress: bool = False,
    stage: Stage = directly,
) -> Plan:
    """Choose the neurons of every targeted block, and fit what makes up for them. Alters nothing.

    ``details`` of each layer of the plan hold ``width``, ``kept_width``, the ``removed`` neurons as ranges,
    and figures for people; with compensation ``tensors`` hold the new down projections.

    Args:
        stage: runs the parts, ``collecting`` and those of :func:`~pruning_ext.pruners.mi.decision.decide`,
            for who wants to time or to check them.

    Raises:
        ValueError: an architecture that is not supported, targets that match nothing, a ratio or width that
            removes no neuron or all of them, a model on the meta device or (for the Fisher metric) loaded in
            inference mode, calibration that is missing or empty.
    """
    if pretrained is not None:
        raise ValueError("pretrained is given: it is for KEN, MI pruning needs calibration inputs instead")
    with eager(model):
        blocks = targeted_blocks(model, config)
        limits = [removal_limit(config, block) for block in blocks]
        batches = read_batches(model, calibration) if config.needs_calibration else []
        sensitivity = Sensitivity(model, blocks, seed=config.seed) if config.needs_gradients else None
        passes = Passes(
            model,
            blocks,
            batches,
            sensitivity,
            recalibrates=config.recalibrate,
            blocks_per_pass=config.blocks_per_pass,
            stage=stage,
            show=show_progress,
        )
        layers: list[LayerPlan] = []
        tensors: dict[str, Tensor] = {}
        widest = removed = 0
        for decision in _decisions(passes, config, limits, sensitivity):
            layer, new = describe_layer(decision)  # at once: what a refit is computed in takes more memory
            layers.append(layer)
            tensors |= new
            widest, removed = max(widest, len(decision.keep)), removed + len(decision.ranking.order)
    if not removed:
        raise ValueError(
            f"threshold is {config.threshold}: no random pair of neurons shares more, so none is removed"
        )
    for doubt in too_few_tokens(config, passes.tokens, passes.sampled, widest) if batches else ():
        warn(doubt)
    return Plan(config, ModelSummary.of(model), tuple(layers), tensors, amounts_read(batches))


def _decisions(
    passes: Passes, config: MIConfig, limits: list[int], sensitivity: Sensitivity | None
) -> Iterator[Decision]:
    """The decision on each block, in order; blocks that share out one number are all ranked first."""
    blocks, stage = passes.blocks, passes.stage
    samples = config.tokens if config.pairwise else 0
    refits = COMPENSATIONS[config.compensation].fit is not None

    def evidence(i: int, statistics: BlockStatistics | None) -> Evidence:
        reading = sensitivity.columns(i) if sensitivity else blocks[i].down_weight.double().norm(dim=0)
        return Evidence(blocks[i], i, limits[i], reading, statistics)

    rankings = None
    if ALLOCATIONS[config.allocation].share:
        wanted = Wanted(second_moment=False, samples=samples, seed=config.seed)
        ranked = [
            rank_block(evidence(i, found), config, stage=stage)
            for i, found in passes.run("ranking neurons", wanted)
        ]
        rankings = share_out(ranked, [block.width for block in blocks], config)
    wanted = Wanted(second_moment=refits, samples=0 if rankings else samples, seed=config.seed)
    for i, found in passes.run("calibrating", wanted, needed=refits or rankings is None):
        chosen = rankings[i] if rankings else None
        decision = decide(evidence(i, found), config, ranking=chosen, stage=stage)
        if config.recalibrate:
            passes.replace(blocks[i], replacement(decision))
        yield decision


register_method(MIConfig, Method(make_plan, apply_plan))
