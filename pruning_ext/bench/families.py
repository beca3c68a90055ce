"""The families by name, and one run of some of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, cast

from pruning_ext.bench import end_to_end, kde, ken, mi
from pruning_ext.bench.harness import Subject
from pruning_ext.bench.provider import Provider, Request


class Family(Protocol):
    """What the module of a family has."""

    NAME: str

    def providers(self) -> list[Provider]:
        """All of them, installed or not."""

    def subjects(self, request: Request) -> Iterator[Subject]:
        """Every provider that can run here, on every case."""


FAMILIES = {module.NAME: cast(Family, module) for module in (kde, ken, mi, end_to_end)}
