# Every public name and the module that defines it, for type checkers and, through _lazy.py, for Python.
from pruning_ext.delta.applying import apply_delta as apply_delta
from pruning_ext.delta.loading import load_delta as load_delta
from pruning_ext.delta.saving import save_delta as save_delta
from pruning_ext.pruners.ken.to_delta import DeltaResult as DeltaResult
from pruning_ext.pruners.ken.to_delta import prune_to_delta as prune_to_delta
