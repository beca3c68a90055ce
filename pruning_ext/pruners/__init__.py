"""Pruners for Hugging Face models: one configuration type per method, the same two calls for all.

A method lives in its own module, which defines its configuration and calls
:func:`~pruning_ext.pruners.method.register_method`; importing it here makes it known.
"""

from pruning_ext.calibration.batches import Calibration
from pruning_ext.config.base import PruneConfig
from pruning_ext.config.ken import KENConfig
from pruning_ext.config.mi import MIConfig
from pruning_ext.models.targets import select_names
from pruning_ext.pruners.method import Method, PruneResult, PruningWarning, plan, prune, register_method
from pruning_ext.pruners.mi.export import export, load_pruned
from pruning_ext.pruners.plan import LayerPlan, ModelSummary, Plan

__all__ = [
    "Calibration",
    "KENConfig",
    "LayerPlan",
    "MIConfig",
    "Method",
    "ModelSummary",
    "Plan",
    "PruneConfig",
    "PruneResult",
    "PruningWarning",
    "export",
    "load_pruned",
    "plan",
    "prune",
    "register_method",
    "select_names",
]
