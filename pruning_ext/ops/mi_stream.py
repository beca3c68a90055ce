"""Mutual information of columns that arrive batch by batch."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from pruning_ext.ops._mi_arguments import (
    Correction,
    Normalize,
    Strategy,
    Unit,
    check_bins,
    check_columns,
    check_strategy,
    estimator_args,
)
from pruning_ext.ops.mi import discretize, mutual_information_from_codes
from pruning_ext.ops.mi_reductions import (
    TopK,
    mutual_information_sum_from_codes,
    mutual_information_topk_from_codes,
)


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

    def write_to(self, codes: Tensor) -> None:
        """Write them to ``codes``, uint8 ``[N, samples]``."""
        if not self.packed:
            codes.copy_(self.data)
            return
        odd = codes[:, 1::2]
        torch.bitwise_and(self.data, 15, out=codes[:, ::2])
        odd.copy_(self.data[:, : odd.shape[1]] >> 4)


class MutualInformation:
    """All-pairs mutual information over a stream of batches, one code for each value.

    The first ``edge_samples`` samples are kept as they are and fix the edges; from then on only codes are
    kept: a byte each, with at most 16 bins half a byte, ``N T / 2`` in all. How the stream was cut into
    batches makes no difference, and up to ``edge_samples`` samples the result is that of
    :func:`mutual_information` for all at once, to the last bit.

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
        check_bins(bins)
        check_strategy(strategy, bins)
        estimator_args(correction, normalize, unit)
        if isinstance(edge_samples, bool) or not isinstance(edge_samples, int) or edge_samples < 2:
            raise ValueError(f"edge_samples must be a whole number of at least 2, is {edge_samples!r}")
        self.bins = bins
        self.strategy: Strategy = strategy
        self.edge_samples = edge_samples
        self.correction: Correction | None = correction
        self.normalize: Normalize | None = normalize
        self.unit: Unit = unit
        self.reset()

    def reset(self) -> None:
        """Forget all samples, and the edges."""
        self._first: list[Tensor] = []  # [t, N], until there are edges
        self._codes: list[CodePiece] = []  # from then on
        self._edges: Tensor | None = None
        self._num_samples = 0
        self._like: Tensor | None = None  # an empty tensor like the batches

    @property
    def num_samples(self) -> int:
        """Samples taken up so far."""
        return self._num_samples

    @property
    def edges(self) -> Tensor | None:
        """``[N, bins - 1]`` once ``edge_samples`` samples have fixed them, else ``None``."""
        return self._edges

    def update(self, batch: Tensor) -> None:
        """Take up a batch of samples ``[t, N]``; one that raises leaves everything as it was.

        Raises:
            TypeError: another dtype than the first batch's, or one that is not supported.
            ValueError: another width or device than the first batch's, NaN or infinity.
        """
        check_columns(batch, "batch")
        self._check_like_first(batch)
        finite = torch.isfinite(batch).all(0)
        if not finite.all():
            raise ValueError(f"batch has NaN or infinity in column {int((~finite).nonzero()[0])}")
        batch = batch.detach()
        if self._like is None:
            self._like = batch.new_empty((0, batch.shape[1]))
        head = batch[: max(self.edge_samples - self._num_samples, 0)]
        if len(head):
            self._first.append(head.clone())  # the caller may write the next batch into the same tensor
            self._num_samples += len(head)
            if self._num_samples == self.edge_samples:
                codes, self._edges = discretize(torch.cat(self._first), self.bins, self.strategy)
                self._codes.append(CodePiece.of(codes, self.bins))
                self._first.clear()
        tail = batch[len(head) :]
        if len(tail):
            codes, _ = discretize(tail, edges=self._edges)
            self._codes.append(CodePiece.of(codes, self.bins))
            self._num_samples += len(tail)

    def codes(self) -> Tensor:
        """Codes of all samples so far, uint8 ``[N, T]``.

        Raises:
            ValueError: fewer than two samples.
        """
        if self._num_samples < 2:
            raise ValueError(f"MutualInformation needs at least 2 samples, has {self._num_samples}")
        if self._edges is None:
            return discretize(torch.cat(self._first), self.bins, self.strategy)[0]
        if len(self._codes) == 1 and not self._codes[0].packed:
            return self._codes[0].data
        codes = self._edges.new_empty((len(self._edges), self._num_samples), dtype=torch.uint8)
        first = 0
        for piece in self._codes:
            piece.write_to(codes[:, first : first + piece.samples])
            first += piece.samples
        if self.bins > 16:  # nothing to unpack again
            self._codes = [CodePiece.of(codes, self.bins)]
        return codes

    def compute(self) -> Tensor:
        """Mutual information ``[N, N]`` of all samples so far: float64 for float64 batches, else float32."""
        return mutual_information_from_codes(
            self.codes(),
            bins=self.bins,
            correction=self.correction,
            normalize=self.normalize,
            unit=self.unit,
            dtype=self._dtype(),
        )

    def topk(self, k: int) -> TopK:
        """The ``k`` best partners of each column: :func:`mutual_information_topk`."""
        return mutual_information_topk_from_codes(
            self.codes(),
            k,
            bins=self.bins,
            correction=self.correction,
            normalize=self.normalize,
            unit=self.unit,
            dtype=self._dtype(),
        )

    def sum(self) -> Tensor:
        """Each column's sum over all others: :func:`mutual_information_sum`."""
        return mutual_information_sum_from_codes(
            self.codes(),
            bins=self.bins,
            correction=self.correction,
            normalize=self.normalize,
            unit=self.unit,
            dtype=self._dtype(),
        )

    def _dtype(self) -> torch.dtype:
        return (
            torch.float64 if self._like is not None and self._like.dtype == torch.float64 else torch.float32
        )

    def _check_like_first(self, batch: Tensor) -> None:
        if self._like is None:
            return
        if batch.dtype != self._like.dtype:
            raise TypeError(f"batch must be {self._like.dtype} like the first one, is {batch.dtype}")
        if batch.shape[1] != self._like.shape[1]:
            raise ValueError(
                f"batch must have {self._like.shape[1]} columns like the first one, has {batch.shape[1]}"
            )
        if batch.device != self._like.device:
            raise ValueError(f"batch must be on {self._like.device} like the first one, is on {batch.device}")
