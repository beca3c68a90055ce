"""Compensations: a down projection that makes up for the neurons that go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pruning_ext.choices.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor


class Refit(NamedTuple):
    """New down projection ``weight [H, k]`` and ``bias [H]`` (if there was one), and what it leaves.

    ``error`` is ``E|W z - V z_k - db|^2 / E|W z|^2`` on the calibration tokens, ``uncompensated`` the same
    for the kept columns as they were.
    """

    weight: Tensor
    bias: Tensor | None
    error: float
    uncompensated: float


@dataclass(frozen=True)
class Compensation:
    """One way to compensate.

    Attributes:
        fit: ``fit(second_moment [N, N], mean [N], weight [H, N], bias [H] or None, keep int64 [k], *, ridge)
            -> Refit``; ``None`` leaves the projection as it is, and then no second moments are gathered.
    """

    name: str
    help: str
    fit: Callable[..., Refit] | None


COMPENSATIONS: Registry[Compensation] = Registry(__name__, first=("ridge", "none"))
