"""``make figures``: README's tables from the committed results, so that no figure in them is typed in.

A table stands in README between ``<!-- table FAMILY -->`` and ``<!-- end of table -->``. Times are medians of
one thread; what stands in brackets is how many times as long as ours it takes, in the same run.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pruning_ext.bench import numbers
from pruning_ext.storage.files import read_json

HERE = Path(__file__).parent
README, RESULTS = HERE.parent / "README.md", HERE / "results"
MACHINE = "amd-epyc-avx512-2-cores"
OURS = "pruning_ext"

# README's words for a provider, or for the fastest of several.
Rows = Mapping[str, Sequence[str]]
KDE_ROWS: Rows = {
    "`gaussian_kde`": [OURS],
    "`gaussian_kde`, `rtol=0` (float64 sum)": ["pruning_ext, direct sum (rtol=0)"],
    "`torch.compile` of broadcasting": ["torch.compile, broadcasting"],
    "binning + rfft in torch, 2,048 bins": ["torch, binning + rfft, 2048 bins"],
    "numba over a window of the sorted samples": ["numba, window of samples"],
    "SciPy": ["SciPy gaussian_kde"],
}
KEN_ROWS: Rows = {
    "`ken_mask`": [OURS],
    "numba: direct density, union-find matching": ["numba, union-find"],
    "the published routine with NumPy matching": ["published routine, NumPy matching"],
    "the published routine (scikit-learn, Python loops)": ["published routine"],
}
MI_ROWS: Rows = {
    "`mutual_information_from_codes`": [OURS],
    "numba loop over the codes, the faster of two": ["numba loop", "numba loop, four tables"],
    "one-hot int8 matmul in torch": ["torch, one-hot int8 matmul"],
    "`bincount` of fused codes in torch": ["torch, bincount of fused codes"],
    "scikit-learn": ["scikit-learn mutual_info_score"],
}

Measured = dict[tuple[str, str], dict[str, Any]]


def kde(measured: Measured) -> list[str]:
    """Time and error of each way, for a small and a large row."""
    lines = [
        "| Gaussian KDE, float32, per row | 768 samples, 384 points | | 4,096 samples, 2,048 points | |",
        "|---|---|---|---|---|",
        "| | time | error | time | error |",
    ]
    for words, providers in KDE_ROWS.items():
        cells = []
        for case in ("768x384", "4096x2048"):
            row = _fastest(measured, case, providers)
            cells += [_cell(measured, case, row), numbers.error(row["error"])]
        lines.append(_line(words, cells))
    return lines


def ken(measured: Measured) -> list[str]:
    """Time of each way, for a small and a large row."""
    lines = ["| KEN mask, float32, per row | 768, k=384 | 4,096, k=2,048 |", "|---|---|---|"]
    for words, providers in KEN_ROWS.items():
        cases = ("768, k=384, float32", "4096, k=2048, float32")
        rows = ((case, _fastest(measured, case, providers)) for case in cases)
        lines.append(_line(words, [_cell(measured, case, row) for case, row in rows]))
    return lines


def mi(measured: Measured) -> list[str]:
    """Pair-samples per second of each way, for two sizes and two numbers of bins."""
    lines = [
        "| Mutual information, all pairs: pair-samples a second | N=1,536, T=4,096 | | N=3,072, T=16,384 | |",
        "|---|---|---|---|---|",
        "| | 8 bins | 16 bins | 8 bins | 16 bins |",
    ]
    for words, providers in MI_ROWS.items():
        sizes = ("N=1536, T=4096", "N=3072, T=16384")
        cases = [f"{size}, {bins} bins" for size in sizes for bins in (8, 16)]
        rows = ((case, _fastest(measured, case, providers)) for case in cases)
        lines.append(_line(words, [_cell(measured, case, row, is_time=False) for case, row in rows]))
    return lines


TABLES: dict[str, Callable[[Measured], list[str]]] = {"kde": kde, "ken": ken, "mi": mi}


def filled(readme: str, results: Path = RESULTS) -> str:
    """README with every table as the results have it."""
    for family, table in TABLES.items():
        document = read_json(results / f"{family}-{MACHINE}.json")
        measured = {
            (row["case"], row["provider"]): row for row in document["measurements"] if row["threads"] == 1
        }
        pattern = rf"(<!-- table {family} -->\n).*?(\n<!-- end of table -->)"
        text = "\n".join(table(measured))
        readme, count = re.subn(pattern, partial(_between, text), readme, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"README has {count} tables {family!r}, not one")
    return readme


def _between(text: str, found: re.Match[str]) -> str:
    return f"{found[1]}\n{text}\n{found[2]}"


def _fastest(measured: Measured, case: str, providers: Sequence[str]) -> dict[str, Any]:
    return min((measured[case, name] for name in providers), key=lambda row: float(row["ms_per_row"]))


def _cell(measured: Measured, case: str, row: dict[str, Any], is_time: bool = True) -> str:
    """Time per row or pair-samples per second; after those of others how many times as long they take."""
    seconds, rate = row["ms_per_row"] / 1e3, row["pairs_per_second"]
    text = numbers.duration_of_three(seconds) if is_time else numbers.rate(rate)
    if row["provider"] == OURS:
        return f"**{text}**"
    if row["provider"].startswith(OURS):
        return text
    ratio = row["ms_per_row"] / measured[case, OURS]["ms_per_row"]
    return f"{text} ({numbers.significant(ratio, 2 if ratio < 100 else 3)}x)"


def _line(words: str, cells: Sequence[str]) -> str:
    return f"| {' | '.join([words, *cells])} |"


def main() -> int:
    """Write README's tables."""
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
    print(README)
    return 0


if __name__ == "__main__":
    sys.exit(main())
