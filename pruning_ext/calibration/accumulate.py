"""What one pass keeps of a block's rows of activations: running sums, and a uniform sample of the rows."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pruning_ext.ops._precision import full_precision

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

ROWS = 2048
"""Rows that are summed in the dtype of the products before they are added up in float64."""

STEP = 256
"""Columns of a strip of the upper triangle: narrow enough to skip most of the lower, yet wide for speed."""


class Moments:
    """Sums ``[N]`` of rows and of their squares, and the sum ``[N, N]`` of their outer products if wanted.

    Within :data:`ROWS` rows the arithmetic is float32 (float64 for float64 rows), across them float64, so the
    error does not grow with the number of rows: a sum of outer products is off by at most ``ROWS 2^-24`` of
    ``sqrt(C_ii C_jj)``, and in practice by less than a tenth of that. Only the upper triangle is summed.
    """

    def __init__(self, width: int, device: torch.device, *, products: bool) -> None:
        self.count = 0
        self._sum = torch.zeros(width, dtype=torch.float64, device=device)
        self._square = torch.zeros(width, dtype=torch.float64, device=device)
        self._products = torch.zeros(width, width, dtype=torch.float64, device=device) if products else None
        # adding an N x N matrix costs as much as the products of some rows: short batches wait for each other
        self._enough = min(ROWS, width // 2) if products else 1
        self._waiting: list[Tensor] = []

    @staticmethod
    def bytes(width: int, *, products: bool) -> int:
        """Most that the sums take, and the rows that wait (of float32)."""
        return width * (10 * width * products + 16)

    def add(self, rows: Tensor) -> None:
        """Take ``rows [n, N]`` into the sums. They must not change afterwards."""
        self.count += len(rows)
        self._waiting.append(rows)
        if sum(map(len, self._waiting)) >= self._enough:
            self._flush()

    def mean(self) -> Tensor:
        """``[N]``"""
        self._flush()
        return self._sum / self.count

    def square(self) -> Tensor:
        """``[N]``, the mean squares."""
        self._flush()
        return self._square / self.count

    def second_moment(self) -> Tensor | None:
        """``[N, N]``, the mean of the outer products; takes the sums with it, so it is had once."""
        self._flush()
        products, self._products = self._products, None
        if products is None:
            return None
        products.div_(self.count)
        for start in range(0, len(products), STEP):
            end = start + STEP
            products[end:, start:end] = products[start:end, end:].T
        return products

    def _flush(self) -> None:
        if not self._waiting:
            return
        rows = self._waiting[0] if len(self._waiting) == 1 else torch.cat(self._waiting)
        self._waiting = []
        with full_precision(rows.device):
            self._sum_up(rows)

    def _sum_up(self, rows: Tensor) -> None:
        for part in rows.to(torch.promote_types(rows.dtype, torch.float32)).split(ROWS):
            self._sum += part.sum(0)
            self._square += part.square().sum(0)
            if self._products is not None:
                for start in range(0, part.shape[1], STEP):
                    end = start + STEP
                    self._products[start:end, start:] += part[:, start:end].T @ part[:, start:]


class RowSample:
    """A uniform choice of ``size`` rows among all that are offered.

    Each row draws a priority, and the rows with the lowest stay. NumPy's stream does not depend on how it is
    cut, so the choice does not depend on how the rows are batched. Takes the memory of the rows it holds.

    Args:
        expected: rows that will be offered, or fewer where that is not known. If it is exact, only rows that
            stay are ever copied.
    """

    def __init__(self, size: int, expected: int, like: Tensor, seed: int) -> None:
        self._size = size
        self._rows = like.new_empty(min(size, expected), like.shape[1])
        self._generator = np.random.default_rng(seed)
        self._bound = float("inf")  # more rows can only lower it
        if 0 < size < expected:
            drawn = np.random.default_rng(seed).random(expected)
            self._bound = float(np.partition(drawn, size - 1)[size - 1])
        self._priority = np.empty(0)  # of the row in each place that is taken
        self._number = np.empty(0, dtype=np.int64)  # when it came
        self._offered = 0

    def offer(self, rows: Tensor) -> None:
        """Choose among what is held and ``rows [n, N]``."""
        if not self._size:
            return
        priority = self._generator.random(len(rows))
        number = np.flatnonzero(priority <= self._bound)
        priority = priority[number]
        taken = len(self._priority)
        room = min(self._size - taken, len(number))
        self._make_room(taken + room)
        self._rows[taken : taken + room] = _rows_of(rows, number[:room])
        self._priority = np.concatenate([self._priority, priority[:room]])
        self._number = np.concatenate([self._number, number[:room] + self._offered])
        if room < len(number):
            self._replace(rows, priority[room:], number[room:])
        self._offered += len(rows)

    def _replace(self, rows: Tensor, priority: Floats, number: Indices) -> None:
        both = np.concatenate([self._priority, priority])
        lowest = np.zeros(len(both), dtype=np.bool_)
        lowest[np.argpartition(both, self._size - 1)[: self._size]] = True
        places = np.flatnonzero(~lowest[: self._size])
        come = np.flatnonzero(lowest[self._size :])
        self._priority[places] = priority[come]
        self._number[places] = number[come] + self._offered
        self._rows[torch.from_numpy(places).to(rows.device)] = _rows_of(rows, number[come])

    def _make_room(self, places: int) -> None:
        if places > len(self._rows):
            more = min(self._size, max(places, 2 * len(self._rows))) - len(self._rows)
            self._rows = torch.cat([self._rows, self._rows.new_empty(more, self._rows.shape[1])])

    def rows(self) -> Tensor:
        """The rows chosen, ``[min(size, offered), N]``, in the order they came."""
        order = self._number.argsort()
        if (order[:-1] < order[1:]).all():
            return self._rows[: len(order)]
        return _rows_of(self._rows, order)


def _rows_of(rows: Tensor, numbers: Indices) -> Tensor:
    return rows.index_select(0, torch.from_numpy(numbers).to(rows.device))
