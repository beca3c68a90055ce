#!/usr/bin/env bash
# numpy.histogram 2.4.6 with whole numbers and a number of equal bins: an edge that is a whole number, as 2034 is between 746
# and 2678 in 111 bins (746 + 74 * 1932 / 111), comes out of numpy.linspace as 2034.0000000000002, since the step is rounded
# before it is multiplied. A sample of 2034 is then counted in the bin below, although the documentation has all bins but the
# last half-open, [low, high). Of 20,000 random ranges of whole numbers in 2 to 256 bins about 2 % have such an edge, above or
# below its whole number. Computed as low + (high - low) * j / bins, with one rounding, none has. Exits with 0 while this is so.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/environment"
"$place/environment/bin/python" -m pip install --quiet "numpy==2.4.6"
"$place/environment/bin/python" - <<'PYTHON'
from fractions import Fraction

import numpy as np

low, high, bins = 746, 2678, 111
assert Fraction((high - low) * 74, bins) == 2034 - low
counts, edges = np.histogram([low, 2034, high], bins=bins)
print(f"numpy {np.__version__}: edge 74 of {bins} between {low} and {high} is {edges[74]!r}, exactly it is 2034")
print(f"a sample of 2034 is counted in bin {int(np.flatnonzero(counts)[1])}, exactly it is in bin 74")
generator, off, ours = np.random.default_rng(0), 0, 0
for _ in range(20_000):
    bins, low = int(generator.integers(2, 257)), int(generator.integers(-1000, 1000))
    high = low + int(generator.integers(1, 2000))
    j = np.arange(1, bins)
    whole = (high - low) * j % bins == 0
    exact = low + (high - low) * j[whole] // bins
    off += bool((np.linspace(low, high, bins + 1)[1:-1][whole] != exact).any())
    ours += bool(((low + (high - low) * j / bins)[whole] != exact).any())
print(f"of 20,000 ranges {off} have an edge that misses its whole number by numpy.linspace, {ours} by one division")
assert edges[74] == 2034.0000000000002 and counts[73] == 1 and counts[74] == 0
assert 100 < off < 1000 and ours == 0
PYTHON
