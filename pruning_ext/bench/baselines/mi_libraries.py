"""All pairs of codes by scikit-learn. Arguments and result as in :mod:`~.mi_torch`."""

from __future__ import annotations

import torch
from sklearn.metrics import mutual_info_score
from torch import Tensor


def sklearn_scores(codes: Tensor, bins: int) -> Tensor:
    """``mutual_info_score`` pair by pair."""
    rows = codes.numpy()
    result = torch.empty(len(rows), len(rows), dtype=torch.float64)
    for i, x in enumerate(rows):
        for j in range(i, len(rows)):
            result[i, j] = result[j, i] = mutual_info_score(x, rows[j])
    return result
