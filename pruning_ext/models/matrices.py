"""Weight matrices that a model shares with its base, selected by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from pruning_ext.models.pairing import Pair
from pruning_ext.models.targets import nothing_left, select_names
from pruning_ext.storage.encoding import row_shape

_DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_NOUN = "weight matrix that KEN can prune"


def select_matrices(
    pairs: Iterable[Pair], targets: Sequence[str] | None, ignore: Sequence[str]
) -> dict[str, tuple[int, int]]:
    """By name of each selected matrix its rows and the entries in a row.

    Matrices are the parameters of two or more dimensions, of a floating-point dtype, that have a counterpart.
    Any name of a tied tensor selects it, and any name of it ignores it.

    Raises:
        ValueError: ``targets`` and ``ignore`` do not fit the tensors, or leave none.
    """
    pairs = list(pairs)
    first_name = {name: pair.name for pair in pairs for name in (pair.name, *pair.tied)}
    matrices = [pair for pair in pairs if _is_matrix(pair)]
    names = [name for pair in matrices for name in (pair.name, *pair.tied)]
    chosen = select_names(names, targets, known=first_name, what=_NOUN)
    left = select_names(names, None, ignore, known=first_name, what=_NOUN)
    ignored = {first_name[name] for name in set(names).difference(left)}
    selected = {first_name[name] for name in chosen} - ignored
    if not selected:
        raise nothing_left(_NOUN)
    return {pair.name: row_shape(pair.tensor.shape) for pair in matrices if pair.name in selected}


def _is_matrix(pair: Pair) -> bool:
    tensor = pair.tensor
    return pair.is_parameter and pair.base is not None and tensor.dtype in _DTYPES and tensor.dim() >= 2
