"""This package on a GPU beside what a user would write in torch; every result is checked before it is timed.

``python -m benchmarks.gpu OUT.json [kde] [ken] [mi] [pruners] --floors FLOORS.json``: all parts by default,
each within ten minutes. ``FLOORS.json`` is what ``benchmarks/floors.cu`` prints. Providers of a case take
turns, and medians of their times count; a provider that is too slow for the whole case gets fewer rows or
columns, and the entry says how many. ``--smoke --device cpu`` runs everything at tiny sizes, to see that it
runs.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pruning_ext import __version__
from pruning_ext.storage.files import write_json

PARTS = ("kde", "ken", "mi", "pruners")
MOST_SECONDS = 20.0  # of one provider's repetitions


@dataclass(frozen=True)
class Subject:
    """One provider on one case.

    Attributes:
        case, provider: where it stands in the table.
        units: what one call computes, counted in ``unit`` (rows, pair-samples, ...).
        run: the call.
        check: the error of its result; raises or is above ``limit`` where it is wrong.
        floor: seconds that the hardware needs for one call at least, as measured; ``None``: not known.
        notes: what else to write down, sizes above all.
    """

    case: str
    provider: str
    units: float
    unit: str
    run: Callable[[], Any]
    check: Callable[[Any], float]
    limit: float
    floor: float | None
    notes: dict[str, Any]


class Wrong(AssertionError):
    """A result that is further from the truth than it may be: it is not timed."""


def seconds_of(call: Callable[[], Any], device: str) -> float:
    """By events on the device's stream; on the CPU by the clock."""
    if device == "cpu":
        started = time.perf_counter()
        call()
        return time.perf_counter() - started
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    call()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1e3


def checked(subject: Subject, device: str) -> dict[str, Any]:
    """The error of a first call, and on a device the memory that it took; raises where it is wrong."""
    entry: dict[str, Any] = {}
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    found = subject.run()
    entry["error"] = subject.check(found)
    del found
    if not entry["error"] <= subject.limit:
        raise Wrong(f"error {entry['error']:.3g} > {subject.limit:.3g}")
    if device != "cpu":
        entry["peak_memory_bytes"] = torch.cuda.max_memory_allocated() - before
    return entry


def measured(subjects: list[Subject], device: str, rounds: int) -> Iterator[dict[str, Any]]:
    """Check all, then time those that are right by turns; one that takes long has fewer rounds.

    Whoever fails has an entry with its ``failure``: the others of the case still tell something.
    """
    entries, times, turns = [], [], []
    for subject in subjects:
        entry: dict[str, Any] = {"case": subject.case, "provider": subject.provider, **subject.notes}
        entries.append(entry)
        times.append([])
        turns.append(0)
        try:
            entry |= checked(subject, device)
            once = seconds_of(subject.run, device)  # warm by now
        except Exception as error:  # a compiler or a library of others may raise anything
            entry["failure"] = f"{type(error).__name__}: {error}"
            continue
        times[-1].append(once)
        turns[-1] = max(1, min(rounds, int(MOST_SECONDS / once)))
    for turn in range(rounds):
        for subject, mine, most in zip(subjects, times, turns, strict=True):
            if turn < most:
                mine.append(seconds_of(subject.run, device))
    for subject, entry, mine in zip(subjects, entries, times, strict=True):
        if mine:
            median = statistics.median(mine[1:])
            entry |= {
                "seconds": median,
                "seconds_range": [min(mine[1:]), max(mine[1:])],
                "rounds": len(mine) - 1,
            }
            entry[f"{subject.unit}_per_second"] = subject.units / median
            if subject.floor is not None:
                entry |= {"floor_seconds": subject.floor, "share_of_floor": subject.floor / median}
        yield entry


def table(entries: list[dict[str, Any]]) -> str:
    """Per case: time, rate relative to the case's first provider (ours), share of the floor, error."""
    lines, first = [], {}
    for entry in entries:
        if "failure" in entry:
            lines.append(f"{entry['case']:<34} {entry['provider']:<30} {entry['failure'].splitlines()[0]}")
            continue
        rate = next(value for name, value in entry.items() if name.endswith("_per_second"))
        ours = first.setdefault(entry["case"], rate)
        share = f"{entry['share_of_floor']:7.1%}" if "share_of_floor" in entry else "      -"
        lines.append(
            f"{entry['case']:<34} {entry['provider']:<30} {1e3 * entry['seconds']:>11.3f} ms  "
            f"ours is {ours / rate:>8.2f} x as fast  floor {share}  error {entry['error']:.1e}"
        )
        if "split" in entry:
            split = entry["split"]["split_seconds"].items()
            lines.append("    seconds: " + ", ".join(f"{name} {seconds:.3f}" for name, seconds in split))
    return "\n".join(lines)


def environment(device: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
        "pruning_ext": __version__,
        "commit": _printed("git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"),
    }
    if device != "cpu":
        properties = torch.cuda.get_device_properties(0)
        found |= {"device": properties.name, "multiprocessors": properties.multi_processor_count}
        found["driver"] = _printed("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    return found


def _printed(*command: str) -> str | None:
    """What a program says, or nothing where there is no such program."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("out", type=Path, help="the JSON to write, after every case")
    parser.add_argument("parts", nargs="*", default=[], help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--floors", type=Path, help="what benchmarks/floors.cu printed")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--smoke", action="store_true", help="tiny sizes")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--without", nargs="+", default=[], metavar="PROVIDER", help="providers to leave out")
    chosen = parser.parse_args(arguments)
    for part in chosen.parts:
        if part not in PARTS:
            parser.error(f"no part is called {part!r}: there are {', '.join(PARTS)}")
    from benchmarks import gpu_cases, gpu_models

    torch.manual_seed(0)
    floors = json.loads(chosen.floors.read_text()) if chosen.floors else {}
    report: dict[str, Any] = {"environment": environment(chosen.device), "floors": floors, "measurements": []}
    failed = 0
    for part in chosen.parts or PARTS:
        cases = gpu_models.cases if part == "pruners" else getattr(gpu_cases, f"{part}_cases")
        for case in cases(chosen.device, chosen.smoke, floors):
            wanted = [subject for subject in case if subject.provider not in chosen.without]
            entries = list(measured(wanted, chosen.device, 2 if chosen.smoke else chosen.rounds))
            failed += sum("failure" in entry for entry in entries)
            report["measurements"] += [{"part": part, **entry} for entry in entries]
            write_json(chosen.out, report)
            print(table(entries), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
