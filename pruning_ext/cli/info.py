"""`pruning-ext info`: versions, what was built, and where each operation runs."""

from __future__ import annotations

import argparse

from pruning_ext.info import main


def run(args: argparse.Namespace) -> None:
    """Print what :mod:`pruning_ext.info` knows."""
    main()
