"""Rates of the machine, measured in the same run, and the time that they allow a method at least.

A *floor* is the work that no method of a provider's kind can avoid, in steps whose rate is measured here:

* ``copy``, bytes read and written: the inputs read once, the results written once. The floor of every method
  whose time is linear in its inputs: the lattice KDE, binning + FFT, KEN's selection.
* ``exp32``, ``exp64``, exponentials (CPU): the floor of a direct Gaussian sum, ``n k`` of them in each row.
* ``multiply_add32``, of a float32 matrix product: the floor of one-hot products, ``bins^2`` for each
  pair-sample; ``multiply_add8``, the same of int8 into int32 (CPU).
* ``carry_save``, bits through a full adder in registers (CPU): the floor of this package's counting,
  ``bins - 1`` for each pair-sample outside the row's most frequent bin.
* ``and_popcount``, bits multiplied and counted (CPU): what bit planes against bit planes would cost,
  ``(bins - 1)^2`` for each pair-sample.

A method that avoids the work altogether has no share of that floor: it would exceed 1 and mean nothing. How
many times as fast it is as the best method that it replaces could be is recorded apart, as ``times_floor``:
the lattice KDE's against ``n k`` exponentials, the counting's against bit planes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from pruning_ext._build import native

PROBE_SECONDS = 0.02  # of one sample
PROBE_SAMPLES = 5  # the best of which counts: a rate is what the machine can do
CACHED = 1 << 16  # numbers that stay in the second cache
REPEATED = 32
COPIED = 1 << 26  # bytes, more than a cache holds
PRODUCT = 1024  # rows and columns of the matrix product

_measured: dict[tuple[str, int, str], float | None] = {}


@dataclass(frozen=True)
class Floor:
    """``amount`` steps of the kind ``name`` in one call."""

    name: str
    amount: float


def rate_of(name: str, threads: int, device: str = "cpu") -> float | None:
    """Steps per second with ``threads`` threads, measured at first use; ``None``: cannot be measured."""
    key = (name, threads, device)
    if key not in _measured:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            _measured[key] = _RATES[name](threads, device)
        finally:
            torch.set_num_threads(before)
    return _measured[key]


def measured_rates() -> list[dict[str, object]]:
    """The rates measured so far in this process, JSON-ready."""
    return [
        {"name": name, "threads": threads, "device": device, "per_second": rate}
        for (name, threads, device), rate in sorted(_measured.items())
        if rate is not None
    ]


def use_rates(rates: Mapping[str, float], device: str) -> None:
    """Take ``rates`` of ``device``, measured by another program, for those of this run."""
    _measured.update({(name, 1, device): rate for name, rate in rates.items()})


def forget_rates() -> None:
    """Measure anew at the next use: rates belong to one run."""
    _measured.clear()


def _best(call: Callable[[], object], steps: float, device: str) -> float:
    """Steps per second of the best sample; ``steps`` in one call."""

    def seconds(loops: int) -> float:
        if device != "cpu":
            torch.cuda.synchronize(device)
        started = time.perf_counter()
        for _ in range(loops):
            call()
        if device != "cpu":
            torch.cuda.synchronize(device)
        return max((time.perf_counter() - started) / loops, 1e-9)

    call()
    loops = max(1, round(PROBE_SECONDS / seconds(1)))
    return steps / min(seconds(loops) for _ in range(PROBE_SAMPLES))


def _copy(threads: int, device: str) -> float:
    source = torch.zeros(COPIED, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return _best(lambda: target.copy_(source), 2 * COPIED, device)


def _exp(dtype: torch.dtype, threads: int, device: str) -> float | None:
    """The best exponential at hand: torch's and NumPy's, and that of this package's direct sum.

    Of a GPU torch can only measure the memory that exponentials go through; ``benchmarks/floors.cu`` has
    the rate of its units.
    """
    if device != "cpu":
        return None
    x = torch.linspace(-20, 0, CACHED, dtype=dtype)
    out = torch.empty_like(x)
    rates = [_best(lambda: torch.exp(x, out=out), CACHED, "cpu")]
    pieces = list(zip(x.chunk(threads), out.chunk(threads), strict=True))
    arrays = [(piece.numpy(), into.numpy()) for piece, into in pieces]

    def repeated(i: int) -> None:  # or handing the pieces to the threads would be most of the time
        for _ in range(REPEATED):
            np.exp(arrays[i][0], out=arrays[i][1])

    rates.append(_best_in_threads(repeated, REPEATED * CACHED, threads))
    if dtype == torch.float64:
        rates.append(_direct_sum(threads))
    return max(rates)


def _direct_sum(threads: int) -> float:
    samples = torch.linspace(-1, 1, 512, dtype=torch.float64).expand(64 * threads, -1).contiguous()
    bandwidth = torch.ones(len(samples), dtype=torch.float64)  # nothing is far enough to be left out
    density = torch.ops.pruning_ext.gaussian_kde.default
    terms = samples.numel() * samples.shape[1]
    return _best(lambda: density(samples, samples, bandwidth, None, False, False, 0.0), terms, "cpu")


def _multiply_add32(threads: int, device: str) -> float:
    size = PRODUCT if device == "cpu" else 8 * PRODUCT
    x = torch.ones(size, size, device=device)
    out = torch.empty_like(x)
    return _best(lambda: torch.mm(x, x, out=out), size**3, device)


def _multiply_add8(threads: int, device: str) -> float | None:
    if device != "cpu" or not hasattr(torch, "_int_mm"):
        return None
    x = torch.ones(PRODUCT, PRODUCT, dtype=torch.int8)
    return _best(lambda: torch._int_mm(x, x), PRODUCT**3, device)


def _probe(name: str, threads: int, device: str) -> float | None:
    if device != "cpu":
        return None
    repeats = 1
    while True:  # as many as take a few milliseconds, or starting the threads would show
        started = time.perf_counter()
        steps = native().probe_steps(name, repeats)
        if time.perf_counter() - started > PROBE_SECONDS / 4:
            break
        repeats *= 2
    return _best_in_threads(lambda _: native().probe_steps(name, repeats), steps * threads, threads)


def _best_in_threads(call: Callable[[int], object], steps: float, threads: int) -> float:
    """``call(i)`` on each of ``threads`` threads at once; NumPy and the probes have none of their own."""
    if threads == 1:
        return _best(lambda: call(0), steps, "cpu")
    with ThreadPoolExecutor(threads) as pool:
        return _best(lambda: list(pool.map(call, range(threads))), steps, "cpu")


_RATES: dict[str, Callable[[int, str], float | None]] = {
    "copy": _copy,
    "exp32": lambda threads, device: _exp(torch.float32, threads, device),
    "exp64": lambda threads, device: _exp(torch.float64, threads, device),
    "multiply_add32": _multiply_add32,
    "multiply_add8": _multiply_add8,
    "carry_save": lambda threads, device: _probe("carry_save", threads, device),
    "and_popcount": lambda threads, device: _probe("and_popcount", threads, device),
}
