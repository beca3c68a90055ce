"""``python -m benchmarks.compare FAMILY``: time its providers interleaved, print ratios, write JSON.

Run it on a quiet machine. The file it writes, ``benchmarks/results/<family>-<machine>.json``, is committed.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks import model_ken
from benchmarks.harness import Measurement, document, machine_slug, measure
from pruning_ext.files import write_json

# A family is a module with ``subjects(smoke=...)`` and ``OURS``, the provider that ratios are taken against.
FAMILIES = {
    "kde": "benchmarks.kde_cases",
    "ken": "benchmarks.ken_cases",
    "mi": "benchmarks.mi_cases",
}
RESULTS = Path(__file__).parent / "results"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 when every result was right."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("family", choices=[*FAMILIES, "model"])
    parser.add_argument("--rounds", type=int, default=9, help="repetitions (default: %(default)s)")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, to see that everything runs")
    parser.add_argument("--machine", default=machine_slug(), help="name in the file (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the JSON (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    if chosen.rounds < 1:
        parser.error(f"--rounds must be at least 1, got {chosen.rounds}")
    settings = {"rounds": chosen.rounds, "smoke": chosen.smoke}
    if chosen.family == "model":
        results = _model_runs(chosen.rounds, chosen.smoke)
        contents = document("model", [], **settings) | {"measurements": results}
        text = _model_table(results)
    else:
        family = importlib.import_module(FAMILIES[chosen.family])
        measurements = measure(list(family.subjects(smoke=chosen.smoke)), chosen.rounds)
        contents = document(chosen.family, measurements, **settings)
        text = _ratio_table(measurements, family.OURS)
    path = chosen.out / f"{chosen.family}-{chosen.machine}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, contents)
    print(f"{text}\n\n{path}")
    return 0


def _ratio_table(measurements: list[Measurement], ours: str) -> str:
    """Per case and threads: time, ratio to ours, error, memory; then how ours scales with threads."""
    own = {(m.case, m.threads): m.ms_per_row for m in measurements if m.provider == ours}
    rows = [("case", "provider", "threads", "rows", "ms/row", "x ours", "error", "MB")]
    for m in measurements:
        ratio = f"{m.ms_per_row / own[m.case, m.threads]:.2f}"
        memory = "-" if m.peak_memory_bytes is None else f"{m.peak_memory_bytes / 1e6:.1f}"
        time, error = f"{m.ms_per_row:.5f}", f"{m.error:.1e}"
        rows.append((m.case, m.provider, str(m.threads), str(m.rows), time, ratio, error, memory))
    scaling = [
        f"{case}: 2 threads are {own[case, 1] / own[case, 2]:.2f} times as fast as 1 ({ours})"
        for case in dict.fromkeys(m.case for m in measurements)
        if (case, 2) in own
    ]
    return "\n".join([_aligned(rows, left=2), *scaling])


def _aligned(rows: list[tuple[str, ...]], left: int = 0) -> str:
    """Columns of equal width: the first ``left`` aligned left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [f"{text:{'<' if i < left else '>'}{widths[i]}}" for i, text in enumerate(row)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _model_runs(rounds: int, smoke: bool) -> list[dict[str, Any]]:
    settings = [(threads, inplace) for inplace in (True, False) for threads in (1, 2)]
    jobs = [setting for _ in range(rounds) for setting in settings]
    runs = [
        model_ken.run_apart(threads=threads, inplace=inplace, smoke=smoke)
        for threads, inplace in tqdm(jobs, desc="whole model", leave=False, disable=None)
    ]
    results = []
    for setting in settings:
        same = [run for run, job in zip(runs, jobs, strict=True) if job == setting]
        seconds = [run["seconds"] for run in same]
        results.append(
            same[0]
            | {"seconds": statistics.median(seconds), "seconds_range": [min(seconds), max(seconds)]}
            | {"peak_over_models": max(run["peak_over_models"] for run in same), "samples": len(same)}
        )
    return results


def _model_table(results: list[dict[str, Any]]) -> str:
    rows = [("in place", "threads", "seconds", "peak / two models")]
    for run in results:
        peak = f"{run['peak_over_models']:.3f}"
        rows.append((str(run["inplace"]), str(run["threads"]), f"{run['seconds']:.3f}", peak))
    return _aligned(rows)


if __name__ == "__main__":
    sys.exit(main())
