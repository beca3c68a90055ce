"""This package on a GPU beside what a user would write in torch, by the harness of :mod:`pruning_ext.bench`.

``python -m benchmarks.gpu OUT.json [kde] [ken] [mi] [pruners] --floors FLOORS.json``: all parts by default,
each within ten minutes. ``FLOORS.json`` is what ``benchmarks/floors.cu`` prints. A provider that is too slow
for the whole case gets fewer rows or columns, and the entry says how many. A provider that fails is refused,
and the others of the case are measured. ``--smoke --device cpu`` runs everything at tiny sizes, to see that
it runs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks import gpu_cases
from pruning_ext.bench import report
from pruning_ext.bench.environment import document, write_results
from pruning_ext.bench.floors import forget_rates, use_rates
from pruning_ext.bench.harness import Measurement, Subject, measure

PARTS = ("kde", "ken", "mi", "pruners")
RATES = {  # the steps of pruning_ext.bench.floors, and what benchmarks/floors.cu calls their rates
    "copy": "copy_bytes_per_second",
    "exp32": "exp2_per_second",
    "and_popcount": "bit_products_per_second",
    "multiply_add8": "byte_products_per_second",
}


def rates_of(floors: dict[str, Any]) -> dict[str, float]:
    """The rate of each step: where there are several instructions for it, that of the best."""
    found = {step: floors.get(name, 0.0) for step, name in RATES.items()}
    best = {step: max(rate.values()) if isinstance(rate, dict) else rate for step, rate in found.items()}
    return {step: rate for step, rate in best.items() if rate}


def cases(part: str, device: str, smoke: bool) -> Iterator[list[Subject]]:
    """The subjects of each case of a part, made when they are asked for."""
    if part == "pruners":  # needs transformers
        from benchmarks import gpu_models

        return gpu_models.cases(device, smoke)
    of_part = {"kde": gpu_cases.kde_cases, "ken": gpu_cases.ken_cases, "mi": gpu_cases.mi_cases}
    return of_part[part](device, smoke)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 if a provider was refused."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("out", type=Path, help="the JSON to write, after every case")
    parser.add_argument("parts", nargs="*", default=[], help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--floors", type=Path, help="what benchmarks/floors.cu printed")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--smoke", action="store_true", help="tiny sizes")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--without", nargs="+", default=[], metavar="PROVIDER", help="providers to leave out")
    chosen = parser.parse_args(arguments)
    for part in chosen.parts:
        if part not in PARTS:
            parser.error(f"no part is called {part!r}: there are {', '.join(PARTS)}")
    torch.manual_seed(0)
    forget_rates()
    floors = json.loads(chosen.floors.read_text()) if chosen.floors else {}
    use_rates(rates_of(floors), chosen.device)
    rounds = 2 if chosen.smoke else chosen.rounds
    measured: list[Measurement] = []
    refused: list[str] = []
    for part in chosen.parts or PARTS:
        for case in cases(part, chosen.device, chosen.smoke):
            wanted = [subject for subject in case if subject.provider not in chosen.without]
            before = len(refused)
            found = measure(wanted, rounds, refused=refused, strict=False)
            measured += found
            settings = {"rounds": rounds, "smoke": chosen.smoke, "cuda": torch.version.cuda, "floors": floors}
            write_results(chosen.out, document("gpu", measured, **settings, refused=refused))
            print(table(found, refused[before:]), flush=True)
    return 1 if refused else 0


def table(found: list[Measurement], refused: list[str]) -> str:
    """The measurements of a case, the seconds of the parts of whole models, and refusals."""
    splits = [
        "  seconds: " + ", ".join(f"{name} {seconds:.3f}" for name, seconds in m.notes.items())
        for m in found
        if m.unit == "models"
    ]
    return "\n".join([report.tables(found), *splits, *(f"refused: {sentence}" for sentence in refused)])


if __name__ == "__main__":
    sys.exit(main())
