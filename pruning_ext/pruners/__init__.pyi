# Every public name and the module that defines it, for type checkers and, through _lazy.py, for Python.
from pruning_ext.calibration.batches import Calibration as Calibration
from pruning_ext.config.base import PruneConfig as PruneConfig
from pruning_ext.config.ken import KENConfig as KENConfig
from pruning_ext.config.mi import MIConfig as MIConfig
from pruning_ext.models.targets import select_names as select_names
from pruning_ext.pruners.method import Method as Method
from pruning_ext.pruners.method import PruneResult as PruneResult
from pruning_ext.pruners.method import PruningWarning as PruningWarning
from pruning_ext.pruners.method import plan as plan
from pruning_ext.pruners.method import prune as prune
from pruning_ext.pruners.method import register_method as register_method
from pruning_ext.pruners.mi.export import export as export
from pruning_ext.pruners.mi.export import load_pruned as load_pruned
from pruning_ext.pruners.plan import LayerPlan as LayerPlan
from pruning_ext.pruners.plan import ModelSummary as ModelSummary
from pruning_ext.pruners.plan import Plan as Plan
