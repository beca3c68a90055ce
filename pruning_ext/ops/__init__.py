"""Public functions on tensors, on the device where the tensors are."""

from pruning_ext.ops.kde import gaussian_kde, gaussian_kde_grid
from pruning_ext.ops.ken import ken_mask

__all__ = ["gaussian_kde", "gaussian_kde_grid", "ken_mask"]
