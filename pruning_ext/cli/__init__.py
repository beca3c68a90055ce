"""The command `pruning-ext`.

A pruning method is one module with ``NAME``, ``HELP``, ``DESCRIPTION``, and the functions of
:class:`MethodCommand`; listing it in ``METHODS`` gives it the commands ``pruning-ext NAME`` and
``pruning-ext plan NAME``.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from typing import Protocol, cast

from pruning_ext import __version__
from pruning_ext.cli import apply, bench, info, ken, mi, plan
from pruning_ext.cli.common import UsageError, add_common_options, add_output_options, warnings_as_lines
from pruning_ext.pruners import Plan

ERROR, USAGE, INTERRUPTED = 1, 2, 130


class MethodCommand(Protocol):
    """What the module of a method provides."""

    NAME: str
    HELP: str
    DESCRIPTION: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the models and the options that make the configuration."""

    def add_run_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what pruning takes and planning does not."""

    def run(self, args: argparse.Namespace) -> None:
        """Prune and write the result to ``args.output``."""

    def make_plan(self, args: argparse.Namespace) -> Plan:
        """The plan that ``run`` would follow."""


METHODS = cast("tuple[MethodCommand, ...]", (ken, mi))

DESCRIPTION = "Prune Hugging Face models, and restore what was pruned."

EPILOG = """\
example:
  pruning-ext plan ken ./bert-finetuned ./bert-base --density 0.5
  pruning-ext ken ./bert-finetuned ./bert-base --density 0.5 -o ./bert-delta
  pruning-ext apply ./bert-base ./bert-delta -o ./bert-pruned

exit codes: 0 done, 1 it failed (one sentence on stderr says why), 2 the command line is wrong,
130 interrupted
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command."""
    parser = argparse.ArgumentParser(
        "pruning-ext",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"pruning-ext {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for method in METHODS:
        added = _add_command(commands, method.NAME, method.HELP, method.DESCRIPTION)
        method.add_arguments(added)
        method.add_run_arguments(added)
        add_output_options(added)
        added.set_defaults(run=method.run)
    apply.add_arguments(_add_command(commands, "apply", apply.HELP, apply.DESCRIPTION))
    raw = argparse.RawDescriptionHelpFormatter
    planning = commands.add_parser(
        "plan", help=plan.HELP, description=plan.DESCRIPTION, formatter_class=raw, allow_abbrev=False
    )
    planned = planning.add_subparsers(metavar="METHOD", required=True)
    for method in METHODS:
        added = _add_command(planned, method.NAME, method.HELP, method.DESCRIPTION)
        method.add_arguments(added)
        plan.add_arguments(added)
        added.set_defaults(run=plan.run, make_plan=method.make_plan)
    info.add_arguments(_add_command(commands, "info", info.HELP, info.DESCRIPTION))
    bench.add_arguments(_add_command(commands, "bench", bench.HELP, bench.DESCRIPTION))
    return parser


def _add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help: str, description: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=help,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_common_options(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (default: the process's) and return its exit code."""
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as done:  # argparse has printed the help or what is wrong
        return done.code if isinstance(done.code, int) else USAGE
    try:
        with warnings_as_lines(args):
            code = args.run(args)  # a command that can say no returns its exit code
    except UsageError as error:
        return _fail(error, USAGE, args.debug)
    except KeyboardInterrupt:
        print("pruning-ext: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        return _fail(error, ERROR, args.debug)
    return code if isinstance(code, int) else 0


def _fail(error: Exception, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    expected = isinstance(error, (ValueError, TypeError, OSError))
    kind = "" if expected else f"{type(error).__name__}: "
    hint = "" if expected or debug else " (--debug shows where)"
    print(f"pruning-ext: error: {kind}{' '.join(str(error).split())}{hint}", file=sys.stderr)
    return code
