"""Warnings of a calibration that is too small for what is estimated from it."""

from __future__ import annotations

from pruning_ext.choices.compensations import COMPENSATIONS
from pruning_ext.config.mi import MIConfig


def too_few_tokens(config: MIConfig, tokens: int, sampled: int, kept: int) -> list[str]:
    """A sentence for each estimate that so few tokens cannot carry; none where they are enough.

    Args:
        tokens: tokens that means and second moments were taken over.
        sampled: tokens whose activations mutual information was estimated from.
        kept: neurons kept in the block that keeps most.
    """
    found = []
    if config.pairwise and config.estimator == "histogram" and sampled < 16 * config.bins:
        enough = 16 * config.bins**2  # the plug-in's bias is about (B - 1)^2 / 2T nats
        found.append(
            f"mutual information was estimated from {sampled} tokens in {config.bins} bins, which is little "
            f"more than chance: {enough:,} tokens (16 bins^2) are enough, in calibration and max_tokens"
        )
    if COMPENSATIONS[config.compensation].fit and tokens <= kept:
        found.append(
            f"the refit had {tokens} calibration tokens for {kept} kept neurons of a block, so the ridge "
            "decides more than the data: give more tokens than neurons"
        )
    return found
