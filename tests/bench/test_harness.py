"""A wrong result is refused, a right one is measured, and what is stored of it says what was done."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from pruning_ext.bench import kde, ken, mi
from pruning_ext.bench.environment import machine_slug
from pruning_ext.bench.families import FAMILIES
from pruning_ext.bench.floors import Floor, forget_rates, measured_rates, rate_of
from pruning_ext.bench.harness import Call, Check, Measurement, Subject, WrongResult, measure, verify
from pruning_ext.bench.memory import peak_memory
from pruning_ext.bench.provider import OURS, Provider, Request, lower_instruction_sets
from pruning_ext.bench.run import run
from pruning_ext.bench.worker import Worker, variants

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"


def subject(error=0.0, limit=1.0, calls=None, **options):
    """A subject that only counts its calls."""
    calls = [] if calls is None else calls
    job = Call(lambda: calls.append(torch.get_num_threads()), lambda _: Check(error, limit, 1))
    given = {"threads": 1, "rows": 10, "pairs": 1000} | options
    return Subject("family", "case", "provider", job=job, **given)


@pytest.mark.parametrize("error", [1.5, float("inf"), float("nan")])
def test_a_wrong_result_is_refused_before_it_is_timed(error):
    calls = []
    with pytest.raises(WrongResult, match=r"provider on family case: error .* is above 1"):
        measure([subject(), subject(error, calls=calls)], 3)
    assert len(calls) == 1


def test_others_may_be_left_out_but_ours_must_be_right():
    refused = []
    off = dataclasses.replace(subject(2.0), provider="somebody's")
    found = measure([off, subject()], 1, refused=refused)
    assert [m.provider for m in found] == ["provider"]
    assert refused == ["somebody's on family case: error 2 is above 1"]
    with pytest.raises(WrongResult):
        measure([dataclasses.replace(subject(2.0), provider=f"{OURS}, variant")], 1, refused=refused)


def test_wrong_densities_masks_and_information_are_seen():
    """The comparisons themselves: a result that is off by little, or in one entry, is refused."""
    case = kde.Case(64, 32, rows=8)
    share = kde.Share(1e9, 1e-5)

    def off(samples, points, bandwidth):
        return kde.gaussian_kde(samples, points, bandwidth) * (1 + 3e-5)

    with pytest.raises(WrongResult, match="off on kde 64x32"):
        verify(kde.subject(case, Provider("off", off, settings=share), 1))

    def swapped(weight, k):
        mask = ken.ken_mask(weight, k, keep_ties=True).clone()
        mask[0, :2] = mask[0, :2].logical_not()
        return mask

    with pytest.raises(WrongResult, match="swapped on ken 64"):
        verify(ken.subject(ken.Case(64, 32, rows=8), Provider("swapped", swapped, settings=1e9), 1))

    def biased(codes, bins):
        return mi.mutual_information_from_codes(codes, bins=bins) + 2e-6

    with pytest.raises(WrongResult, match="biased on mi N=40"):
        verify(mi.subject(mi.Case(40, 300, 8), Provider("biased", biased, settings=mi.Share(1e9)), 1))


def test_measurement_says_what_was_done():
    calls = []
    one = subject(0.25, calls=calls, threads=2, floor=Floor("copy", 1e6), parameters={"n": 4})
    before = torch.get_num_threads()
    (found,) = measure([one], 4)
    assert torch.get_num_threads() == before
    assert set(calls) == {2}
    assert found.samples == 4
    assert (found.error, found.error_limit, found.checked_rows) == (0.25, 1.0, 1)
    assert found.ms_per_row == pytest.approx(1e3 * found.seconds / 10)
    assert found.pairs_per_second == pytest.approx(1000 / found.seconds)
    low, high = found.ms_per_row_quartiles
    assert low <= found.ms_per_row <= high
    assert found.floor == "copy"
    assert found.floor_share == pytest.approx(1e6 / rate_of("copy", 2) / found.seconds)
    assert found.parameters == {"n": 4}


def test_rounds_must_be_positive():
    with pytest.raises(ValueError, match="rounds must be at least 1, is 0"):
        measure([subject()], 0)


def test_peak_memory_sees_what_is_freed_again():
    size = 1 << 26
    found = peak_memory(lambda: torch.ones(size // 4).sum())
    assert found is None or size * 0.9 < found < size * 1.5
    idle = peak_memory(lambda: None)
    assert idle is None or idle < size / 8


@pytest.mark.parametrize(
    "name", ["copy", "exp32", "exp64", "multiply_add32", "multiply_add8", "carry_save", "and_popcount"]
)
def test_rates(name):
    rate = rate_of(name, 1)
    assert 1e6 < rate < 1e16
    assert rate_of(name, 1) == rate, "of one run there is one rate"
    assert {"name": name, "threads": 1, "device": "cpu", "per_second": rate} in measured_rates()
    forget_rates()
    assert measured_rates() == []


def test_results_file():
    """Everything that is needed to read and repeat it, JSON-ready; every family has the same fields."""
    seen = []
    results = run(list(FAMILIES), Request("smoke"), each=lambda name, found: seen.append((name, len(found))))
    assert json.loads(json.dumps(results, allow_nan=False)) == json.loads(json.dumps(results))
    assert [name for name, _ in seen] == list(FAMILIES)
    assert sum(count for _, count in seen) == len(results["measurements"])
    fields = {field.name for field in dataclasses.fields(Measurement)}
    for entry in results["measurements"]:
        assert set(entry) == fields
        assert entry["parameters"]
        assert entry["seconds"] > 0
        assert entry["floor_share"] is None or 0 <= entry["floor_share"] <= 1.5, entry
    environment = results["environment"]
    assert {"processor", "cores", "instruction_set", "versions", "commit", "python"} <= set(environment)
    assert environment["versions"]["torch"] == torch.__version__
    assert results["settings"]["rounds"] == 1
    assert {rate["name"] for rate in results["rates"]} >= {"copy", "exp64", "carry_save", "and_popcount"}


def test_an_unknown_family_is_an_error():
    with pytest.raises(ValueError, match="no family is called 'svm'; there are kde, ken, mi, end-to-end"):
        run(["svm"], Request("smoke"))


@pytest.mark.parametrize(
    "path", sorted(RESULTS.glob("k*.json")) + sorted(RESULTS.glob("mi-*.json")), ids=lambda p: p.name
)
def test_committed_results_can_be_read(path):
    """Older files lack the newer fields, which have defaults; none has a field that is gone."""
    for entry in json.loads(path.read_text())["measurements"]:
        found = Measurement(**entry)
        assert found.ms_per_row > 0
        assert found.error_limit is None or found.error <= found.error_limit


def test_machine_is_a_file_name():
    assert machine_slug().replace("-", "").isalnum()
    assert machine_slug() == machine_slug().lower()


@pytest.mark.skipif(not lower_instruction_sets(), reason="this build or CPU has one instruction set only")
def test_lower_instruction_sets_run_in_processes_of_their_own():
    request = Request("smoke", instruction_sets=lower_instruction_sets()[-1:])
    own = list(FAMILIES["ken"].subjects(request))
    (name,) = request.instruction_sets
    found = list(variants("ken", request))
    assert {s.provider for s in found} == {f"{OURS}, {name}"}
    assert len(found) == len([s for s in own if s.provider == OURS])
    measured = measure(found, 1)
    assert all(m.error == 0 and m.seconds > 0 for m in measured)


def test_a_worker_says_what_went_wrong():
    worker = Worker("ken", Request("smoke"), "baseline")
    with pytest.raises(RuntimeError, match="on baseline: KeyError"):
        worker.ask("check", ("no case", OURS, 1, "cpu"))
    worker.close()
