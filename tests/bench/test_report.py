"""Tables are sorted by time, regressions are found, and files of other machines are refused."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pruning_ext.bench.environment import document, machine
from pruning_ext.bench.harness import Measurement
from pruning_ext.bench.numbers import duration
from pruning_ext.bench.report import OtherMachine, read_baseline, regressions, tables


def measurement(provider="pruning_ext", ms=1.0, **options):
    given = {"case": "768x384", "threads": 1, "error": 1e-7} | options
    return Measurement(
        family="kde",
        provider=provider,
        rows=64,
        ms_per_row=ms,
        ms_per_row_quartiles=(ms * 0.9, ms * 1.1),
        pairs_per_second=1e9,
        peak_memory_bytes=None,
        error_limit=1e-5,
        checked_rows=64,
        notes={},
        samples=5,
        seconds=ms * 64e-3,
        **given,
    )


def as_dicts(*measurements):
    return [dataclasses.asdict(m) for m in measurements]


def test_table_is_sorted_by_time_with_the_error_beside_it():
    found = [measurement("slow", 5.0), measurement(), measurement("quick but wrong", 0.5, error=0.25)]
    title, head, *rows = tables(found).splitlines()
    assert title.startswith("kde: 768x384")
    assert "error" in head
    assert [row.split("  ")[0] for row in rows] == ["quick but wrong", "pruning_ext", "slow"]
    assert "0.50" in rows[0]
    assert "2e-1" in rows[0]
    assert "5.00" in rows[2]


def test_the_head_says_what_a_time_is_of():
    assert tables([measurement()]).splitlines()[1].split()[2:4] == ["rows", "time/row"]
    pair = measurement(unit="pair-samples")
    assert tables([pair]).splitlines()[1].split()[2:4] == ["pairs", "time/pair"]
    (line,), _ = regressions([measurement(unit="pair-samples", ms=2.0)], as_dicts(pair), 1.1)
    assert "2 ms a pair instead of 1 ms" in line


def test_table_says_what_replaces_a_floor_and_what_has_a_share():
    beaten = measurement(floor="copy", floor_share=0.125, replaced_floor="exp32", times_floor=17.0)
    text = tables([beaten])
    assert "12.5 % of copy, 17.0 x exp32" in text
    slower = measurement(replaced_floor="exp32", times_floor=0.5)
    assert "exp32" not in tables([slower]), "only what is faster than a floor is set against it"


def test_a_table_for_each_case_and_device():
    found = [measurement(), measurement(case="4096x2048"), measurement(device="cuda")]
    titles = [line for line in tables(found).splitlines() if line.startswith("kde: ")]
    assert len(titles) == 3
    assert any("on cuda" in title for title in titles)


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.5, "2.5 s"), (0.01234, "12.3 ms"), (9.07e-6, "9.07 us"), (3.2e-8, "32 ns")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_a_regression_is_one_line():
    now = [measurement(ms=1.2), measurement(case="4096x2048"), measurement("SciPy", 9.0)]
    before = as_dicts(measurement(ms=1.0), measurement(case="4096x2048"), measurement("SciPy", 10.0))
    slower, summary = regressions(now, before, 1.1)
    assert slower == ["kde 768x384, pruning_ext, threads=1: 1.20 times as long, 1.2 ms a row instead of 1 ms"]
    assert (
        summary
        == "compared 2 measurements, 1 slower by more than 1.1; other providers took 0.90 times as long"
    )
    assert regressions(now, before, 1.3)[0] == []


def test_others_and_new_cases_are_no_regressions():
    now = [measurement(), measurement("SciPy", 100.0), measurement(case="new", ms=100.0)]
    slower, _ = regressions(now, as_dicts(measurement(), measurement("SciPy", 1.0)), 1.1)
    assert slower == []


def test_nothing_in_common_is_an_error():
    with pytest.raises(ValueError, match="nothing to compare"):
        regressions([measurement()], as_dicts(measurement(case="other")), 1.1)


def test_a_file_of_this_machine_is_read(tmp_path):
    path = tmp_path / "before.json"
    path.write_text(json.dumps(document("kde", [measurement(ms=0.5)], rounds=1)))
    slower, _ = regressions([measurement()], read_baseline(path), 1.1)
    assert len(slower) == 1


@pytest.mark.parametrize("changed", [{"cores": 1024}, {"processor": "abacus"}, {"instruction_set": "beads"}])
def test_a_file_of_another_machine_is_refused(tmp_path, changed):
    path = tmp_path / "before.json"
    contents = document("kde", [measurement()], rounds=1)
    contents["environment"] |= changed
    path.write_text(json.dumps(contents))
    (name, value), here = next(iter(changed.items())), machine()
    with pytest.raises(OtherMachine, match=f"another machine .*{name} {value} instead of {here[name]}"):
        read_baseline(path)
    assert len(read_baseline(path, any_machine=True)) == 1


@pytest.mark.parametrize(
    "contents", ['{"measurements": []', "[]", "{}", '{"environment": {}, "measurements": [{}]}']
)
def test_what_is_no_results_file_is_refused(tmp_path, contents):
    path = tmp_path / "before.json"
    path.write_text(contents)
    with pytest.raises(ValueError, match=r"before\.json"):
        read_baseline(path, any_machine=True)
