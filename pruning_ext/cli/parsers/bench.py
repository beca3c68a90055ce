"""The options of `pruning-ext bench`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pruning_ext.cli.console import UsageError

HELP = "time the kernels and their alternatives on this machine"
FAMILIES = ("kde", "ken", "mi", "end-to-end")
DESCRIPTION = """\
Time this package and what a competent user would write or install instead, on the same inputs, interleaved.
Every result is checked before it is timed; its error against float64 stands beside the time. Providers whose
package is not installed are left out: pip install "pruning_ext[bench]" brings them.

The default is a quick subset on one thread, two minutes on two cores. --full measures every case and provider
with one thread and with all, about four minutes a family. A time is the median of that of a row (of a pair,
for mutual information) in a batch of as many as the table says; `quartiles` is half of what lies between its
quartiles, in percent of it.
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
        type=_threads,
        nargs="+",
        metavar="N",
        help="default: 1; with --full 1 and the number of cores (after the families)",
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


def _threads(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        message = f"{text!r} is no number of threads (families stand before the options)"
        raise argparse.ArgumentTypeError(message) from None


def check(args: argparse.Namespace) -> None:
    """Refuse what cannot be measured, and a place that cannot be written."""
    unknown = [name for name in args.families if name not in FAMILIES]
    if unknown:
        raise UsageError(f"no family is called {unknown[0]!r}; there are {', '.join(FAMILIES)}")
    if args.rounds is not None and args.rounds < 1:
        raise UsageError(f"--rounds must be at least 1, is {args.rounds}")
    if args.threads and min(args.threads) < 1:
        raise UsageError(f"--threads must be at least 1, is {min(args.threads)}")
    if not args.threshold > 0:
        raise UsageError(f"--threshold must be positive, is {args.threshold:g}")
    alone = [args.full, args.compare, args.families, args.threads, args.device != "all"]
    if args.scaling and any(alone):
        raise UsageError(
            "--scaling has curves of its own: leave out families, --full, --threads, --device and --compare"
        )
    if args.compare is None and args.any_machine:
        raise UsageError("--any-machine is for --compare FILE")
    if args.plot is not None and args.plot.exists() and not args.plot.is_dir():
        raise UsageError(f"--plot {args.plot} is a file: name a directory")
    path: Path | None = args.json
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        reason = "is a directory" if path.is_dir() else "is in a directory that does not exist"
        raise UsageError(f"--json {path} {reason}")
    if path is not None and path.exists() and not _is_results(path):
        raise UsageError(f"--json {path} exists and is no results file of this command: name another")


def _is_results(path: Path) -> bool:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and "measurements" in found
