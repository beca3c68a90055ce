"""Mutual information of columns that arrive batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pruning_ext._arguments import (
    Correction,
    Normalize,
    Strategy,
    TopK,
    Unit,
    check_at_least,
    check_bins,
    check_strategy,
    estimator_args,
)
from pruning_ext.ops._mi_arguments import check_samples
from pruning_ext.ops._native import made_of, result_dtype
from pruning_ext.ops.mi import discretize, mutual_information_from_codes
from pruning_ext.ops.mi_reductions import (
    mutual_information_sum_from_codes,
    mutual_information_topk_from_codes,
)

__all__ = ["MutualInformation"]

PIECE = 8192
"""Samples up to which pieces are joined: what is copied again and again stays small."""


class CodePiece(NamedTuple):
    """Codes of some samples: with at most 16 bins two to a byte, the earlier in the lower half."""

    data: Tensor  # uint8 [N, samples], or [N, (samples + 1) // 2]
    samples: int
    packed: bool

    @classmethod
    def of(cls, codes: Tensor, bins: int) -> CodePiece:
        """Keep ``codes``, uint8 ``[N, t]``, each below ``bins``."""
        if bins > 16:
            return cls(codes, codes.shape[1], False)
        data = codes[:, ::2].clone()
        odd = codes[:, 1::2]
        data[:, : odd.shape[1]] |= odd << 4
        return cls(data, codes.shape[1], True)

    @classmethod
    def joined(cls, pieces: Sequence[CodePiece], bins: int) -> CodePiece:
        """One piece of all their samples, in their order."""
        if any(piece.packed and piece.samples % 2 for piece in pieces[:-1]):  # the next begins amid a byte
            return cls.of(unpacked(pieces), bins)
        data = torch.cat([piece.data for piece in pieces], 1)
        return cls(data, sum(piece.samples for piece in pieces), pieces[0].packed)

    def write_to(self, codes: Tensor) -> None:
        """Write them to ``codes``, uint8 ``[N, samples]``."""
        if not self.packed:
            codes.copy_(self.data)
            return
        odd = codes[:, 1::2]
        torch.bitwise_and(self.data, 15, out=codes[:, ::2])
        odd.copy_(self.data[:, : odd.shape[1]] >> 4)


def unpacked(pieces: Sequence[CodePiece]) -> Tensor:
    """The codes of all ``pieces``, uint8 ``[N, T]``, in memory of their own."""
    data = pieces[0].data
    codes = data.new_empty((len(data), sum(piece.samples for piece in pieces)))
    first = 0
    for piece in pieces:
        piece.write_to(codes[:, first : first + piece.samples])
        first += piece.samples
    return codes


def joins_from(sizes: Sequence[int], size: int) -> int:
    """Where the pieces begin that a new one of ``size`` samples is joined with; none if ``len(sizes)``.

    A piece is joined with what follows it once that is more than half as large, so it grows by half at least
    each time it is copied, and short batches leave few pieces however many they are.
    """
    first = len(sizes)
    while first and sizes[first - 1] < 2 * size and sizes[first - 1] + size <= PIECE:
        first -= 1
        size += sizes[first]
    return first


class Taken(NamedTuple):
    """What a stream has taken up. It is replaced whole, never altered: copies of a stream may share it."""

    like: Tensor  # empty, of the batches' width, dtype and device
    first: tuple[Tensor, ...]  # [t, N], until there are edges
    edges: Tensor | None
    codes: tuple[CodePiece, ...]  # from then on

    @property
    def samples(self) -> int:
        return sum(map(len, self.first)) + sum(piece.samples for piece in self.codes)

    def with_first(self, rows: Tensor) -> Taken:
        """This and some of the first samples ``[t, N]``."""
        begin = joins_from([len(piece) for piece in self.first], len(rows))
        last = torch.cat([*self.first[begin:], rows])  # a copy: the caller may write the next batch there
        return self._replace(first=(*self.first[:begin], last))

    def with_codes(self, codes: Tensor, bins: int) -> Taken:
        """This and codes, uint8 ``[N, t]``, that nothing else writes to."""
        begin = joins_from([piece.samples for piece in self.codes], codes.shape[1])
        last = CodePiece.of(codes, bins)
        if begin < len(self.codes):
            last = CodePiece.joined([*self.codes[begin:], last], bins)
        return self._replace(codes=(*self.codes[:begin], last))


@made_of("discretize", "encode", "mutual_information", "mutual_information_topk", "mutual_information_sum")
class MutualInformation:
    """All-pairs mutual information over a stream of batches, one code for each value.

    The first ``edge_samples`` samples are kept as they are and fix the edges; from then on only codes are
    kept: a byte each, with at most 16 bins half a byte, ``N T / 2`` in all, however short the batches. While
    a result is computed they are unpacked, ``N T`` bytes more. How the stream was cut into batches makes no
    difference, and up to ``edge_samples`` samples the result is that of :func:`mutual_information` for all at
    once, to the last bit. A copy of a stream goes on by itself.

    >>> information = MutualInformation(bins=8)
    >>> for batch in torch.randn(4, 1000, 3):
    ...     information.update(batch)
    >>> information.compute().shape
    torch.Size([3, 3])

    Args:
        bins, strategy: see :func:`discretize`.
        edge_samples: samples that fix the edges, at least 2. Later values beyond their range fall into the
            outer bins.
        correction, normalize, unit: see :func:`mutual_information`.

    Raises:
        ValueError, TypeError: as :func:`mutual_information`.
    """

    def __init__(
        self,
        *,
        bins: int = 16,
        strategy: Strategy = "quantile",
        edge_samples: int = 8192,
        correction: Correction | None = None,
        normalize: Normalize | None = None,
        unit: Unit = "nats",
    ) -> None:
        self.bins = check_bins(bins)
        check_strategy(strategy, bins)
        estimator_args(correction, normalize, unit)
        self.strategy: Strategy = strategy
        self.edge_samples = check_at_least("edge_samples", edge_samples, 2)
        self.correction: Correction | None = correction
        self.normalize: Normalize | None = normalize
        self.unit: Unit = unit
        self.reset()

    def reset(self) -> None:
        """Forget all samples, and the edges."""
        self._taken: Taken | None = None

    @property
    def num_samples(self) -> int:
        """Samples taken up so far."""
        return 0 if self._taken is None else self._taken.samples

    @property
    def edges(self) -> Tensor | None:
        """A copy ``[N, bins - 1]`` once ``edge_samples`` samples have fixed them, else ``None``."""
        return None if self._taken is None or self._taken.edges is None else self._taken.edges.clone()

    def update(self, batch: Tensor) -> None:
        """Take up a batch of samples ``[t, N]``; one that raises leaves everything as it was.

        Raises:
            TypeError: another dtype than the first batch's, or one that is not supported.
            ValueError: another width or device than the first batch's, NaN or infinity.
        """
        check_samples("batch", batch)
        taken = self._taken or Taken(batch.detach().new_empty((0, batch.shape[1])), (), None, ())
        _check_like_first(batch, taken.like)
        finite = torch.isfinite(batch).all(0)
        if not finite.all():
            raise ValueError(f"batch has NaN or infinity in column {int((~finite).nonzero()[0])}")
        batch = batch.detach()
        if taken.edges is None and len(batch):
            head = batch[: self.edge_samples - taken.samples]
            batch = batch[len(head) :]
            if taken.samples + len(head) < self.edge_samples:
                taken = taken.with_first(head)
            else:
                codes, edges = discretize(torch.cat([*taken.first, head]), self.bins, self.strategy)
                taken = Taken(taken.like, (), edges, ()).with_codes(codes, self.bins)
        if taken.edges is not None and len(batch):
            taken = taken.with_codes(discretize(batch, edges=taken.edges)[0], self.bins)
        self._taken = taken

    def codes(self) -> Tensor:
        """Codes of all samples so far, uint8 ``[N, T]``, in memory of their own.

        Raises:
            ValueError: fewer than two samples.
        """
        taken, samples = self._taken, self.num_samples
        if taken is None or samples < 2:
            raise ValueError(f"MutualInformation needs at least 2 samples, has {samples}")
        if taken.edges is None:
            return discretize(torch.cat(taken.first), self.bins, self.strategy)[0]
        return unpacked(taken.codes)

    def compute(self) -> Tensor:
        """Mutual information ``[N, N]`` of all samples so far: float64 for float64 batches, else float32."""
        return mutual_information_from_codes(self.codes(), **self._options())

    def topk(self, k: int) -> TopK:
        """The ``k`` best partners of each column: :func:`mutual_information_topk`."""
        return mutual_information_topk_from_codes(self.codes(), k, **self._options())

    def sum(self) -> Tensor:
        """Each column's sum over all others: :func:`mutual_information_sum`."""
        return mutual_information_sum_from_codes(self.codes(), **self._options())

    def _options(self) -> dict[str, Any]:
        """What :func:`mutual_information_from_codes` and its kin take beside the codes."""
        return {
            "bins": self.bins,
            "correction": self.correction,
            "normalize": self.normalize,
            "unit": self.unit,
            "dtype": torch.float32 if self._taken is None else result_dtype(self._taken.like),
        }


def _check_like_first(batch: Tensor, first: Tensor) -> None:
    if batch.dtype != first.dtype:
        raise TypeError(f"batch must be {first.dtype} like the first one, is {batch.dtype}")
    if batch.shape[1] != first.shape[1]:
        raise ValueError(f"batch must have {first.shape[1]} columns like the first one, has {batch.shape[1]}")
    if batch.device != first.device:
        raise ValueError(f"batch must be on {first.device} like the first one, is on {batch.device}")
