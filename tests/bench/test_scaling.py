"""Exponents and crossovers of curves that are known, and a run of two points each."""

from __future__ import annotations

import json

import pytest

from pruning_ext.bench import scaling
from pruning_ext.bench.curves import curves, provider_named
from pruning_ext.bench.provider import OURS


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0, 1.37])
def test_exponent_of_a_power_is_found(power):
    points = [(x, 3e-6 * x**power) for x in (16, 32, 64, 128)]
    assert scaling.fit(points) == pytest.approx(power)


def test_exponent_is_that_of_the_upper_half():
    """A constant start, as a call has it, is not part of the method."""
    points = [(x, max(1.0, x / 1000)) for x in (1, 10, 100, 1000, 10_000, 100_000)]
    assert scaling.fit(points) == pytest.approx(1.0)


@pytest.mark.parametrize("points", [[], [(1, 2.0)], [(1, None), (2, 3.0), (4, 0.0)]])
def test_too_few_points_have_no_exponent(points):
    assert scaling.fit(points) is None


def test_overtaking():
    linear, square = {x: 10 * x for x in (1, 4, 16, 64)}, {x: x * x for x in (1, 4, 16, 64, 256)}
    assert scaling.overtakes(linear, square) == 16
    assert scaling.overtakes(square, linear) is None, "it is slower at the end"
    assert scaling.overtakes({1: 1.0}, {2: 1.0}) is None


def test_every_provider_of_a_curve_exists_and_has_points():
    names = [curve.name for curve in curves("full")]
    assert len(set(names)) == len(names)
    for curve in curves("full"):
        assert OURS in curve.most
        for provider, most in curve.most.items():
            provider_named(provider)
            assert sum(x <= most for x in curve.xs) >= min(2, len(curve.xs)), (curve.name, provider)
        for pair in curve.crossovers:
            assert set(pair) <= set(curve.most)


def test_results_file():
    results = scaling.run("smoke", rounds=1)
    assert json.loads(json.dumps(results, allow_nan=False))["family"] == "scaling"
    wanted = {"curve", "x_name", "x", "provider", "threads", "seconds", "peak_memory_bytes", "exponent"}
    for entry in results["measurements"]:
        assert wanted <= set(entry)
        assert entry["parameters"][entry["x_name"]] == entry["x"]
        assert entry["seconds"] > 0
    for curve in curves("smoke"):
        ours = [m["x"] for m in results["measurements"] if (m["curve"], m["provider"]) == (curve.name, OURS)]
        assert ours == list(curve.xs)
    assert all(c["from_x"] is None or c["from_x"] > 0 for c in results["crossovers"])
    text = scaling.table(results)
    assert all(curve.name in text for curve in curves("smoke"))


def test_rows_are_those_of_the_curve():
    """What bounds a provider's rows elsewhere must not bend a curve."""
    for curve in curves("full"):
        if curve.x_name == "rows":
            for provider in curve.most:
                assert curve.subject(provider, 16).rows == 16
