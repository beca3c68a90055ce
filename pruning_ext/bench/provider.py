"""Providers of results: a name, the call, and the package and device that it needs."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, TypeVar

import torch

from pruning_ext._build import native
from pruning_ext.bench.harness import OURS as OURS
from pruning_ext.bench.harness import Subject
from pruning_ext.ops._native import build_info, has_kernel

INSTRUCTION_SETS = ("baseline", "avx2", "avx512")
Size = Literal["smoke", "quick", "full"]
Case = TypeVar("Case")


@dataclass(frozen=True)
class Request:
    """What to measure.

    Attributes:
        size: ``"smoke"``: tiny, to see that everything runs; ``"quick"``: few cases and providers, two
            minutes for all families; ``"full"``: everything, four minutes for each.
        threads: torch's numbers of threads; providers that have no threads get 1 only.
        devices: ``"cpu"``, ``"cuda"``.
        instruction_sets: lower ones than the best, to measure in a process each.
    """

    size: Size = "full"
    threads: tuple[int, ...] = (1,)
    devices: tuple[str, ...] = ("cpu",)
    instruction_sets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Provider:
    """One way to compute every case of a family.

    Attributes:
        name: in the tables; this package's begin with :data:`OURS`.
        run: the call. Its arguments and result are the family's: ``kde`` gives it samples ``[R, n]``,
            points ``[R, k]`` and bandwidths ``[R]``, for densities ``[R, k]``; ``ken`` a weight ``[R, n]``
            and ``k``, for a bool mask ``[R, n]`` with the ties of kept entries; ``mi`` codes uint8
            ``[N, T]`` and ``bins``, for information in nats ``[N, N]``.
        needs: a package that must be importable.
        threaded: whether it uses torch's number of threads.
        quick: whether a quick run has it.
        devices: where it runs.
        floor: its floor (:mod:`pruning_ext.bench.floors`).
        settings: how much of a case it gets and the error it may have: of ``kde`` and ``mi`` their ``Share``,
            of ``ken`` the number ``n k`` of a call.
    """

    name: str
    run: Callable[..., Any]
    needs: str | None = None
    threaded: bool = True
    quick: bool = True
    devices: tuple[str, ...] = ("cpu",)
    floor: str | None = None
    settings: Any = None

    @property
    def ours(self) -> bool:
        return self.name.startswith(OURS)


def settings_of(provider: Provider, kind: type | tuple[type, ...], meaning: str) -> Any:
    """The provider's settings; ``TypeError`` with the ``meaning`` they should have if they are not of the
    family's ``kind``.
    """
    if not isinstance(provider.settings, kind):
        raise TypeError(f"provider {provider.name!r} has settings={provider.settings!r}, expected {meaning}")
    return provider.settings


def library(name: str, run: Callable[..., Any], package: str, settings: Any) -> Provider:
    """One that takes a row or pair at a time on one thread; a quick run is without it."""
    return Provider(name, run, package, threaded=False, quick=False, settings=settings)


def wanted(providers: list[Provider], request: Request) -> Iterator[tuple[Provider, int, str]]:
    """Each provider that can run with each number of threads and each device, as ``(provider, threads,
    device)``.
    """
    for device in request.devices:
        for threads in request.threads if device == "cpu" else request.threads[:1]:
            for provider in providers:
                if device not in provider.devices or not is_installed(provider.needs):
                    continue
                if request.size == "quick" and not provider.quick:
                    continue
                if threads == request.threads[0] or provider.threaded:
                    yield provider, threads if provider.threaded else 1, device


def on_every(
    cases: Sequence[Case],
    providers: list[Provider],
    request: Request,
    subject: Callable[[Case, Provider, int, str], Subject],
) -> Iterator[Subject]:
    """``subject(case, provider, threads, device)`` of every case for each provider :func:`wanted`."""
    for case in cases:
        for provider, threads, device in wanted(providers, request):
            yield subject(case, provider, threads, device)


def missing(providers: list[Provider], request: Request) -> list[str]:
    """Packages whose providers are left out because they are not installed."""
    names = (p.needs for p in providers if p.quick or request.size != "quick")
    return sorted({name for name in names if name is not None and not is_installed(name)})


def is_installed(package: str | None) -> bool:
    """Whether a provider's package can be imported; finding it does not import it."""
    return package is None or find_spec(package) is not None


def lazily(module: str, function: str) -> Callable[..., Any]:
    """A function of :mod:`pruning_ext.bench.baselines` whose module is imported when it is first called."""

    def call(*arguments: Any, **options: Any) -> Any:
        found = importlib.import_module(f"pruning_ext.bench.baselines.{module}")
        return getattr(found, function)(*arguments, **options)

    return call


def devices_present() -> tuple[str, ...]:
    """The CPU, and CUDA where there is a device and this build has kernels for it."""
    return ("cpu", "cuda") if torch.cuda.is_available() and has_kernel("gaussian_kde", "cuda") else ("cpu",)


def thread_counts() -> tuple[int, ...]:
    """One thread, and as many as there are cores."""
    return tuple(sorted({1, os.cpu_count() or 1}))


def lower_instruction_sets() -> tuple[str, ...]:
    """Those this build has below the one in use."""
    built = build_info()["instruction_sets"].split(";")
    below = INSTRUCTION_SETS[: INSTRUCTION_SETS.index(native().isa())]
    return tuple(name for name in below if name in built)
