"""The suite in pytest-benchmark: ``pytest benchmarks``; ``-k kde`` for a family, ``--smoke``: tiny sizes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pruning_ext.bench.families import FAMILIES
from pruning_ext.bench.harness import Subject
from pruning_ext.bench.provider import Request, devices_present, thread_counts


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    smoke = metafunc.config.getoption("--smoke")
    request = Request("smoke" if smoke else "full", thread_counts(), devices_present())
    found = [subject for family in FAMILIES.values() for subject in family.subjects(request)]
    names = [f"{s.family}-{s.case}-{s.provider}-{s.threads}-{s.device}" for s in found]
    metafunc.parametrize("subject", found, ids=names)


def test_provider(subject: Subject, timed: Callable[[Subject], None]) -> None:
    timed(subject)
