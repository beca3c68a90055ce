"""Public functions on tensors, on the device where the tensors are."""

from pruning_ext.ops.kde import gaussian_kde, gaussian_kde_grid
from pruning_ext.ops.ken import ken_mask
from pruning_ext.ops.mi import contingency, discretize, mutual_information, mutual_information_from_codes
from pruning_ext.ops.mi_reductions import (
    TopK,
    mutual_information_sum,
    mutual_information_sum_from_codes,
    mutual_information_topk,
    mutual_information_topk_from_codes,
)
from pruning_ext.ops.mi_stream import MutualInformation
from pruning_ext.ops.renyi import renyi_mutual_information

__all__ = [
    "MutualInformation",
    "TopK",
    "contingency",
    "discretize",
    "gaussian_kde",
    "gaussian_kde_grid",
    "ken_mask",
    "mutual_information",
    "mutual_information_from_codes",
    "mutual_information_sum",
    "mutual_information_sum_from_codes",
    "mutual_information_topk",
    "mutual_information_topk_from_codes",
    "renyi_mutual_information",
]
