"""The words that configurations and command lines take; importing them imports nothing else."""

from __future__ import annotations

from pruning_ext.choices.allocations import ALLOCATIONS as _ALLOCATIONS
from pruning_ext.choices.compensations import COMPENSATIONS as _COMPENSATIONS
from pruning_ext.choices.estimators import ESTIMATORS as _ESTIMATORS
from pruning_ext.choices.selections import SELECTIONS as _SELECTIONS

CRITERIA = ("ken", "density", "magnitude", "delta", "random")
"""Which entries of a row KEN keeps."""

SELECTIONS = _SELECTIONS.names
PAIRWISE = tuple(selection.name for selection in _SELECTIONS if selection.pairwise)
METRICS = ("norm", "fisher")
ESTIMATORS = _ESTIMATORS.names
COMPENSATIONS = _COMPENSATIONS.names
ALLOCATIONS = _ALLOCATIONS.names
STRATEGIES = ("quantile", "uniform", "zero-quantile")
