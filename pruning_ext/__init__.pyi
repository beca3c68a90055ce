# Every public name and the module that defines it, for type checkers and, through _lazy.py, for Python.
from pruning_ext._build import __version__ as __version__
from pruning_ext.calibration.batches import Calibration as Calibration
from pruning_ext.config.base import PruneConfig as PruneConfig
from pruning_ext.config.ken import KENConfig as KENConfig
from pruning_ext.config.mi import MIConfig as MIConfig
from pruning_ext.delta import apply_delta as apply_delta
from pruning_ext.delta import load_delta as load_delta
from pruning_ext.delta import prune_to_delta as prune_to_delta
from pruning_ext.delta import save_delta as save_delta
from pruning_ext.info import info as info
from pruning_ext.ops import reference as reference
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
