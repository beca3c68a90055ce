"""Batched Gaussian KDE and all-pairs mutual information for PyTorch, and the two pruners that stand on them.

Names are loaded at first use: importing the package, or :mod:`pruning_ext.numpy`, does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pruning_ext._version import __version__

# Every public name and the module that defines it.
_HOMES = {
    "gaussian_kde": "pruning_ext.ops.kde",
    "gaussian_kde_grid": "pruning_ext.ops.kde",
    "ken_mask": "pruning_ext.ops.ken",
    "discretize": "pruning_ext.ops.mi",
    "contingency": "pruning_ext.ops.mi",
    "mutual_information": "pruning_ext.ops.mi",
    "mutual_information_from_codes": "pruning_ext.ops.mi",
    "mutual_information_topk": "pruning_ext.ops.mi_reductions",
    "mutual_information_topk_from_codes": "pruning_ext.ops.mi_reductions",
    "mutual_information_sum": "pruning_ext.ops.mi_reductions",
    "mutual_information_sum_from_codes": "pruning_ext.ops.mi_reductions",
    "MutualInformation": "pruning_ext.ops.mi_stream",
    "renyi_mutual_information": "pruning_ext.ops.renyi",
    "plan": "pruning_ext.pruners.method",
    "prune": "pruning_ext.pruners.method",
    "Plan": "pruning_ext.pruners.plan",
    "PruneResult": "pruning_ext.pruners.method",
    "PruningWarning": "pruning_ext.pruners.method",
    "PruneConfig": "pruning_ext.config.base",
    "KENConfig": "pruning_ext.config.ken",
    "MIConfig": "pruning_ext.config.mi",
    "Calibration": "pruning_ext.calibration.batches",
    "export": "pruning_ext.pruners.mi.export",
    "load_pruned": "pruning_ext.pruners.mi.export",
    "save_delta": "pruning_ext.delta",
    "load_delta": "pruning_ext.delta",
    "prune_to_delta": "pruning_ext.delta",
    "apply_delta": "pruning_ext.delta",
    "info": "pruning_ext.info",
}
__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:  # the same for type checkers, which do not run __getattr__
    from pruning_ext.calibration.batches import Calibration as Calibration
    from pruning_ext.config.base import PruneConfig as PruneConfig
    from pruning_ext.config.ken import KENConfig as KENConfig
    from pruning_ext.config.mi import MIConfig as MIConfig
    from pruning_ext.delta import apply_delta as apply_delta
    from pruning_ext.delta import load_delta as load_delta
    from pruning_ext.delta import prune_to_delta as prune_to_delta
    from pruning_ext.delta import save_delta as save_delta
    from pruning_ext.info import info as info
    from pruning_ext.ops.kde import gaussian_kde as gaussian_kde
    from pruning_ext.ops.kde import gaussian_kde_grid as gaussian_kde_grid
    from pruning_ext.ops.ken import ken_mask as ken_mask
    from pruning_ext.ops.mi import contingency as contingency
    from pruning_ext.ops.mi import discretize as discretize
    from pruning_ext.ops.mi import mutual_information as mutual_information
    from pruning_ext.ops.mi import mutual_information_from_codes as mutual_information_from_codes
    from pruning_ext.ops.mi_reductions import mutual_information_sum as mutual_information_sum
    from pruning_ext.ops.mi_reductions import (
        mutual_information_sum_from_codes as mutual_information_sum_from_codes,
    )
    from pruning_ext.ops.mi_reductions import mutual_information_topk as mutual_information_topk
    from pruning_ext.ops.mi_reductions import (
        mutual_information_topk_from_codes as mutual_information_topk_from_codes,
    )
    from pruning_ext.ops.mi_stream import MutualInformation as MutualInformation
    from pruning_ext.ops.renyi import renyi_mutual_information as renyi_mutual_information
    from pruning_ext.pruners.method import PruneResult as PruneResult
    from pruning_ext.pruners.method import PruningWarning as PruningWarning
    from pruning_ext.pruners.method import plan as plan
    from pruning_ext.pruners.method import prune as prune
    from pruning_ext.pruners.mi.export import export as export
    from pruning_ext.pruners.mi.export import load_pruned as load_pruned
    from pruning_ext.pruners.plan import Plan as Plan


def __getattr__(name: str) -> Any:
    if name == "reference":  # a module, and no part of the public names
        return importlib.import_module("pruning_ext.ops.reference")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(_HOMES[name])
    if name == "info":
        return module  # importing it binds this name to it, whoever does; so it can be called (see there)
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
