"""``python -m demo [ACT ...]``: run the acts in order and print each one's table."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

from demo.inputs import InputsError
from pruning_ext.models.huggingface import quiet_transformers

# An act is a module of this package with ``run(out: Path) -> str``, the text to print.
ACTS = {
    "ken": "KEN on MiniLM fine-tuned on film reviews",
    "mi": "MI pruning, by its default, on SmolLM2",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the acts named in ``arguments`` (all without any); 0, or 1 after one sentence on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="Prune real models and print what it cost. Acts: "
        + "; ".join(f"{name}: {what}" for name, what in ACTS.items())
        + ". The first run fetches models and texts and fine-tunes once, which takes minutes.",
    )
    parser.add_argument("acts", nargs="*", metavar="ACT", help=f"{' or '.join(ACTS)} (default: all)")
    out = Path("out/demo")
    parser.add_argument("--out", type=Path, default=out, help="where results go (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    if unknown := [act for act in chosen.acts if act not in ACTS]:
        parser.error(f"unknown act {unknown[0]!r}: choose from {', '.join(ACTS)}")
    for act in chosen.acts or ACTS:
        started = time.perf_counter()
        try:
            with quiet_transformers():  # its notes on heads and shards would bury the table
                text = importlib.import_module(f"demo.{act}").run(chosen.out)
        except InputsError as error:
            print(f"demo: {error}", file=sys.stderr)
            return 1
        minutes, seconds = divmod(round(time.perf_counter() - started), 60)
        print(f"{text}\n\nResults in {chosen.out / act}; {minutes} min {seconds:02d} s.\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
