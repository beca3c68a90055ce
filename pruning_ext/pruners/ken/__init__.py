"""KEN: keep k entries in each row of a fine-tuned weight matrix, reset the rest to pretrained values."""

from pruning_ext.config.ken import KENConfig
from pruning_ext.pruners.ken.plan import apply_ken, plan_ken

__all__ = ["KENConfig", "apply_ken", "plan_ken"]
