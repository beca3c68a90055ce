"""``python -m benchmarks.compare FAMILY...``: a recorded run, ``results/<family>-<machine>.json`` for each.

Run it on a quiet machine and commit what it writes. The families are those of ``pruning-ext bench --full``,
``scaling`` (its curves), ``model`` (KEN over a whole model), and ``model-mi`` (MI pruning of SmolLM2-135M by
its parts, and all pairs of many columns). Runs of models have a process each.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks import model_ken
from benchmarks.models import run_apart
from pruning_ext.bench import numbers, report, scaling
from pruning_ext.bench.environment import document, machine_slug, write_results
from pruning_ext.bench.families import FAMILIES
from pruning_ext.bench.harness import Measurement
from pruning_ext.bench.provider import Request, devices_present, lower_instruction_sets, thread_counts
from pruning_ext.bench.run import run
from pruning_ext.config.mi import METRICS
from pruning_ext.storage.sizes import size_text

RESULTS = Path(__file__).parent / "results"
ROUNDS = {"model": 3, "model-mi": 1, "scaling": 3}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 when every result was right."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument(
        "families", nargs="+", choices=[*FAMILIES, "scaling", "model", "model-mi"], metavar="FAMILY"
    )
    parser.add_argument(
        "--rounds", type=int, help="repetitions (default: 7; model and scaling 3; model-mi 1)"
    )
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, to see that everything runs")
    parser.add_argument("--machine", default=machine_slug(), help="name in the file (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the JSON (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    if chosen.rounds is not None and chosen.rounds < 1:
        parser.error(f"--rounds must be at least 1, got {chosen.rounds}")
    chosen.out.mkdir(parents=True, exist_ok=True)
    for family in chosen.families:
        contents, text = _measured(family, chosen.rounds or ROUNDS.get(family, 7), chosen.smoke)
        path = chosen.out / f"{family}-{chosen.machine}.json"
        write_results(path, contents)
        print(f"{text}\n\n{path}\n")
    return 0


def _measured(family: str, rounds: int, smoke: bool) -> tuple[dict[str, Any], str]:
    """The results file, and its table."""
    if family == "scaling":
        contents = scaling.run("smoke" if smoke else "full", rounds=rounds)
        return contents, scaling.table(contents)
    if family == "model":
        results = _model_runs(rounds, smoke)
        contents = document("model", [], rounds=rounds, smoke=smoke) | {"measurements": results}
        return contents, _model_table(results)
    if family == "model-mi":
        results = _mi_runs(rounds, smoke)
        contents = document("model-mi", [], rounds=rounds, smoke=smoke) | {"measurements": results}
        return contents, _mi_table(results)
    threads, sets = thread_counts(), lower_instruction_sets()
    request = Request("smoke" if smoke else "full", threads, devices_present(), sets)
    found: list[Measurement] = []
    contents = run([family], request, rounds=rounds, each=lambda _, measured: found.extend(measured))
    refused = [f"refused, not timed: {sentence}" for sentence in contents["settings"]["refused"]]
    return contents, "\n".join([report.tables(found), *refused])


def _model_runs(rounds: int, smoke: bool) -> list[dict[str, Any]]:
    settings = [(threads, way) for way in model_ken.WAYS for threads in (1, 2)]
    jobs = [setting for _ in range(rounds) for setting in settings]
    runs = [
        run_apart("benchmarks.model_ken", "--way", way, "--threads", str(threads), *["--smoke"] * smoke)
        for threads, way in tqdm(jobs, desc="whole model", leave=False, disable=None)
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
    rows: list[tuple[str, ...]] = [("way", "threads", "seconds", "peak / two models")]
    for found in results:
        peak = f"{found['peak_over_models']:.3f}"
        rows.append((found["way"], str(found["threads"]), f"{found['seconds']:.3f}", peak))
    return "\n".join(numbers.aligned(rows))


def _mi_runs(rounds: int, smoke: bool) -> list[dict[str, Any]]:
    """Both metrics on both threads, and the memory of all pairs; with rounds the fastest run of each."""
    which = "--smoke" if smoke else "--real"
    jobs = [("--metric", metric, which, "--inplace") for metric in METRICS]
    jobs.append(("--pairs", "64", "--tokens", "256") if smoke else ("--pairs", "8192"))
    progress = tqdm(
        [job for _ in range(rounds) for job in jobs], desc="MI pruning", leave=False, disable=None
    )
    runs = [run_apart("benchmarks.model_mi", *job) for job in progress]
    return [min(runs[i :: len(jobs)], key=_total) for i in range(len(jobs))]


def _total(found: dict[str, Any]) -> float:
    return float(found.get("prune_seconds") or found["seconds"])


def _mi_table(results: list[dict[str, Any]]) -> str:
    lines = []
    for found in results[:2]:
        parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in found["parts_seconds"].items())
        memory = size_text(found["peak_bytes"])
        lines.append(
            f"{found['config']['metric']}: {found['prune_seconds']:.1f} s, {memory}; in seconds: {parts}"
        )
    pairs = results[2]
    rate = f"{numbers.rate(pairs['pair_samples_per_second'])} pair-samples/s"
    lines.append(
        f"{pairs['rows']} rows of {pairs['samples']} codes: {pairs['seconds']:.1f} s, {rate}, "
        f"{size_text(pairs['peak_bytes'])}"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
