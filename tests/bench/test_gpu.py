"""benchmarks/gpu.py: one provider that fails does not take the others of its case along."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks import gpu, gpu_cases
from pruning_ext.bench import mi
from pruning_ext.bench.floors import forget_rates, rate_of, use_rates
from pruning_ext.bench.harness import OURS, Call, Check, Subject, measure


def _subject(provider: str, run: Callable[[], float]) -> Subject:
    job = Call(run, lambda error: Check(error, 0.5, 1))
    return Subject("kde", "a case", provider, 1, 10, 10, job)


def _raises() -> float:
    raise RuntimeError("out of memory\nand much more")


def test_who_fails_is_refused_and_the_others_are_timed() -> None:
    subjects = [_subject(OURS, _raises), _subject("wrong", lambda: 1.0), _subject("right", lambda: 0.25)]
    refused: list[str] = []
    (right,) = measure(subjects, 3, refused=refused, strict=False)
    assert refused == [
        f"{OURS} on kde a case: RuntimeError: out of memory",
        "wrong on kde a case: error 1 is above 0.5",
    ]
    assert right.samples == 3
    assert right.pairs_per_second > 0
    lines = gpu.table([right], refused).splitlines()
    assert lines[2].startswith("right")
    assert lines[3:] == [f"refused: {sentence}" for sentence in refused]


def test_the_floors_of_the_gpu_are_those_of_the_program_in_cuda() -> None:
    """Of several instructions for a step the best counts; what was not measured is no floor."""
    printed = {"copy_bytes_per_second": 4e12, "bit_products_per_second": {"mma": 1e15, "wgmma": 3e15}}
    rates = gpu.rates_of(printed | {"byte_products_per_second": {"mma": 0.0, "wgmma": 0.0}})
    assert rates == {"copy": 4e12, "and_popcount": 3e15}
    forget_rates()
    use_rates(rates, "cuda")
    assert rate_of("and_popcount", 1, "cuda") == 3e15
    forget_rates()


def test_countings_are_those_that_count_the_case() -> None:
    names = {bins: [p.name for p in gpu_cases._by_countings(mi.Case(40, 300, bins))] for bins in (8, 16, 32)}
    assert names[8] == [f"{OURS}, {name}" for name in ("planes", "INT8 one-hot", "atomics")]
    assert names[32] == [f"{OURS}, {name}" for name in ("planes", "atomics")]
    assert f"{OURS}, slices" in names[16]
    hopper = torch.cuda.is_available() and torch.cuda.get_device_capability() == (9, 0)
    assert (f"{OURS}, wgmma" in names[16]) == hopper
