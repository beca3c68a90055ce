"""What a configuration's fields are where their options are left out, for the help.

The classes that have them need torch; ``tests/cli/test_cli_help.py`` holds these to them.
"""

from __future__ import annotations

KEN = {"seed": 0, "criterion": "ken", "on": "weight", "keep_ties": False}

MI = {
    "seed": 0,
    "selection": "importance",
    "estimator": "histogram",
    "metric": "fisher",
    "compensation": "ridge",
    "ridge": 0.1,
    "bins": 16,
    "strategy": "quantile",
    "round_to": 8,
    "allocation": "uniform",
    "recalibrate": False,
}

TOKENS = {"histogram": 8192, "renyi": 512}
"""Of ``max_tokens``, by estimator."""
