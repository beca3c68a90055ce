"""One number of threads for torch and numba."""

from __future__ import annotations

import numba
import torch


def follow_torch() -> None:
    """Parallel loops use as many threads as torch does, as far as numba has them."""
    most: int = vars(numba.config)["NUMBA_NUM_THREADS"]
    numba.set_num_threads(min(torch.get_num_threads(), most))
