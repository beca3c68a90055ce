"""The guard of `make bench-check` itself, on a dump and records made up here: it needs no Valgrind."""

import copy
import json
import re

import pytest

from benchmarks.instructions import __main__ as guard

RECORD = json.loads(guard.RECORD.read_text())
# Two functions of ours, one of them instantiated twice, and one of the C library; a call costs its callee.
DUMP = """\
desc: Trigger: Client Request: kde.exact
positions: line
events: Ir

fl=(1) a.cpp
fn=(1) void pruning_ext::kde::avx2::(anonymous namespace)::direct<pruning_ext::Shape<8, 7> >(Row const&)
0 60
calls=2 0
0 500
cfn=(2) pruning_ext::ken::Matcher::take(long)
calls=1 0
0 30
fn=(2)
0 30
fn=(3) void pruning_ext::kde::avx2::(anonymous namespace)::direct<pruning_ext::Shape<4, 4> >(Row const&)
0 4
fn=(4) __memcpy_avx_unaligned
0 6
totals: 100
"""


def _changed(kernel, name, factor):
    found = copy.deepcopy(RECORD)
    found["counts"][kernel][name] = round(found["counts"][kernel][name] * factor)
    return found


def test_a_dump_is_read_function_by_function(tmp_path):
    path = tmp_path / "dump.1"
    path.write_text(DUMP)
    counts = {"total": 100, "kde::avx2::direct": 64, "ken::Matcher::take": 30}
    assert guard.read_dump(path) == ("kde.exact", counts)
    assert list(guard.hot({"kde.exact": counts | {"mi::rare": 7}})["kde.exact"]) == list(counts)


@pytest.mark.parametrize("text", ["totals: 5\n", DUMP.replace("totals: 100", "totals: 0")])
def test_a_dump_without_a_count_is_refused(tmp_path, text):
    path = tmp_path / "dump.1"
    path.write_text(text)
    with pytest.raises(guard.CannotCount, match=r"dump\.1 holds no count"):
        guard.read_dump(path)


def test_the_record_covers_every_hot_kernel_of_every_family():
    kernels = " ".join(RECORD["counts"])
    for name in (
        "kde.lattice",
        "kde.exact",
        "ken.mask.768",
        "ken.mask.4096",
        "mi.discretize",
        "mi.top_k",
        "mi.sum",
    ):
        assert name in kernels
    for bins in (4, 8, 16, 32):
        assert {f"mi.information.{bins}_bins.{kind}" for kind in ("uniform", "relu")} <= set(RECORD["counts"])
    assert RECORD["instruction_set"] == guard.ISA


def test_equal_counts_pass():
    status, lines = guard.compare(RECORD, RECORD)
    assert status == guard.SAME
    assert len(lines) == 1 + len(RECORD["counts"])


@pytest.mark.parametrize("kernel", RECORD["counts"])
@pytest.mark.parametrize(("factor", "verdict"), [(1.1, "SLOWER"), (0.9, "faster: record it")])
def test_ten_percent_in_any_recorded_count_fails(kernel, factor, verdict):
    """Of a total, and of each hot function alone."""
    for name in RECORD["counts"][kernel]:
        status, lines = guard.compare(RECORD, _changed(kernel, name, factor))
        assert status == guard.OFF
        assert [line for line in lines if verdict in line and (name == "total" or name in line)]


def test_three_percent_passes():
    for kernel, counts in RECORD["counts"].items():
        for name in counts:
            assert guard.compare(RECORD, _changed(kernel, name, 1.03))[0] == guard.SAME


def test_a_kernel_without_a_record_fails():
    found = copy.deepcopy(RECORD)
    found["counts"]["new"] = {"total": 7}
    assert guard.compare(RECORD, found)[0] == guard.OFF
    assert guard.compare(found, RECORD)[0] == guard.OFF


@pytest.mark.parametrize("key", guard.BUILD)
def test_another_build_does_not_compare(key):
    status, lines = guard.compare(RECORD, RECORD | {key: "another"})
    assert status == guard.INCOMPARABLE
    assert len(lines) == 1
    assert re.search(f"{key} .*'another'.*RECORD=1", lines[0])


def test_a_missing_valgrind_is_said(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert guard.main(["count_kernels"]) == guard.FAILED
    assert "valgrind is not installed" in capsys.readouterr().err
