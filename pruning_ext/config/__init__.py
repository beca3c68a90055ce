"""What the methods are told, without torch: the command line reads it before anything heavy is imported."""

from pruning_ext.config.base import PruneConfig
from pruning_ext.config.ken import KENConfig
from pruning_ext.config.mi import MIConfig

__all__ = ["KENConfig", "MIConfig", "PruneConfig"]
