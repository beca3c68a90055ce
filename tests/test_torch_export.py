"""`torch.export` of every op with all sizes dynamic, in its default mode and in the strict one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pruning_ext as ops

ROWS, OTHER_ROWS = (6, 50), (9, 31)
COLUMNS, OTHER_COLUMNS = (60, 5), (83, 7)

CALLS: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]], list[tuple[int, ...]]]] = {
    "gaussian_kde, points for all": (
        lambda x, y: ops.gaussian_kde(x, y, 0.3),
        [ROWS, (7,)],
        [OTHER_ROWS, (4,)],
    ),
    "gaussian_kde": (lambda x, y: ops.gaussian_kde(x, y), [ROWS, (6, 7)], [OTHER_ROWS, (9, 4)]),
    "leave_one_out": (lambda x: ops.gaussian_kde(x, x, leave_one_out=True), [ROWS], [OTHER_ROWS]),
    "gaussian_kde_grid": (lambda x: ops.gaussian_kde_grid(x, 9), [ROWS], [OTHER_ROWS]),
    "ken_mask": (lambda x: ops.ken_mask(x, 9), [ROWS], [OTHER_ROWS]),
    "discretize": (lambda x: ops.discretize(x, 4), [COLUMNS], [OTHER_COLUMNS]),
    "mutual_information": (lambda x: ops.mutual_information(x, bins=4), [COLUMNS], [OTHER_COLUMNS]),
    "mutual_information, two": (
        lambda x, y: ops.mutual_information(x, y, bins=4),
        [COLUMNS, (60, 3)],
        [OTHER_COLUMNS, (83, 2)],
    ),
    "topk": (lambda x: ops.mutual_information_topk(x, 2, bins=4), [COLUMNS], [OTHER_COLUMNS]),
    "sum": (lambda x: ops.mutual_information_sum(x, bins=4), [COLUMNS], [OTHER_COLUMNS]),
}


class One(nn.Module):
    def __init__(self, call: Callable[..., Any]) -> None:
        super().__init__()
        self.call = call

    def forward(self, x: Tensor) -> Any:
        return self.call(x)


class Two(One):
    def forward(self, x: Tensor, y: Tensor) -> Any:  # type: ignore[override]
        return self.call(x, y)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_every_size_stays_dynamic(name: str, strict: bool) -> None:
    call, shapes, others = CALLS[name]
    generator = torch.Generator().manual_seed(0)
    given, other = (
        tuple(torch.randn(shape, generator=generator) for shape in some) for some in (shapes, others)
    )
    dynamic = tuple(dict.fromkeys(range(tensor.dim()), torch.export.Dim.DYNAMIC) for tensor in given)
    module = One(call) if len(given) == 1 else Two(call)
    program = torch.export.export(module, given, dynamic_shapes=dynamic, strict=strict).module()
    for arguments in (given, other):
        found, expected = program(*arguments), call(*arguments)
        for one, two in zip(*((x if isinstance(x, tuple) else (x,)) for x in (found, expected)), strict=True):
            torch.testing.assert_close(one, two, rtol=0, atol=0)
