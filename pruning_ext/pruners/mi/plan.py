"""MI pruning: remove FFN neurons that can be spared, and refit the layer that read them.

After Huang, Song & Pao, "Large Language Model Pruning", 2024, which draws random pairs of hidden neurons and
drops one of the two where their mutual information is high. The default asks instead what the model's
predictions feel of each neuron, because that measured best; ``selection="joint"`` and ``"greedy"`` weigh the
mutual information of all pairs (:mod:`pruning_ext.ops.mi`), and the paper's way is
``selection="random_pairs"`` with ``estimator="renyi"``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pruning_ext.calibration.batches import amounts_read, read_batches
from pruning_ext.calibration.passes import Passes
from pruning_ext.calibration.sensitivity import Sensitivity
from pruning_ext.calibration.statistics import BlockStatistics, Wanted, eager
from pruning_ext.config.mi import MIConfig
from pruning_ext.models.ffn import FFNBlock, find_blocks, narrow, record_widths
from pruning_ext.models.huggingface import check_not_quantized, unwrapped
from pruning_ext.models.targets import select_names
from pruning_ext.ops.mi import discretize, mutual_information_from_codes
from pruning_ext.ops.renyi import renyi_mutual_information
from pruning_ext.pruners.method import Method, register_method, warn
from pruning_ext.pruners.mi.compensation import Refit, refit_down_projection
from pruning_ext.pruners.mi.layers import describe_layer, kept_of, new_down_projection, replacement
from pruning_ext.pruners.mi.sample_size import too_few_tokens
from pruning_ext.pruners.mi.selection import NeuronStatistics, Ranking, allocate, kept_neurons, rank
from pruning_ext.pruners.plan import LayerPlan, ModelSummary, Plan

__all__ = ["MIConfig", "apply_plan", "make_plan"]


def make_plan(
    model: nn.Module,
    config: MIConfig,
    *,
    pretrained: nn.Module | None = None,
    calibration: Any = None,
    show_progress: bool = False,
) -> Plan:
    """Choose the neurons of every targeted block, and fit what makes up for them. Alters nothing.

    ``details`` of each layer of the plan hold ``width``, ``kept_width``, the ``removed`` neurons as ranges,
    and figures for people; with compensation ``tensors`` hold the new down projections.

    Raises:
        ValueError: an architecture that is not supported, targets that match nothing, a ratio or width that
            removes no neuron or all of them, a model on the meta device or (for the Fisher metric) loaded in
            inference mode, calibration that is missing or empty.
    """
    if pretrained is not None:
        raise ValueError("pretrained is given: it is for KEN, MI pruning needs calibration inputs instead")
    model = unwrapped(model)
    with eager(model):
        blocks = targeted_blocks(model, config)
        limits = [removal_limit(config, block) for block in blocks]
        batches = read_batches(model, calibration) if config.needs_calibration else []
        sensitivity = Sensitivity(model, blocks, seed=config.seed) if config.needs_gradients else None
        passes = Passes(model, blocks, config, batches, sensitivity, show_progress)
        layers, tensors = _choose(passes, sensitivity, limits)
    kept = max(int(layer.details["kept_width"]) for layer in layers)
    for doubt in too_few_tokens(config, passes.tokens, passes.sampled, kept) if batches else ():
        warn(doubt)
    return Plan(config, ModelSummary.of(model), tuple(layers), tensors, amounts_read(batches))


def _choose(
    passes: Passes, sensitivity: Sensitivity | None, limits: Sequence[int]
) -> tuple[list[LayerPlan], dict[str, Tensor]]:
    """The plan's entry for each block, and the tensors that go with them."""
    blocks, config = passes.blocks, passes.config
    samples = config.tokens if config.pairwise else 0
    refits = config.compensation == "ridge"

    def ranking(i: int, found: BlockStatistics | None) -> Ranking:
        columns = sensitivity.columns(i) if sensitivity else blocks[i].down_weight.double().norm(dim=0)
        return rank_block(columns, found, config, limits[i], i)

    rankings: dict[int, Ranking] = {}
    if config.allocation == "global":
        for i, found in passes.run("ranking neurons", Wanted(False, samples, config.seed)):
            rankings[i] = ranking(i, found)
        rankings = _shared_out(rankings, blocks, config)
        samples = 0
    layers: list[LayerPlan] = []
    tensors: dict[str, Tensor] = {}
    for i, found in passes.run(
        "calibrating", Wanted(refits, samples, config.seed), needed=refits or not rankings
    ):
        if i not in rankings:
            rankings[i] = ranking(i, found)
        keep = kept_neurons(rankings[i], blocks[i].width)
        fit = (
            refit_block(blocks[i], found, keep, config.ridge)
            if refits and found and len(rankings[i].order)
            else None
        )
        if config.recalibrate:
            passes.replaced[blocks[i].down] = replacement(blocks[i], keep, fit)
        layer, new = describe_layer(blocks[i], rankings[i], fit)
        layers.append(layer)
        tensors |= new
    if not any(len(each.order) for each in rankings.values()):
        raise ValueError(
            f"threshold is {config.threshold}: no random pair of neurons shares more, so none is removed"
        )
    return layers, tensors


