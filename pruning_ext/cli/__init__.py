"""The command `pruning-ext`: `parsers` read the command line, then a module of its name does the rest."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Sequence

from pruning_ext.cli.console import UsageError
from pruning_ext.cli.parsers import build_parser

ERROR, USAGE, INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (default: the process's) and return its exit code."""
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as done:  # argparse has printed the help or what is wrong
        return done.code if isinstance(done.code, int) else USAGE
    try:
        if args.check is not None:
            args.check(args)
        # Here torch and transformers are imported, which take seconds.
        code = importlib.import_module(f"{__name__}.{args.command}").run(args)
    except UsageError as error:
        return _fail(error, USAGE, args.debug)
    except KeyboardInterrupt:
        print("pruning-ext: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        return _fail(error, ERROR, args.debug)
    return code if isinstance(code, int) else 0  # a command that can say no returns its exit code


def _fail(error: Exception, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    expected = isinstance(error, (ValueError, TypeError, OSError))
    kind = "" if expected else f"{type(error).__name__}: "
    hint = "" if expected or debug else " (--debug shows where)"
    print(f"pruning-ext: error: {kind}{' '.join(_sentence(error).split())}{hint}", file=sys.stderr)
    return code


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"  # without the number
    return str(error)
