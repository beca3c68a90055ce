"""KEN: keep k entries in each row of a fine-tuned weight matrix, reset the rest to pretrained values."""

from pruning_ext.config.ken import KENConfig

__all__ = ["KENConfig"]
