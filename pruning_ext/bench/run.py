"""One run of the suite: some families, checked, timed, and made into a results file."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from pruning_ext.bench.environment import document
from pruning_ext.bench.families import FAMILIES
from pruning_ext.bench.floors import forget_rates
from pruning_ext.bench.harness import Measurement, measure
from pruning_ext.bench.provider import Request, missing
from pruning_ext.bench.worker import variants

ROUNDS = {"smoke": 1, "quick": 3, "full": 7}


def run(
    families: Sequence[str],
    request: Request,
    *,
    rounds: int | None = None,
    show_progress: bool | None = None,
    each: Callable[[str, list[Measurement]], None] | None = None,
) -> dict[str, Any]:
    """Measure ``families`` and return the results file.

    Args:
        families: names in :data:`~pruning_ext.bench.families.FAMILIES`.
        request: what to measure.
        rounds: repetitions; ``None``: as many as the size of the request asks for.
        show_progress: bars on stderr; ``None``: where it is a terminal.
        each: called with a family's name and measurements as soon as it is done.

    Raises:
        WrongResult: this package's error is above what it owes; another's is left out, and named under
            ``settings["refused"]``.
        ValueError: an unknown family, or fewer than one round.
    """
    unknown = [name for name in families if name not in FAMILIES]
    if unknown:
        raise ValueError(f"no family is called {unknown[0]!r}; there are {', '.join(FAMILIES)}")
    forget_rates()
    rounds = ROUNDS[request.size] if rounds is None else rounds
    measurements: list[Measurement] = []
    refused: list[str] = []
    seconds: dict[str, float] = {}
    for name in families:
        started = time.perf_counter()
        subjects = [*FAMILIES[name].subjects(request), *variants(name, request)]
        found = measure(subjects, rounds, show_progress, refused=refused)
        seconds[name] = time.perf_counter() - started
        measurements += found
        if each is not None:
            each(name, found)
    return document(
        ", ".join(families),
        measurements,
        size=request.size,
        smoke=request.size == "smoke",
        rounds=rounds,
        threads=list(request.threads),
        devices=list(request.devices),
        seconds=seconds,
        refused=refused,
        not_installed=not_installed(families, request),
    )


def not_installed(families: Sequence[str], request: Request) -> list[str]:
    """Packages that the request would have used, were they here."""
    names = {package for name in families for package in missing(FAMILIES[name].providers(), request)}
    on_gpu = "cuda" in request.devices
    return sorted(name for name in names if on_gpu or name != "cuml")
