"""Output of the commands, and errors in their use."""

from __future__ import annotations

import argparse
import sys


class UsageError(ValueError):
    """The command line, or a configuration file it names, is wrong."""


def show_progress(args: argparse.Namespace) -> bool:
    """Whether to draw progress bars: a person is watching and did not ask for silence."""
    return not args.quiet and sys.stderr.isatty()


def say(args: argparse.Namespace, text: str) -> None:
    """Print ``text`` to stdout unless `--quiet`."""
    if not args.quiet:
        print(text)
