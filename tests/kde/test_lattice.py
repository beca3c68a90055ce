"""The lattice rule's worst relative error, found anew in NumPy from the shapes that the header holds.

Built from the opening comment of ``csrc/kde/lattice.h`` alone: spread by a polynomial about the nearest
node, convolve over ``2 M + 1`` taps, gather by the same polynomial.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.checkout import skip_module_without_sources

skip_module_without_sources()
HEADER = Path(__file__).resolve().parents[2] / "csrc" / "kde" / "lattice.h"
CLAIMS = {"CoarseLattice": 5e-7, "FineLattice": 2e-14}
SAME_RELATIVE_ERROR = 7.4  # bandwidths: there a kernel is 1e-12 of its peak


def _shape(name):
    text = HEADER.read_text()
    order = re.search(r"template <([^>]*)>\s*struct LatticeShape", text).group(1)
    assert [word.split()[-1] for word in order.split(",")] == [
        "kTerms_",
        "kWindow_",
        "kTaps_",
        "kSpacingInverse_",
        "kWidthPercent_",
    ]
    found = re.search(rf"using {name} = LatticeShape<([\d, ]+)>;", text)
    return tuple(int(number) for number in found.group(1).split(","))


def _window(offsets, terms, window, spacing, a):
    """g_a at the nodes near a box, as polynomials through Chebyshev nodes: ``[offsets, 2 W + 1]``."""
    nodes = np.cos(np.pi * (np.arange(terms) + 0.5) / terms)
    columns = np.arange(-window, window + 1) * spacing
    values = np.exp(-((nodes[:, None] * spacing / 2 - columns) ** 2) / (2 * a * a))
    fit = np.linalg.solve(np.polynomial.chebyshev.chebvander(nodes, terms - 1), values)
    return np.polynomial.chebyshev.chebvander(offsets, terms - 1) @ fit


def _worst(name):
    """(relative error up to 7.4 bandwidths, absolute error in units of 1e-12 of the peak beyond)."""
    terms, window, taps, inverse, percent = _shape(name)
    spacing = 1 / inverse
    a = percent / 100 * spacing
    b = np.sqrt(1 - 2 * a * a)
    offsets = np.linspace(-1, 1, 65)  # of the sample and of the point: both ends of a box, and its middle
    spread = _window(offsets, terms, window, spacing, a)
    steps = np.arange(-taps, taps + 1)
    weight = spacing**2 / (2 * np.pi * a * a * b) * np.exp(-((steps * spacing) ** 2) / (2 * b * b))
    near = np.arange(-window, window + 1)
    relative = absolute = 0.0
    for boxes in range(taps + 2 * window + 2):
        step = boxes + near[None, :] - near[:, None]  # from the sample's node to the point's
        within = np.abs(step) <= taps
        middle = np.where(within, weight[np.where(within, step, 0) + taps], 0)
        found = spread @ middle @ spread.T
        distance = boxes * spacing + (offsets[None, :] - offsets[:, None]) * spacing / 2
        exact = np.exp(-(distance**2) / 2)
        error = np.abs(found - exact)
        tail = np.abs(distance) > SAME_RELATIVE_ERROR
        relative = max(relative, (error / exact)[~tail].max(initial=0))
        absolute = max(absolute, error[tail].max(initial=0) / 1e-12)
    return relative, absolute


@pytest.mark.parametrize("name", CLAIMS)
def test_worst_relative_error(name):
    relative, absolute = _worst(name)
    print(f"{name}: relative {relative:.2g}, beyond {absolute:.2g} of 1e-12 of the peak")
    assert relative <= CLAIMS[name]
    assert absolute <= CLAIMS[name]


@pytest.mark.parametrize("name", CLAIMS)
def test_what_lies_beyond_the_reach_is_nothing(name):
    """Taking a density for 0 beyond the taps errs by the kernel there: far below rtol of 1e-12."""
    _, window, taps, inverse, _ = _shape(name)
    rtol = {"CoarseLattice": 1e-5, "FineLattice": 1e-12}[name]
    assert np.exp(-((taps / inverse) ** 2) / 2) <= rtol * 1e-12
    assert window < taps
