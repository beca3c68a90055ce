"""Every provider that is installed gives right results, also in corners that the suite's cases leave out."""

from __future__ import annotations

import math

import pytest
import torch

from pruning_ext import ken_mask, reference
from pruning_ext.bench import end_to_end, kde, ken, mi
from pruning_ext.bench.baselines import kde_torch, mi_torch
from pruning_ext.bench.families import FAMILIES
from pruning_ext.bench.harness import verify
from pruning_ext.bench.provider import OURS, Provider, Request, is_installed, lazily, missing, wanted

TINY = Request("smoke")
SUBJECTS = [subject for family in FAMILIES.values() for subject in family.subjects(TINY)]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: f"{s.family}-{s.case}-{s.provider}")
def test_result_is_within_its_limit(subject):
    check = verify(subject)
    assert check.rows >= 1
    assert check.error <= check.limit
    assert subject.rows >= 1
    assert subject.pairs >= subject.rows


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (kde, "a pruning_ext.bench.kde.Share"),
        (ken, "the number n k of a call"),
        (mi, "a pruning_ext.bench.mi.Share"),
    ],
)
def test_a_provider_without_settings_is_told_which(family, expected):
    """They are the one thing that somebody else's provider cannot do without."""
    with pytest.raises(TypeError, match=f"provider 'mine' has settings=None, expected {expected}"):
        family.subject(family.SMOKE_CASES[0], Provider("mine", max), 1)


def test_what_is_installed_is_there():
    """The environment of the tests has the extra `bench`; cuML, which needs a GPU, is not part of it."""
    packages = {p.needs for family in FAMILIES.values() for p in family.providers()} - {None}
    assert {p for p in packages if not is_installed(p)} <= {"cuml"}
    names = {s.provider for s in SUBJECTS}
    expected = {p.name for f in FAMILIES.values() for p in f.providers() if "cpu" in p.devices}
    assert names == expected


def test_a_package_that_is_missing_costs_its_provider_only(monkeypatch):
    monkeypatch.setattr(
        "pruning_ext.bench.provider.find_spec", lambda name: None if name == "numba" else True
    )
    names = [provider.name for provider, _, _ in wanted(mi.providers(), Request("full"))]
    assert OURS in names
    assert not any("numba" in name for name in names)
    assert missing(mi.providers(), Request("full")) == ["numba"]


@pytest.mark.parametrize("threads", [(1,), (1, 2), (2,)])
def test_threads_are_those_asked_for(threads):
    """Providers without threads stand in the table once, as what they are."""
    found = list(wanted(mi.providers(), Request("full", threads)))
    ours = [count for provider, count, _ in found if provider.name == OURS]
    alone = [count for provider, count, _ in found if provider.name.startswith("scikit-learn")]
    assert ours == list(threads)
    assert alone == [1]


def test_every_limit_of_ours_is_the_contracts():
    limits = {p.name: (p.settings.limit, p.settings.limit_in_gaps) for p in kde.providers() if p.ours}
    assert limits[OURS] == (1e-5, 1e-5)
    assert limits[f"{OURS}, float64"] == (1e-12, 1e-12)
    assert mi.LIMIT == end_to_end.LIMIT == 1e-6


ROWS = [
    lambda samples, points, h: kde_torch.broadcast(samples, points, h),
    lazily("kde_numba", "numba_windows"),
    lazily("kde_libraries", "scipy_kde"),
    lazily("kde_libraries", "sklearn_kde"),
]


@pytest.mark.parametrize("baseline", ROWS)
@pytest.mark.parametrize(("n", "k"), [(2, 1), (33, 7), (127, 129)])
def test_direct_densities(baseline, n, k):
    torch.manual_seed(n)
    samples = 0.1 * torch.randn(3, n)
    points = samples.amin(1, keepdim=True).lerp(samples.amax(1, keepdim=True), torch.linspace(0, 1, k))
    h = samples.std(1)
    true = reference.gaussian_kde(samples.double(), points.double(), h.double())
    found = baseline(samples, points, h).double()
    worst = ((found - true) / true).abs().max().item()
    assert worst < 1e-5, f"relative error {worst:.3g}"


