"""MI pruning: remove FFN neurons that can be spared, and refit the layer that read them."""

from pruning_ext.config.mi import MIConfig

__all__ = ["MIConfig"]
