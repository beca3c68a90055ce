"""The command `pruning-ext`: `parsers` read the command line, then a module of its name does the rest."""

from __future__ import annotations

import contextlib
import importlib
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

from pruning_ext.cli.console import UsageError
from pruning_ext.cli.parsers import build_parser

ERROR, USAGE, SIGNALLED = 1, 2, 128


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (default: the process's) and return its exit code."""
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as done:  # argparse has printed the help or what is wrong
        return done.code if isinstance(done.code, int) else USAGE
    try:
        if args.check is not None:
            args.check(args)
        with _ended_by_signals():
            # Here torch and transformers are imported, which take seconds.
            code = importlib.import_module(f"{__name__}.{args.command}").run(args)
    except UsageError as error:
        return _fail(error, USAGE, args.debug)
    except KeyboardInterrupt:
        print("pruning-ext: interrupted", file=sys.stderr)
        return SIGNALLED + signal.SIGINT
    except _EndedError as ended:
        print(f"pruning-ext: ended by {ended.signal.name}", file=sys.stderr)
        return SIGNALLED + ended.signal
    except Exception as error:
        return _fail(error, ERROR, args.debug)
    return code if isinstance(code, int) else 0  # a command that can say no returns its exit code


class _EndedError(BaseException):
    """The process was told to end; as an exception, so that what it was writing is cleared away."""

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Raise what a scheduler or a closed terminal sends, unless somebody ignores (nohup) or handles it."""
    numbers = [signal.SIGTERM, signal.SIGHUP] if threading.current_thread() is threading.main_thread() else []
    numbers = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]

    def end(number: int, _: Any) -> None:
        raise _EndedError(number)

    for number in numbers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


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