@pytest.mark.parametrize("baseline", ["kde_statsmodels.statsmodels_fft", "kde_kdepy.kdepy_fft", "binned"])
def test_binned_densities(baseline):
    """On smooth rows the error of binning is that of a step squared."""
    torch.manual_seed(0)
    samples = torch.randn(2, 500)
    points = torch.linspace(-2, 2, 41).expand(2, -1).contiguous()
    h = torch.tensor([0.3, 0.5])
    call = kde_torch.binned_rfft if baseline == "binned" else lazily(*baseline.split("."))
    true = reference.gaussian_kde(samples.double(), points.double(), h.double())
    worst = ((call(samples, points, h).double() - true) / true).abs().max().item()
    assert worst < 1e-3, f"relative error {worst:.3g}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("n", [2, 33, 200])
def test_union_find_is_ken(n, dtype):
    """bfloat16 rows and zeros have ties in value, a lattice has ties in distance."""
    torch.manual_seed(n)
    normal = 0.05 * torch.randn(4, n)
    lattice = torch.arange(n).flip(0)[None] / 8.0
    zeros = normal * (torch.rand(4, n) < 0.3)
    zeros[:, 0] = 0.1  # never constant
    weight = torch.cat([normal, lattice, zeros]).to(dtype)
    for k in sorted({1, 2, n // 4, n // 2, n - 1, n} - {0}):
        found = lazily("ken_numba", "numba_mask")(weight, k)
        assert torch.equal(found, ken_mask(weight, k, keep_ties=True)), f"k={k}"


PAIRS = {
    "one-hot": mi_torch.one_hot_matmul,
    "one-hot int8": mi_torch.one_hot_matmul_int8,
    "bincount": mi_torch.bincount,
    "scatter_add": mi_torch.scatter_add,
    "numba": lazily("mi_numba", "numba_loop"),
    "numba, four tables": lazily("mi_numba", "numba_loop_four_tables"),
    "scikit-learn": lazily("mi_libraries", "sklearn_scores"),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(("columns", "samples", "bins"), [(1, 2, 2), (5, 33, 7), (66, 50, 4), (3, 500, 256)])
def test_pairs(name, columns, samples, bins):
    """More columns than a tile, samples that are no multiple of four, a constant column."""
    generator = torch.Generator().manual_seed(bins)
    codes = torch.randint(0, bins, (columns, samples), generator=generator, dtype=torch.uint8)
    codes[0] = bins - 1
    found = PAIRS[name](codes, bins)
    true = reference.mutual_information_from_codes(codes, codes, bins)
    assert found.shape == true.shape
    assert torch.allclose(found.double(), true, rtol=0, atol=1e-9)


def test_truth_of_mi_is_the_reference():
    case = mi.Case(30, 200, 6)
    counts, information = mi.truth(case)
    codes = mi.codes_of(case)[: mi.CHECKED]
    assert torch.equal(counts, reference.contingency(codes, codes, 6))
    true = reference.mutual_information_from_codes(codes, codes, 6)
    assert torch.allclose(information, true, rtol=0, atol=1e-12)


def test_floors_count_the_work():
    direct = next(p for p in kde.providers() if p.floor == "exp64")
    subject = kde.subject(kde.Case(64, 32, rows=8), direct, 1)
    assert subject.floor.amount == 8 * 64 * 32 == subject.pairs
    lattice = kde.subject(kde.Case(64, 32, rows=8), kde.providers()[0], 1)
    assert lattice.floor.amount == 4 * 8 * (64 + 2 * 32)
    assert lattice.replaced.amount == 8 * 64 * 32
    mask = ken.subject(ken.Case(64, 32, torch.bfloat16, rows=8), ken.providers()[0], 1)
    assert mask.floor.amount == 8 * 64 * 3
    half_zero = mi.subject(mi.Case(40, 1000, 4, zeros=1.0), mi.providers()[0], 1)
    assert half_zero.floor.amount == 0, "nothing is added where all samples are in one bin"
    assert half_zero.replaced.amount == 40 * 41 / 2 * 1000 * 9
    assert math.isclose(half_zero.pairs, 40 * 41 / 2 * 1000)
