"""The words that configurations and command lines take; importing them imports nothing else."""

from __future__ import annotations

CRITERIA = ("ken", "density", "magnitude", "delta", "random")
"""Which entries of a row KEN keeps."""

SELECTIONS = ("joint", "greedy", "random_pairs", "importance", "random")
"""Which neurons MI pruning removes."""

PAIRWISE = ("joint", "greedy", "random_pairs")
"""Selections that look at the mutual information of pairs."""

METRICS = ("norm", "fisher")
ESTIMATORS = ("histogram", "renyi")
COMPENSATIONS = ("ridge", "none")
ALLOCATIONS = ("uniform", "global")
STRATEGIES = ("quantile", "uniform", "zero-quantile")
