"""`pruning-ext bench`: how fast and how right the kernels are here, beside the alternatives."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pruning_ext.cli.common import UsageError, say, show_progress

if TYPE_CHECKING:
    from pruning_ext.bench.harness import Measurement

HELP = "time the kernels and their alternatives on this machine"
FAMILIES = ("kde", "ken", "mi", "end-to-end")
DESCRIPTION = """\
Time this package and what a competent user would write or install instead, on the same inputs, interleaved.
Every result is checked before it is timed; its error against float64 stands beside the time. Providers whose
package is not installed are left out: pip install "pruning_ext[bench]" brings them.

The default is a quick subset on one thread, two minutes on two cores. --full measures every case and provider
with one thread and with all, about four minutes a family. A time is that of a row (of a pair, for mutual
information) in a batch of as many rows as the table says, and +- half of what lies between its quartiles.
`floor` is the share of what the machine can do at most, measured in the same run, or how many times as fast
it is as the methods that it replaces could be (`python -m pydoc pruning_ext.bench.floors`).

examples:
  pruning-ext bench
  pruning-ext bench kde mi --full --json results.json
  pruning-ext bench --json before.json; ...; pruning-ext bench --compare before.json
  pruning-ext bench --scaling --json scaling.json --plot curves
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what to measure and where the results go."""
    parser.set_defaults(run=run)
    parser.add_argument(
        "families", nargs="*", metavar="FAMILY", help=f"of {', '.join(FAMILIES)}; default: all of them"
    )
    group = parser.add_argument_group("what to measure")
    size = group.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="every case, provider and instruction set")
    size.add_argument("--smoke", action="store_true", help="tiny sizes, to see that everything runs")
    group.add_argument("--scaling", action="store_true", help="curves: time and memory as one size grows")
    group.add_argument("--device", choices=("cpu", "cuda", "all"), default="all", help="default: all present")
    group.add_argument(
        "--threads",
        type=int,
        nargs="+",
        metavar="N",
        help="default: 1; with --full 1 and the number of cores",
    )
    group.add_argument("--rounds", type=int, metavar="N", help="repetitions; default: 3, with --full 7")
    group = parser.add_argument_group("results")
    group.add_argument("--json", type=Path, metavar="FILE", help="write what was measured, where, with what")
    group.add_argument("--plot", type=Path, metavar="DIR", help="write log-log figures as SVG")
    group.add_argument("--compare", type=Path, metavar="FILE", help="exit with 1 if slower than in this file")
    group.add_argument(
        "--threshold",
        type=float,
        default=1.1,
        metavar="X",
        help="times as long that counts as slower; default: 1.1",
    )
    group.add_argument("--any-machine", action="store_true", help="compare with another machine's file, too")


def run(args: argparse.Namespace) -> int:
    """Measure, print, write; 1 if something became slower."""
    unknown = [name for name in args.families if name not in FAMILIES]
    if unknown:
        raise UsageError(f"no family is called {unknown[0]!r}; there are {', '.join(FAMILIES)}")
    if args.rounds is not None and args.rounds < 1:
        raise UsageError(f"--rounds must be at least 1, is {args.rounds}")
    if args.threads and min(args.threads) < 1:
        raise UsageError(f"--threads must be at least 1, is {min(args.threads)}")
    if not args.threshold > 0:
        raise UsageError(f"--threshold must be positive, is {args.threshold:g}")
    if args.scaling and (args.full or args.compare or args.families):
        raise UsageError("--scaling has curves of its own: leave out families, --full and --compare")
    _check_file(args.json)
    from pruning_ext.bench import plot  # torch is imported here, not for --help

    if args.plot is not None:
        try:
            plot.require_matplotlib()
        except ModuleNotFoundError as error:
            raise UsageError(f"--plot: {error}") from error
    return _run_scaling(args) if args.scaling else _run_families(args)


def _run_families(args: argparse.Namespace) -> int:
    from pruning_ext.bench import plot, report
    from pruning_ext.bench.provider import Request, lower_instruction_sets, thread_counts
    from pruning_ext.bench.run import not_installed
    from pruning_ext.bench.run import run as measure
    from pruning_ext.files import write_json

    baseline = None
    if args.compare is not None:  # before the work, not after it
        baseline = report.read_baseline(args.compare, any_machine=args.any_machine)
    families = list(dict.fromkeys(args.families)) or list(FAMILIES)
    threads = tuple(dict.fromkeys(args.threads or (thread_counts() if args.full else (1,))))
    request = Request(
        "full" if args.full else "smoke" if args.smoke else "quick",
        threads,
        _devices(args.device),
        lower_instruction_sets() if args.full else (),
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
    from pruning_ext.bench import plot, scaling
    from pruning_ext.files import write_json

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
    from pruning_ext.bench.provider import devices_present

    present = devices_present()
    if wanted == "all":
        return present
    if wanted not in present:
        raise UsageError(
            f"--device {wanted}: none is here that this build has kernels for; see pruning-ext info"
        )
    return (wanted,)


def _check_file(path: Path | None) -> None:
    """Refuse a place that cannot be written before the work."""
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        reason = "is a directory" if path.is_dir() else "is in a directory that does not exist"
        raise UsageError(f"--json {path} {reason}")
