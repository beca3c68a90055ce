"""Mutual information in pytest-benchmark: ``pytest benchmarks/bench_mi.py``; ``--smoke`` for tiny sizes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.harness import Subject
from benchmarks.mi_cases import subjects


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    found = list(subjects(smoke=metafunc.config.getoption("--smoke")))
    names = [f"{subject.case}-{subject.provider}-{subject.threads}" for subject in found]
    metafunc.parametrize("subject", found, ids=names)


def test_mi(subject: Subject, timed: Callable[[Subject], None]) -> None:
    timed(subject)
