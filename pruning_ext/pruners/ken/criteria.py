"""Which entries of each row a criterion keeps."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from pruning_ext import ops

# Rows in flight: small enough to stay near the cache on a CPU, large enough to fill a GPU.
_CHUNK_ENTRIES = {"cpu": 1 << 22}
_CHUNK_ENTRIES_DEVICE = 1 << 26


def row_chunks(rows: int, n: int, device: torch.device) -> Iterator[slice]:
    """Slices of whole rows that bound the memory in flight."""
    step = max(1, _CHUNK_ENTRIES.get(device.type, _CHUNK_ENTRIES_DEVICE) // max(n, 1))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def tensor_generator(seed: int, name: str) -> torch.Generator:
    """A CPU generator for one tensor, so that its random choice depends on ``seed`` and its name alone."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return torch.Generator("cpu").manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def select_entries(
    weight: Tensor,
    pretrained: Tensor,
    k: int,
    *,
    criterion: str,
    on: str = "weight",
    keep_ties: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Bool ``[R, N]``: the entries of each row to keep, exactly ``k`` (all if ``k >= N``).

    Args:
        weight: fine-tuned rows ``[R, N]``, finite.
        pretrained: their counterparts ``[R, N]``.
        k: entries kept per row.
        criterion: ``ken`` (:func:`pruning_ext.ops.ken_mask`), ``density`` (the k where the Gaussian kernel
            density of the row, with KEN's bandwidth, is largest), ``magnitude`` (largest absolute value),
            ``delta`` (largest ``|weight - pretrained|``), ``random``.
        on: score the ``weight`` itself or its ``delta`` from the pretrained value; the criteria ``delta`` and
            ``random`` do not depend on it.
        keep_ties: with ``ken``, keep every entry equal to a kept one too.
        generator: the source of ``random``.

    Equal scores keep the earlier entry.
    """
    n = weight.shape[1]
    if k >= n:
        return torch.ones_like(weight, dtype=torch.bool)
    if criterion == "random":
        # Drawn where the generator is, whatever the default device, so that every device gets the same.
        place = "cpu" if generator is None else generator.device
        scores = torch.empty(weight.shape, dtype=torch.int32, device=place).random_(generator=generator)
        return largest(scores.to(weight.device), k)
    wide = torch.promote_types(weight.dtype, torch.float32)
    scored = weight if on == "weight" and criterion != "delta" else weight.to(wide) - pretrained.to(wide)
    if criterion == "ken":
        return ops.ken_mask(scored, k, keep_ties=keep_ties)
    if criterion == "density":
        return largest(_own_density(scored), k)
    return largest(scored.abs(), k)


def _own_density(rows: Tensor) -> Tensor:
    # A constant row has no bandwidth; its entries are equally dense, so the earliest are kept.
    low, high = rows.aminmax(dim=1)
    varied = low < high
    density = torch.zeros(
        rows.shape, dtype=torch.promote_types(rows.dtype, torch.float32), device=rows.device
    )
    if bool(varied.any()):
        samples = rows[varied]
        density[varied] = ops.gaussian_kde(samples, samples, "ken")
    return density


def largest(scores: Tensor, k: int) -> Tensor:
    """Bool mask of the ``k`` largest scores of each row ``[R, N]``; of equal ones the earlier is taken."""
    if k == 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    threshold = scores.topk(k, dim=1, sorted=False).values.amin(1, keepdim=True)
    mask = scores >= threshold
    crowded = mask.sum(1) > k
    if bool(crowded.any()):
        ties = scores[crowded] == threshold[crowded]
        above = mask[crowded] & ~ties
        room = k - above.sum(1, keepdim=True)
        mask[crowded] = above | (ties & (ties.cumsum(1) <= room))
    return mask


def check_finite(tensor: Tensor, name: str, role: str) -> float:
    """The largest absolute value of a tensor of rows.

    Raises:
        ValueError: a value is NaN or infinite; the sentence names the tensor, the first bad row and column.
    """
    if not tensor.numel():
        return 0.0
    low, high = (float(bound) for bound in tensor.aminmax())  # NaN propagates; one pass, no temporary
    if math.isfinite(low) and math.isfinite(high):
        return max(-low, high)
    rows = tensor.reshape(tensor.shape[0], -1)
    row, column = (~rows.isfinite()).nonzero()[0].tolist()
    raise ValueError(f"{role}: tensor {name} holds {rows[row, column].item()} in row {row}, column {column}")
