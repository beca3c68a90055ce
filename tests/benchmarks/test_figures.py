"""Figures are what `make figures` makes of the committed results, byte for byte; of none comes none."""

# ruff: noqa: E402  (without the pinned matplotlib nothing of this file can be imported)

import re
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PINNED = re.search(r'"matplotlib==([\d.]+)', (ROOT / "pyproject.toml").read_text()).group(1)
try:
    FOUND = version("matplotlib")
except PackageNotFoundError:
    FOUND = "none"
if FOUND != PINNED:
    pytest.skip(f"the figures are drawn by matplotlib {PINNED}; here is {FOUND}", allow_module_level=True)

from benchmarks import figures
from benchmarks.evidence_plot import evidence
from pruning_ext.bench import charts, drawing, numbers
from pruning_ext.bench.charts import NoData, kde, mi, scaling

ENVIRONMENT = {"processor": "a processor", "instruction_set": "avx2"}


def _document(**more):
    return {"environment": ENVIRONMENT, "settings": {"rounds": 3}, **more}


def _row(case, provider, **more):
    common = {"threads": 1, "ms_per_row": 0.1, "error": 1e-7, "pairs_per_second": 1e9}
    return {"case": case, "provider": provider, **common, **more}


def test_the_committed_figures_are_those_of_the_committed_results(tmp_path):
    made, _ = figures.make(out := figures.RESULTS, tmp_path)
    committed = {path.name: path.read_bytes() for path in figures.FIGURES.glob("*.svg")}
    assert {path.name for path in made} == set(committed), f"run `make figures` after a change in {out.name}"
    different = [path.name for path in made if path.read_bytes() != committed[path.name]]
    assert different == [], "run `make figures`"


def test_a_figure_without_data_is_not_made_and_that_is_said(tmp_path):
    made, missing = figures.make(tmp_path, tmp_path / "out")
    assert made == []
    assert len(missing) == len(figures.PLOTS)
    assert all("not made" in line and "is not there" in line for line in missing)


@pytest.mark.parametrize("theme", drawing.THEMES, ids=lambda theme: theme.name)
@pytest.mark.parametrize(
    "draw",
    [
        lambda theme: kde(_document(measurements=[]), theme, outlier=False),
        lambda theme: mi(_document(measurements=[_row("N=8, T=300, 4 bins", "pruning_ext")]), theme),
        lambda theme: scaling(_document(measurements=[]), theme, family="kde", field="seconds"),
        lambda theme: evidence({"arms": {}, "dense": {}, "defaults": {}}, theme, model="MiniLM"),
    ],
)
def test_nothing_to_show_is_an_error(draw, theme):
    with drawing.style(theme), pytest.raises(NoData):
        draw(theme)


def _curves():
    sizes = [(x, x * 1e-6) for x in (16, 64, 256)]
    common = {"curve": "mi, neurons", "x_name": "neurons", "provider": "pruning_ext"}
    fitted = {"exponent": 1.0, "memory_exponent": None}
    return [common | fitted | {"x": x, "seconds": y, "peak_memory_bytes": 4096 * x} for x, y in sizes]


def test_a_selection_without_a_colour_is_drawn_all_the_same(monkeypatch, tmp_path):
    monkeypatch.setattr("benchmarks.evidence_plot._COLOURS", {})
    assert len(drawing.save(DRAWN["evidence"], "evidence", tmp_path)) == 2


def _arms():
    arms = {}
    for selection, estimator in (("joint", "histogram"), ("random", "-")):
        for seed, ratio, refit in ((0, 0.25, "none"), (1, 0.25, "ridge"), (0, 0.5, "ridge")):
            arm = {"model": "SmolLM2-135M", "seed": seed, "selection": selection, "estimator": estimator}
            arm |= {"ratio": ratio, "compensation": refit, "metric": "norm", "variant": "one pass"}
            arms[str(len(arms))] = arm | {"loss": [3.0 + ratio]}
    return arms


DEFAULTS = {"selection": "joint", "estimator": "histogram", "metric": "norm"}
DRAWN = {
    "kde": lambda theme: kde(
        _document(
            measurements=[_row("768x384", name, error=e) for name, e in (("pruning_ext", 0), ("SciPy", 1e-9))]
        ),
        theme,
        outlier=False,
    ),
    "mi": lambda theme: mi(
        _document(
            measurements=[
                _row(f"N=64, T=4096, {bins} bins{relu}", "pruning_ext")
                for bins in (4, 16)
                for relu in ("", " ReLU")
            ]
        ),
        theme,
    ),
    "scaling": lambda theme: scaling(_document(measurements=_curves()), theme, family="mi", field="seconds"),
    "memory": lambda theme: scaling(
        _document(measurements=_curves()), theme, family="mi", field="peak_memory_bytes"
    ),
    "evidence": lambda theme: evidence(
        {"arms": _arms(), "dense": {"SmolLM2-135M": {"loss": [3.0]}}, "defaults": DEFAULTS},
        theme,
        model="SmolLM2-135M",
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_every_kind_of_figure_comes_out_the_same_twice(name, tmp_path):
    once = drawing.save(DRAWN[name], name, tmp_path / "once")
    twice = drawing.save(DRAWN[name], name, tmp_path / "twice")
    assert [path.name for path in once] == [f"{name}-light.svg", f"{name}-dark.svg"]
    for first, second in zip(once, twice, strict=True):
        text = first.read_bytes()
        assert text == second.read_bytes()
        assert b"<text" not in text, "letters are outlines: no reader needs the font"
        assert b"<dc:date>" not in text


def test_names_that_would_collide_are_spread_about_their_mean():
    assert drawing._apart([0.0, 100.0], 10) == [0.0, 100.0]
    assert drawing._apart([50.0, 50.0, 50.0], 10) == [40.0, 50.0, 60.0]


@pytest.mark.parametrize(
    ("label", "value", "text"),
    [
        (charts.SECONDS, 1e-5, "10 µs"),
        (charts.SECONDS, 2.0, "2 s"),
        (numbers.count, 1e10, "10 G"),
        (partial(numbers.count, of="B"), 1e6, "1 MB"),
    ],
)
def test_values_are_written_in_their_units(label, value, text):
    assert label(value) == text


def test_the_command_says_what_it_made(tmp_path, capsys):
    assert figures.main(["--results", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    assert "kde, kde-outlier: not made" in capsys.readouterr().out
    assert "matplotlib" in sys.modules
