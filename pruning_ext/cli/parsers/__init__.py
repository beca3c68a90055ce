"""The parsers of the command line, which import neither torch nor anything that does.

Help and mistakes in a command line are told from here alone. What a command does is in a module of the same
name in :mod:`pruning_ext.cli`, imported once its command line has been read; its ``run`` takes the parsed
arguments.

A pruning method is one module here with what :class:`MethodParser` lists, and one module there with ``run``
and ``make_plan``; listing it in ``METHODS`` gives it the commands ``pruning-ext NAME`` and ``pruning-ext plan
NAME``.
"""

from __future__ import annotations

import argparse
from typing import Protocol, cast

from pruning_ext._build import __version__
from pruning_ext.cli.parsers import apply, bench, info, ken, mi, plan
from pruning_ext.cli.parsers.options import add_common_options, add_output_options


class MethodParser(Protocol):
    """What the parser module of a method provides."""

    NAME: str
    HELP: str
    MODELS: str
    DESCRIPTION: str
    PLAN_DESCRIPTION: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the models and the options that make the configuration."""

    def add_run_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what pruning takes and planning does not."""


METHODS = cast("tuple[MethodParser, ...]", (ken, mi))

DESCRIPTION = "Prune Hugging Face models, and restore what was pruned."

EPILOG = """\
example:
  pruning-ext plan ken ./bert-finetuned ./bert-base --density 0.5
  pruning-ext ken ./bert-finetuned ./bert-base --density 0.5 -o ./bert-delta
  pruning-ext apply ./bert-base ./bert-delta -o ./bert-pruned

exit codes: 0 done, 1 it failed (one sentence on stderr says why), 2 the command line is wrong,
130 interrupted, 143 and 129 ended by SIGTERM and SIGHUP
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command; ``command`` names the module that does what was asked for."""
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
        usage = f"{method.MODELS} -o DIR [options]"
        added = _add_command(commands, method.NAME, method.HELP, method.DESCRIPTION, usage)
        method.add_arguments(added)
        method.add_run_arguments(added)
        add_output_options(added)
    usage = "BASE DELTA -o DIR [options]"
    apply.add_arguments(_add_command(commands, "apply", apply.HELP, apply.DESCRIPTION, usage))
    raw = argparse.RawDescriptionHelpFormatter
    planning = commands.add_parser(
        "plan", help=plan.HELP, description=plan.DESCRIPTION, formatter_class=raw, allow_abbrev=False
    )
    planned = planning.add_subparsers(metavar="METHOD", required=True)
    for method in METHODS:
        usage = f"{method.MODELS} [options]"
        added = _add_command(planned, method.NAME, method.HELP, method.PLAN_DESCRIPTION, usage)
        method.add_arguments(added)
        plan.add_arguments(added)
        added.set_defaults(command="plan", method=method.NAME)
    _add_command(commands, "info", info.HELP, info.DESCRIPTION, "[options]")
    added = _add_command(commands, "bench", bench.HELP, bench.DESCRIPTION, "[FAMILY ...] [options]")
    bench.add_arguments(added)
    added.set_defaults(check=bench.check)
    return parser


def _add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    help: str,
    description: str,
    usage: str,
) -> argparse.ArgumentParser:
    """One command. Its usage line is ours: argparse's has the options first, and one of several values would
    swallow the models behind it.
    """
    parser = commands.add_parser(
        name,
        usage=f"%(prog)s {usage}",
        help=help,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_common_options(parser)
    parser.set_defaults(command=name, check=None)
    return parser
