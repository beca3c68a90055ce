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
from pruning_ext.ops.kde import *
from pruning_ext.ops.ken import *
from pruning_ext.ops.mi import *
from pruning_ext.ops.mi_reductions import *
from pruning_ext.ops.mi_stream import *
from pruning_ext.ops.renyi import *
from pruning_ext.pruners.method import PruneResult as PruneResult
from pruning_ext.pruners.method import PruningWarning as PruningWarning
from pruning_ext.pruners.method import plan as plan
from pruning_ext.pruners.method import prune as prune
from pruning_ext.pruners.mi.export import export as export
from pruning_ext.pruners.mi.export import load_pruned as load_pruned
from pruning_ext.pruners.plan import Plan as Plan
