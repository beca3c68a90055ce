"""``make figures``: every figure from the committed results, as SVG for light and for dark pages.

``python -m benchmarks.figures`` reads ``benchmarks/results/*.json`` and writes ``benchmarks/figures``.
Nothing is measured here and nothing is typed in: a figure whose data is not there is not made, and that is
said. With the Matplotlib that ``pyproject.toml`` pins the files come out the same byte for byte.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.evidence_plot import evidence
from pruning_ext.bench import drawing
from pruning_ext.bench.charts import NoData, kde, ken, mi, scaling
from pruning_ext.bench.drawing import Figure
from pruning_ext.storage.files import read_json

HERE = Path(__file__).parent
RESULTS, FIGURES = HERE / "results", HERE / "figures"

# Which figures are made of which results file: its name begins with the family, the rest names the machine.
PLOTS: dict[str, dict[str, Callable[..., Figure]]] = {
    "kde": {"kde": partial(kde, outlier=False), "kde-outlier": partial(kde, outlier=True)},
    "ken": {"ken": ken},
    "mi": {"mi": mi},
    "scaling": {
        f"scaling-{family}{suffix}": partial(scaling, family=family, field=field)
        for family in ("kde", "ken", "mi")
        for suffix, field in (("", "seconds"), ("-memory", "peak_memory_bytes"))
    },
    "evidence_mi": {
        "evidence-smollm2": partial(evidence, model="SmolLM2-135M"),
        "evidence-minilm": partial(evidence, model="MiniLM"),
    },
}


def make(results: Path = RESULTS, figures: Path = FIGURES) -> tuple[list[Path], list[str]]:
    """Draw all that ``results`` has data for; the files written, and a sentence for each figure not made."""
    made, missing = [], []
    for family, plots in PLOTS.items():
        files = [
            path for path in sorted(results.glob("*.json")) if re.fullmatch(rf"{family}(-.*)?", path.stem)
        ]
        if not files:
            missing.append(f"{', '.join(plots)}: not made, {results.name}/{family}*.json is not there")
        for path in files:
            document = read_json(path)
            for name, plot in plots.items():
                machine = path.stem.removeprefix(family)
                try:
                    made += drawing.save(partial(plot, document), name + machine, figures)
                except NoData as nothing:
                    missing.append(f"{name}{machine}: not made, {path.name} has {nothing}")
    return made, missing


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figures", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="folder of the JSON (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=FIGURES, help="folder of the SVG (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    made, missing = make(chosen.results, chosen.out)
    print("\n".join([*(str(path) for path in made), *missing]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
