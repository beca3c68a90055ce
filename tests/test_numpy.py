"""The NumPy front door: bit for bit what the torch ops give, in their words, on any strides and threads."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest
import torch

from pruning_ext import numpy as front
from pruning_ext import ops

DTYPES = (np.float64, np.float32, np.float16)
RNG = np.random.default_rng(7)


def rows(shape=(5, 300), dtype=np.float64) -> np.ndarray:
    return RNG.normal(size=shape).astype(dtype)


def assert_same(found: np.ndarray, expected: torch.Tensor) -> None:
    """Equal to the last bit, in value, shape and dtype."""
    truth = expected.numpy()
    assert found.dtype == truth.dtype
    assert found.shape == truth.shape
    assert found.tobytes() == truth.tobytes(), f"{(found != truth).sum()} of {truth.size} entries differ"


def test_importing_it_does_not_import_torch():
    code = (
        "import sys, pruning_ext.numpy as front, numpy as np\n"
        "x = np.arange(12.0).reshape(2, 6)\n"
        "front.gaussian_kde(x, x), front.gaussian_kde_grid(x, 3), front.ken_mask(x, 2)\n"
        "foreign = {'torch', 'transformers', 'safetensors'} & set(sys.modules)\n"
        "assert not foreign, foreign"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["gaussian_kde", "gaussian_kde_grid", "ken_mask"])
def test_signatures_are_those_of_the_ops(name):
    here, there = (inspect.signature(getattr(module, name)).parameters for module in (front, ops))
    assert [(p.name, p.default, p.kind) for p in here.values()] == [
        *((p.name, p.default, p.kind) for p in there.values()),
        ("num_threads", 0, inspect.Parameter.KEYWORD_ONLY),
    ]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bandwidth", ["scott", "silverman", "ken", 0.25])
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("leave_one_out", [False, True])
@pytest.mark.parametrize("rtol", [None, 0, 1e-3])
def test_density_is_that_of_the_op(dtype, bandwidth, log, leave_one_out, rtol):
    x = rows(dtype=dtype)
    options = {"log": log, "leave_one_out": leave_one_out, "rtol": rtol}
    expected = ops.gaussian_kde(torch.from_numpy(x), torch.from_numpy(x), bandwidth, **options)
    assert_same(front.gaussian_kde(x, x, bandwidth, **options), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("points_shape", [(5, 40), (40,)])
@pytest.mark.parametrize("weights_shape", [(5, 300), (300,)])
@pytest.mark.parametrize("bandwidth_shape", [(5,), ()])
def test_points_weights_and_bandwidth_broadcast_as_in_the_op(
    dtype, points_shape, weights_shape, bandwidth_shape
):
    x, points = rows(dtype=dtype), rows(points_shape, dtype)
    weights, bandwidth = np.abs(rows(weights_shape, dtype)), np.asarray(np.abs(rows(bandwidth_shape)) + 0.1)
    expected = ops.gaussian_kde(
        *(torch.from_numpy(array) for array in (x, points, bandwidth)), weights=torch.from_numpy(weights)
    )
    assert_same(front.gaussian_kde(x, points, bandwidth, weights=weights), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("num_points", [1, 2, 200])
def test_grid_is_that_of_the_op(dtype, num_points):
    x = rows(dtype=dtype)
    for found, expected in zip(
        front.gaussian_kde_grid(x, num_points, "ken"),
        ops.gaussian_kde_grid(torch.from_numpy(x), num_points, "ken"),
        strict=True,
    ):
        assert_same(found, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [0, 1, 75, 299, 300, 10**30])
@pytest.mark.parametrize("keep_ties", [False, True])
def test_mask_is_that_of_the_op(dtype, k, keep_ties):
    x = np.round(rows(dtype=dtype), 2)  # with ties
    expected = ops.ken_mask(torch.from_numpy(x), min(k, 2**60), keep_ties=keep_ties)
    assert_same(front.ken_mask(x, k, keep_ties=keep_ties), expected)


def test_a_mask_has_the_shape_of_its_weight():
    x = rows((4, 3, 5, 2), np.float32)
    mask = front.ken_mask(x, 11)
    assert_same(mask, ops.ken_mask(torch.from_numpy(x), 11))
    assert (mask.reshape(4, -1).sum(1) == 11).all()


VIEWS = {
    "rows backwards": lambda x: x[::-1],
    "columns backwards": lambda x: x[:, ::-1],
    "every third column": lambda x: x[:, ::3],
    "Fortran order": np.asfortranarray,
    "transposed": lambda x: x.T,
    "one row for all": lambda x: np.broadcast_to(x[2], x.shape),
    "sliding windows": lambda x: np.lib.stride_tricks.sliding_window_view(x[0], 90),
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "a field of records": lambda x: x.view([("re", x.dtype), ("im", x.dtype)])["im"],
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_view_is_read_where_it_lies(view, dtype):
    x = VIEWS[view](rows((6, 120), dtype))
    copy = x.copy(order="C")
    assert x.strides != copy.strides or not x.flags.writeable
    for call in (
        lambda a: front.gaussian_kde(a, a, "ken"),
        lambda a: front.gaussian_kde(a, a, 0.3, weights=np.abs(a)),
        lambda a: front.gaussian_kde_grid(a, 50)[1],
        lambda a: front.ken_mask(a, a.shape[1] // 3),
    ):
        np.testing.assert_array_equal(call(x), call(copy))
    np.testing.assert_array_equal(x, copy)  # the input is as it was


@pytest.mark.parametrize("num_threads", [1, 2, 3, 8, 10**6])
def test_results_do_not_depend_on_threads(num_threads):
    x = rows((200, 257), np.float32)
    for call in (
        lambda n: front.gaussian_kde(x, x, num_threads=n),
        lambda n: front.gaussian_kde_grid(x, 100, num_threads=n)[1],
        lambda n: front.ken_mask(x, 99, num_threads=n),
    ):
        np.testing.assert_array_equal(call(num_threads), call(0))


def test_nothing_in_gives_nothing_out():
    none = np.empty((0, 7), np.float32)
    assert front.gaussian_kde(none, np.zeros(3, np.float32)).shape == (0, 3)
    assert [part.shape for part in front.gaussian_kde_grid(none, 4)] == [(0, 4), (0, 4)]
    assert front.ken_mask(none, 2).shape == (0, 7)
    assert front.ken_mask(np.empty((0, 2, 3)), 2).shape == (0, 2, 3)
    assert front.ken_mask(np.empty((3, 0)), 2).shape == (3, 0)
    assert front.gaussian_kde(rows((2, 9)), np.empty((2, 0))).shape == (2, 0)


def test_numpy_scalars_serve_as_numbers():
    x = rows(dtype=np.float32)
    np.testing.assert_array_equal(front.gaussian_kde(x, x, np.float32(0.25)), front.gaussian_kde(x, x, 0.25))
    np.testing.assert_array_equal(front.ken_mask(x, np.int16(20)), front.ken_mask(x, 20))
    assert front.gaussian_kde_grid(x, np.uint8(9))[0].shape == (5, 9)


def test_rows_that_a_32_bit_index_cannot_count_are_refused():
    wide = np.broadcast_to(np.float32(1), (1, 2**31))  # four bytes
    with pytest.raises(
        ValueError, match=r"^weight must have less than 2\^31 entries in a row, has 2147483648$"
    ):
        front.ken_mask(wide, 2)


X = rows((3, 8))


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (X.astype(">f8"), "must be in native byte order, not >f8; convert it with astype"),
        (X.astype(np.int64), "must be float64, float32 or float16, not int64"),
        (X > 0, "must be float64, float32 or float16, not bool"),
        (X.astype(complex), "must be float64, float32 or float16, not complex128"),
        (X.astype(np.longdouble), "must be float64, float32 or float16, not float128"),
        (X.astype(object), "must be float64, float32 or float16, not object"),
        (X.tolist(), "must be a numpy.ndarray, not list"),
        (torch.from_numpy(X), "must be a numpy.ndarray, not Tensor"),
        (np.ma.masked_array(X, X > 1), "must be a plain array: a mask would be ignored"),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")) or None,
)
def test_what_the_kernels_cannot_read_is_refused(array, sentence):
    for call, name in (
        (lambda: front.gaussian_kde(array, X, 0.3), "samples"),
        (lambda: front.gaussian_kde(X, array, 0.3), "points"),
        (lambda: front.gaussian_kde(X, X, 0.3, weights=array), "weights"),
        (lambda: front.gaussian_kde_grid(array, 5), "samples"),
        (lambda: front.ken_mask(array, 2), "weight"),
    ):
        with pytest.raises(TypeError) as raised:
            call()
        assert str(raised.value).startswith(f"{name} {sentence}")


def test_unaligned_entries_are_refused():
    packed = np.zeros((3, 8), [("flag", np.int8), ("value", np.float64)])["value"]
    shifted = np.frombuffer(bytes(X.nbytes + 1), np.uint8)[1:].view(np.float64).reshape(X.shape)
    for array in (packed, shifted):
        with pytest.raises(ValueError, match=r"^weight must have aligned entries .*copy it first$"):
            front.ken_mask(array, 2)
        assert front.ken_mask(array.copy(), 2).sum() == 6


def spoilt(value: float) -> np.ndarray:
    array = X.copy()
    array[1, 4] = value
    return array


@pytest.mark.parametrize(
    "call",
    [
        lambda m, a: m.gaussian_kde(a(X[0]), a(X)),
        lambda m, a: m.gaussian_kde(a(X), a(X[:2])),
        lambda m, a: m.gaussian_kde(a(np.empty((3, 0))), a(X)),
        lambda m, a: m.gaussian_kde(a(X), a(X), "scot"),
        lambda m, a: m.gaussian_kde(a(X), a(X), -1.0),
        lambda m, a: m.gaussian_kde(a(X), a(X), float("nan")),
        lambda m, a: m.gaussian_kde(a(X), a(X), True),
        lambda m, a: m.gaussian_kde(a(X), a(X), a(np.ones(4))),
        lambda m, a: m.gaussian_kde(a(X), a(X), a(np.array([1.0, 0.0, 1.0]))),
        lambda m, a: m.gaussian_kde(a(X), a(X[:, :3]), 0.3, leave_one_out=True),
        lambda m, a: m.gaussian_kde(a(X), a(X), 0.3, rtol=1.0),
        lambda m, a: m.gaussian_kde(a(X), a(X), 0.3, rtol=-1e-9),
        lambda m, a: m.gaussian_kde(a(X), a(X), 0.3, weights=a(np.ones(7))),
        lambda m, a: m.gaussian_kde(a(X), a(X), 0.3, weights=a(-np.ones(8))),
        lambda m, a: m.gaussian_kde(a(X), a(X), weights=a(np.zeros(8))),
        lambda m, a: m.gaussian_kde(a(spoilt(np.nan)), a(X)),
        lambda m, a: m.gaussian_kde(a(spoilt(np.inf)), a(X), 0.3),
        lambda m, a: m.gaussian_kde(a(X), a(spoilt(-np.inf)), 0.3),
        lambda m, a: m.gaussian_kde(a(np.ones((2, 5))), a(X[:2])),
        lambda m, a: m.gaussian_kde_grid(a(X), 0),
        lambda m, a: m.gaussian_kde_grid(a(X), 2.0),
        lambda m, a: m.gaussian_kde_grid(a(spoilt(np.nan)), 5),
        lambda m, a: m.ken_mask(a(X[0]), 2),
        lambda m, a: m.ken_mask(a(X), -1),
        lambda m, a: m.ken_mask(a(X), 2.5),
        lambda m, a: m.ken_mask(a(X), True),
        lambda m, a: m.ken_mask(a(spoilt(np.nan)), 2),
    ],
)
def test_mistakes_are_refused_in_the_words_of_the_op(call):
    with pytest.raises((ValueError, TypeError)) as by_op:
        call(ops, torch.as_tensor)
    with pytest.raises(by_op.type) as by_front:
        call(front, np.asarray)
    assert str(by_front.value).replace("an array", "a tensor") == str(by_op.value)


@pytest.mark.parametrize("num_threads", [-1, 1.5, True, "2"])
def test_a_number_of_threads_is_a_whole_number(num_threads):
    for call in (
        lambda: front.gaussian_kde(X, X, num_threads=num_threads),
        lambda: front.gaussian_kde_grid(X, 5, num_threads=num_threads),
        lambda: front.ken_mask(X, 2, num_threads=num_threads),
    ):
        with pytest.raises(ValueError, match="num_threads must be a whole number of at least 0"):
            call()


class Masked(np.ndarray):
    """As astropy's: a mask beside the numbers."""

    mask = np.zeros(1, dtype=bool)


class Quantity(np.ndarray):
    """As astropy's: a unit beside the numbers."""

    unit = "m"


@pytest.mark.parametrize(
    ("kind", "sentence"), [(Masked, "a mask would be ignored"), (Quantity, "a unit would be")]
)
@pytest.mark.parametrize(
    "call",
    [
        lambda x: front.gaussian_kde(x, np.zeros(3)),
        lambda x: front.gaussian_kde(np.ones((2, 5)) * np.arange(5), x[0]),
        lambda x: front.ken_mask(x, 2),
        lambda x: front.mutual_information(x, bins=2),
        lambda x: front.discretize(x, 2),
    ],
)
def test_masks_and_units_are_refused(kind, sentence, call):
    with pytest.raises(TypeError, match=sentence):
        call(np.random.default_rng(0).normal(size=(4, 5)).view(kind))


def test_a_matrix_and_a_memory_map_are_arrays(tmp_path):
    x = np.random.default_rng(0).normal(size=(4, 5))
    np.save(tmp_path / "x.npy", x)
    for given in (np.matrix(x), np.load(tmp_path / "x.npy", mmap_mode="r")):
        assert (front.ken_mask(given, 2) == front.ken_mask(x, 2)).all()
