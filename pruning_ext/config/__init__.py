"""Configurations of the methods, without torch: the command line is made from them before it is imported."""

from pruning_ext.config.base import PruneConfig
from pruning_ext.config.ken import KENConfig
from pruning_ext.config.mi import MIConfig

__all__ = ["KENConfig", "MIConfig", "PruneConfig"]