def targeted_blocks(model: nn.Module, config: MIConfig) -> list[FFNBlock]:
    """The FFN blocks that ``config`` names, checked for being there in full."""
    check_not_quantized(getattr(model, "config", None), "model")
    blocks = find_blocks(model)
    for name, parameter in model.named_parameters():
        if parameter.is_meta:
            raise ValueError(f"tensor {name} is on the meta device: load the model's weights first")
        if parameter.is_inference() and config.needs_gradients:
            raise ValueError(
                f"tensor {name} was made under torch.inference_mode(), where no gradient can pass: load the "
                "model outside of it, or give metric 'norm'"
            )
    known = [name for name, _ in model.named_modules() if name]
    names = select_names(
        [b.name for b in blocks], config.targets, config.ignore, known=known, what="FFN block"
    )
    return [block for block in blocks if block.name in names]


def removal_limit(config: MIConfig, block: FFNBlock) -> int:
    """Neurons to remove from ``block``; with a threshold or a global allocation the most that may go."""
    width = block.width
    if config.width is not None:
        if config.width >= width:
            raise ValueError(
                f"width is {config.width}: FFN block {block.name} has {width} neurons, so none would go"
            )
        return width - config.width
    smallest = width - config.round_to
    if smallest < 1:
        raise ValueError(f"round_to is {config.round_to}: FFN block {block.name} has only {width} neurons")
    if config.ratio is None or config.allocation == "global":
        return smallest
    keep = round(width * (1 - config.ratio) / config.round_to) * config.round_to
    if keep >= width or keep < 1:
        what = "0" if keep >= width else f"all {width}"
        raise ValueError(
            f"ratio is {config.ratio}: it rounds to {what} neurons of FFN block {block.name} "
            f"(width {width}, round_to {config.round_to})"
        )
    return width - keep


def rank_block(
    columns: Tensor, found: BlockStatistics | None, config: MIConfig, count: int, number: int
) -> Ranking:
    """The neurons of one block in the order they go, at most ``count``; ``columns`` say how they are read."""
    information = None
    # a random choice without statistics looks at nothing but the weights
    importance = columns if found is None else found.square.sqrt() * columns
    if config.pairwise and found is not None:
        information = estimate_information(found.samples, config)
    ranking = rank(
        config.selection,
        NeuronStatistics(importance, information),
        count,
        seed=(config.seed, number),
        threshold=config.threshold,
    )
    if config.threshold is None:
        return ranking
    removed = (
        len(columns) - math.ceil((len(columns) - len(ranking.order)) / config.round_to) * config.round_to
    )
    return Ranking(ranking.order[: max(removed, 0)], ranking.cost[: max(removed, 0)], ranking.threshold)


def estimate_information(samples: Tensor, config: MIConfig) -> Tensor:
    """Mutual information ``[N, N]`` in nats between the columns of ``samples [T, N]``."""
    if len(samples) < 2:
        raise ValueError(f"calibration has {len(samples)} token: mutual information needs at least 2")
    if config.estimator == "renyi":
        return renyi_mutual_information(samples, unit="nats")
    codes, _ = discretize(samples, config.bins, config.strategy)  # type: ignore[arg-type]
    return mutual_information_from_codes(codes, bins=config.bins, correction="miller-madow")


def _shared_out(
    rankings: dict[int, Ranking], blocks: Sequence[FFNBlock], config: MIConfig
) -> dict[int, Ranking]:
    """Each block's ranking, cut where the blocks together give the ratio at the least cost."""
    assert config.ratio is not None
    total = round(config.ratio * sum(block.width for block in blocks))
    given = allocate([rankings[i].cost for i in range(len(blocks))], total, config.round_to)
    if not any(given):
        raise ValueError(f"ratio is {config.ratio}: it rounds to 0 neurons of all {len(blocks)} FFN blocks")
    return {i: Ranking(r.order[: given[i]], r.cost[: given[i]], r.threshold) for i, r in rankings.items()}


def refit_block(block: FFNBlock, found: BlockStatistics, keep: Tensor, ridge: float) -> Refit:
    assert found.second_moment is not None
    weight, bias = block.down_weight, block.down_bias
    return refit_down_projection(
        found.second_moment, found.mean, weight, bias, keep.to(weight.device), ridge=ridge
    )


@torch.inference_mode(False)
def apply_plan(
    model: nn.Module,
    plan: Plan,
    *,
    pretrained: nn.Module | None = None,
    calibration: Any = None,
    show_progress: bool = False,
) -> dict[str, Any]:
    """Make ``model`` narrower in place as ``plan`` says; needs neither calibration nor randomness.

    Returns:
        A report: parameters and bytes before and after, widths before and after per block, what the plan
        was calibrated on.
    """
    model = unwrapped(model)
    before = ModelSummary.of(model)
    blocks = find_blocks(model)
    named = {block.name: block for block in blocks}
    steps: list[tuple[FFNBlock, Tensor, tuple[Tensor | None, Tensor | None]]] = []
    for layer in plan.layers:  # all is checked before anything is changed
        if layer.name not in named:
            raise ValueError(
                f"the plan names an FFN block {layer.name}, which {type(model).__name__} does not have"
            )
        block = named[layer.name]
        keep = kept_of(layer, block)
        if len(keep) < block.width:
            steps.append((block, keep, new_down_projection(layer, block, keep, plan.tensors)))
    widths = {block.name: [block.width, len(keep)] for block, keep, _ in steps}
    for block, keep, (weight, bias) in steps:
        narrow(block, keep, weight, bias)
    record_widths(model, blocks)
    after = ModelSummary.of(model)
    return {
        "parameters": [before.parameters, after.parameters],
        "bytes": [before.bytes, after.bytes],
        "widths": widths,
        **plan.calibration,
    }


register_method(MIConfig, Method(make_plan, apply_plan))
