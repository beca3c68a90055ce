"""Both front doors, tensors and arrays, take the same values and refuse the rest in the same sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pruning_ext import MutualInformation, _arguments, _core, ops
from pruning_ext import numpy as front

ROWS = np.random.default_rng(3).normal(size=(4, 9))
CODES = (np.arange(36).reshape(4, 9) * 7 % 4).astype(np.uint8)
Call = Callable[[Any, Callable[[np.ndarray], Any], Any], Any]

# Every argument that is a number, a flag or a choice: how to hand it a value.
WHOLE: dict[str, Call] = {
    "num_points": lambda m, a, v: m.gaussian_kde_grid(a(ROWS), v)[1],
    "k": lambda m, a, v: m.ken_mask(a(ROWS), v),
    "k, topk": lambda m, a, v: m.mutual_information_topk(a(ROWS), v, bins=3)[1],
    "k, topk_from_codes": lambda m, a, v: m.mutual_information_topk_from_codes(a(CODES), v, bins=4)[1],
    "bins, discretize": lambda m, a, v: m.discretize(a(ROWS), v)[0],
    "bins, contingency": lambda m, a, v: m.contingency(a(CODES), bins=v),
    "bins": lambda m, a, v: m.mutual_information(a(ROWS), bins=v),
    "bins, from_codes": lambda m, a, v: m.mutual_information_from_codes(a(CODES), bins=v),
    "bins, topk": lambda m, a, v: m.mutual_information_topk(a(ROWS), 1, bins=v)[0],
    "bins, sum": lambda m, a, v: m.mutual_information_sum(a(ROWS), bins=v),
    "bins, sum_from_codes": lambda m, a, v: m.mutual_information_sum_from_codes(a(CODES), bins=v),
}
FLAGS: dict[str, Call] = {
    "log": lambda m, a, v: m.gaussian_kde(a(ROWS), a(ROWS), log=v),
    "leave_one_out": lambda m, a, v: m.gaussian_kde(a(ROWS), a(ROWS), leave_one_out=v),
    "keep_ties": lambda m, a, v: m.ken_mask(a(np.round(ROWS)), 3, keep_ties=v),
}
NUMBERS: dict[str, Call] = {
    "rtol": lambda m, a, v: m.gaussian_kde(a(ROWS), a(ROWS), rtol=v),
    "rtol, grid": lambda m, a, v: m.gaussian_kde_grid(a(ROWS), 5, rtol=v)[1],
    "bandwidth": lambda m, a, v: m.gaussian_kde(a(ROWS), a(ROWS), v),
    "bandwidth, grid": lambda m, a, v: m.gaussian_kde_grid(a(ROWS), 5, v)[1],
}
CHOICES: dict[str, Call] = {
    "strategy": lambda m, a, v: m.discretize(a(ROWS), strategy=v),
    "correction": lambda m, a, v: m.mutual_information(a(ROWS), correction=v),
    "normalize": lambda m, a, v: m.mutual_information_topk(a(ROWS), 1, normalize=v),
    "unit": lambda m, a, v: m.mutual_information_sum_from_codes(a(CODES), bins=4, unit=v),
}
NOT_FINITE = np.where(np.arange(36).reshape(4, 9) == 13, np.nan, ROWS)
DOORS = ((ops, torch.as_tensor), (front, np.asarray))


def _same_refusal(call: Call, name: str, value: Any) -> None:
    """One sentence that begins with the argument, the same at both doors."""
    sentences = []
    for module, wrap in DOORS:
        with pytest.raises((TypeError, ValueError)) as error:
            call(module, wrap, value)
        sentences.append((error.type, str(error.value).replace("an array", "a tensor")))
    assert sentences[0] == sentences[1]
    assert sentences[0][1].startswith(f"{name.partition(',')[0]} must ")
    assert "\n" not in sentences[0][1]


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3)], ids=repr)
@pytest.mark.parametrize("name", WHOLE)
def test_every_integer_is_a_whole_number(name: str, value: Any) -> None:
    if ("codes" in name and "bins" in name) or name == "bins, contingency":
        value = value + 1  # the codes go up to 3
    for module, wrap in DOORS:
        truth, found = (WHOLE[name](module, wrap, number) for number in (int(value), value))
        np.testing.assert_array_equal(np.asarray(found), np.asarray(truth))


@pytest.mark.parametrize(
    "value", [3.0, True, "3", None, [3], np.float64(3), np.True_, torch.tensor(3.0), -1], ids=repr
)
@pytest.mark.parametrize("name", WHOLE)
def test_what_is_no_whole_number_in_range_is_refused(name: str, value: Any) -> None:
    _same_refusal(WHOLE[name], name, value)


@pytest.mark.parametrize("name", [name for name in WHOLE if name not in ("k", "num_points")])
def test_what_is_more_than_there_can_be_is_refused(name: str) -> None:
    _same_refusal(WHOLE[name], name, 10**30)


@pytest.mark.parametrize("value", [True, False, np.True_, np.False_, 1, 0, np.int8(1)], ids=repr)
@pytest.mark.parametrize("name", FLAGS)
def test_flags(name: str, value: Any) -> None:
    for module, wrap in DOORS:
        truth, found = (FLAGS[name](module, wrap, flag) for flag in (bool(value), value))
        np.testing.assert_array_equal(np.asarray(found), np.asarray(truth))


@pytest.mark.parametrize("value", ["yes", "", None, 2, -1, 0.0, [], [True]], ids=repr)
@pytest.mark.parametrize("name", FLAGS)
def test_what_is_no_flag_is_refused(name: str, value: Any) -> None:
    _same_refusal(FLAGS[name], name, value)


@pytest.mark.parametrize("value", [0.25, np.float32(0.25), np.float16(0.25), np.float64(0.25)], ids=repr)
@pytest.mark.parametrize("name", NUMBERS)
def test_every_float_is_a_number(name: str, value: Any) -> None:
    for module, wrap in DOORS:
        truth, found = (NUMBERS[name](module, wrap, number) for number in (0.25, value))
        np.testing.assert_array_equal(np.asarray(found), np.asarray(truth))


@pytest.mark.parametrize("value", ["a", True, 1j, [0.5], -1, float("nan"), float("inf"), b"ken"], ids=repr)
@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number_in_range_is_refused(name: str, value: Any) -> None:
    _same_refusal(NUMBERS[name], name, value)


@pytest.mark.parametrize("value", ["nosuch", 1, True, "QUANTILE"], ids=repr)
@pytest.mark.parametrize("name", CHOICES)
def test_what_is_none_of_the_choices_is_refused(name: str, value: Any) -> None:
    _same_refusal(CHOICES[name], name, value)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("samples", lambda m, a, _: m.gaussian_kde(a(ROWS[0]), a(ROWS))),
        ("points", lambda m, a, _: m.gaussian_kde(a(ROWS), a(ROWS[:2]))),
        ("weights", lambda m, a, _: m.gaussian_kde(a(ROWS), a(ROWS), weights=a(ROWS[:, :3]))),
        ("bandwidth", lambda m, a, _: m.gaussian_kde(a(ROWS), a(ROWS), a(ROWS[0]))),
        ("weight", lambda m, a, _: m.ken_mask(a(ROWS[0]), 2)),
        ("x", lambda m, a, _: m.discretize(a(ROWS[:1]))),
        ("x", lambda m, a, _: m.discretize(a(ROWS[0]), edges=a(ROWS))),
        ("x and y", lambda m, a, _: m.mutual_information(a(ROWS), a(ROWS[:3]))),
        ("codes_x", lambda m, a, _: m.contingency(a(CODES[0]), bins=4)),
        ("codes_y", lambda m, a, _: m.contingency(a(CODES), a(CODES[:, :1]), bins=4)),
        ("codes_x and codes_y", lambda m, a, _: m.contingency(a(CODES), a(CODES[:, :5]), bins=4)),
        ("edges", lambda m, a, _: m.discretize(a(ROWS), edges=a(ROWS))),
        ("edges", lambda m, a, _: m.discretize(a(ROWS), edges=a(ROWS.T.astype(np.float32)))),
        ("edges", lambda m, a, _: m.discretize(a(ROWS.astype(np.float16)), edges=a(ROWS.T.copy()))),
        ("edges", lambda m, a, _: m.discretize(a(ROWS), edges=a(np.zeros((4, 9)).T))),
    ],
)
def test_shapes_that_do_not_fit_are_refused(name: str, call: Call) -> None:
    _same_refusal(call, name, None)


@pytest.mark.parametrize(
    "call",
    [
        lambda m, x, y: m.mutual_information(x, y, bins=3),
        lambda m, x, y: m.mutual_information(x, y, bins=200),
        lambda m, x, y: m.mutual_information_topk(x, 1, y, bins=3),
        lambda m, x, y: m.mutual_information_sum(x, y, bins=3),
    ],
)
def test_a_column_that_is_not_finite_is_named_with_its_argument(call: Call) -> None:
    for module, wrap in DOORS:
        good, bad = wrap(ROWS), wrap(NOT_FINITE)
        for x, y, name in ((bad, None, "x"), (bad, bad, "x"), (good, bad, "y"), (bad[:, :0], bad, "y")):
            with pytest.raises(ValueError, match=f"^{name} has NaN or infinity in column 4$"):
                call(module, x, y)


def _scored(*estimator: str) -> Any:
    return _core.mutual_information_sum(CODES, None, 4, *estimator, 1)


@pytest.mark.parametrize(
    ("argument", "choices", "call"),
    [
        ("strategy", _arguments.STRATEGIES, lambda name: _core.discretize(ROWS, 4, name, "x", 1)),
        ("correction", _arguments.CORRECTIONS, lambda name: _scored(name, "none", "nats")),
        ("normalize", _arguments.NORMALIZATIONS, lambda name: _scored("none", name, "nats")),
        ("unit", _arguments.UNITS, lambda name: _scored("none", "none", name)),
        ("bandwidth", _arguments.BANDWIDTH_RULES, lambda name: _core.kde_bandwidth(ROWS, None, name, 1)),
    ],
)
def test_names_of_choices_are_those_of_the_kernels(
    argument: str, choices: tuple[str | None, ...], call: Callable[[str], Any]
) -> None:
    """The kernels' sentence on an unknown name lists all that they know."""
    with pytest.raises(ValueError, match=f"^{argument} must be .*'nosuch'") as refused:
        call("nosuch")
    listed = re.findall(r"'([\w-]+)'", str(refused.value))
    assert set(listed) == {choice or "none" for choice in choices} | {"nosuch"}


@pytest.mark.parametrize("value", [1, 2.0, True, "8", None], ids=repr)
def test_the_stream_refuses_what_is_no_number_of_samples(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^edge_samples must be a whole number of at least 2, is "):
        MutualInformation(edge_samples=value)
    with pytest.raises((TypeError, ValueError), match=r"^bins must be "):
        MutualInformation(bins=value)


def test_the_stream_takes_numpys_integers() -> None:
    stream = MutualInformation(bins=np.int64(3), edge_samples=np.int16(5))  # type: ignore[arg-type]
    stream.update(torch.from_numpy(ROWS.T))
    plain = MutualInformation(bins=3, edge_samples=5)
    plain.update(torch.from_numpy(ROWS.T))
    assert torch.equal(stream.compute(), plain.compute())
    assert torch.equal(stream.topk(np.uint8(1)).indices, plain.topk(1).indices)  # type: ignore[arg-type]
