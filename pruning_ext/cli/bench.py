"""`pruning-ext bench`: how fast and how right the kernels are here, beside the alternatives."""

from __future__ import annotations

import argparse

from pruning_ext.bench import plot, provider, report, scaling
from pruning_ext.bench.harness import Measurement
from pruning_ext.bench.run import not_installed
from pruning_ext.bench.run import run as measure
from pruning_ext.cli.console import UsageError, say, show_progress
from pruning_ext.cli.parsers.bench import FAMILIES
from pruning_ext.storage.files import write_json


def run(args: argparse.Namespace) -> int:
    """Measure, print, write; 1 if something became slower."""
    if args.plot is not None:
        try:
            plot.require_matplotlib()
        except ModuleNotFoundError as error:
            raise UsageError(f"--plot: {error}") from error
    return _run_scaling(args) if args.scaling else _run_families(args)


def _run_families(args: argparse.Namespace) -> int:
    baseline = None
    if args.compare is not None:  # before the work, not after it
        baseline = report.read_baseline(args.compare, any_machine=args.any_machine)
    families = list(dict.fromkeys(args.families)) or list(FAMILIES)
    threads = tuple(dict.fromkeys(args.threads or (provider.thread_counts() if args.full else (1,))))
    request = provider.Request(
        "full" if args.full else "smoke" if args.smoke else "quick",
        threads,
        _devices(args.device),
        provider.lower_instruction_sets() if args.full else (),
    )
    measured: list[Measurement] = []

    def show(family: str, found: list[Measurement]) -> None:
        measured.extend(found)
        say(args, report.tables(found) + "\n")

    results = measure(families, request, rounds=args.rounds, show_progress=show_progress(args), each=show)
    for sentence in results["settings"]["refused"]:
        say(args, f"refused, not timed: {sentence}")
    absent = not_installed(families, request)
    if absent:
        say(args, f'not installed, left out: {", ".join(absent)} (pip install "pruning_ext[bench]")')
    if args.json is not None:
        write_json(args.json, results)
        say(args, f"wrote {args.json}")
    if args.plot is not None:
        for path in plot.speed_figures(results["measurements"], args.plot):
            say(args, f"wrote {path}")
    if baseline is None:
        return 0
    slower, summary = report.regressions(measured, baseline, args.threshold)
    for line in slower:
        print(line)
    say(args, summary)
    return 1 if slower else 0


def _run_scaling(args: argparse.Namespace) -> int:
    results = scaling.run(
        "smoke" if args.smoke else "full", rounds=args.rounds or 3, show_progress=show_progress(args)
    )
    say(args, scaling.table(results))
    if args.json is not None:
        write_json(args.json, results)
        say(args, f"wrote {args.json}")
    if args.plot is not None:
        for path in plot.scaling_figures(results["measurements"], args.plot):
            say(args, f"wrote {path}")
    return 0


def _devices(wanted: str) -> tuple[str, ...]:
    present = provider.devices_present()
    if wanted == "all":
        return present
    if wanted not in present:
        raise UsageError(
            f"--device {wanted}: none is here that this build has kernels for; see pruning-ext info"
        )
    return (wanted,)
