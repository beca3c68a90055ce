"""MI pruning: remove FFN neurons that can be spared, and refit the layer that read them."""

from pruning_ext.config.mi import MIConfig
from pruning_ext.pruners.mi.plan import apply_plan, make_plan

__all__ = ["MIConfig", "apply_plan", "make_plan"]
