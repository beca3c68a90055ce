"""`pruning-ext info`: versions, what was built, and where each operation runs."""

from __future__ import annotations

import argparse

HELP = "versions, what was built, and where each operation runs"
DESCRIPTION = "Print versions, what was built, the instruction set chosen, and where each operation runs."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options."""
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print what :mod:`pruning_ext.info` knows."""
    from pruning_ext.info import main

    main()
