"""One tensor against another: any change of any entries comes back, in the smallest of the encodings."""

import sys
from unittest import mock

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from pruning_ext.bench.memory import peak_own_memory
from pruning_ext.storage.encoding import check_parts, count_changed, decode, encode, encoded_bytes, row_shape
from tests.tiny_models import bits

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool]


def random_tensor(shape, dtype, generator):
    count = int(np.prod(shape))
    raw = torch.randint(0, 2 if dtype == torch.bool else 256, (count * dtype.itemsize,), generator=generator)
    return raw.to(torch.uint8).view(dtype).reshape(shape)


@pytest.mark.parametrize("chunk", [1, 1 << 20], ids=["eight rows at a time", "all at once"])
@settings(deadline=None, max_examples=150)
@given(
    shape=st.lists(st.integers(0, 9), max_size=4).map(tuple)
    | st.tuples(st.integers(10, 40), st.integers(0, 9)),
    dtype=st.sampled_from(DTYPES),
    share=st.sampled_from([0.0, 0.03, 0.5, 1.0]),
    seed=st.integers(0, 2**31),
)
def test_what_is_encoded_is_decoded(chunk, shape, dtype, share, seed):
    with mock.patch("pruning_ext.storage.encoding._CHUNK", chunk):
        check_round_trip(shape, dtype, share, seed)


def check_round_trip(shape, dtype, share, seed):
    generator = torch.Generator().manual_seed(seed)
    base, other = (random_tensor(shape, dtype, generator) for _ in range(2))
    tensor = torch.where(torch.rand(shape, generator=generator) < share, other, base)
    encoded = encode(tensor, base)
    check_parts(encoded.encoding, encoded.parts, tensor.shape, dtype)
    found = decode(encoded.encoding, encoded.parts, base)
    assert (found.shape, found.dtype) == (tensor.shape, dtype)
    assert torch.equal(bits(found), bits(tensor))
    assert found.untyped_storage().data_ptr() != base.untyped_storage().data_ptr() or not base.numel()

    differs = bits(tensor) != bits(base)
    rows, n = row_shape(shape)
    counts = differs.reshape(rows, n).sum(1)
    assert encoded.changed == int(counts.sum())
    assert count_changed(tensor, base).tolist() == counts.tolist()
    sizes = encoded_bytes(tensor.shape, dtype.itemsize, encoded.changed, len(set(counts.tolist())) <= 1)
    assert sum(part.nbytes for part in encoded.parts.values()) == min(sizes.values())


def test_many_rows_in_columns_on_several_threads():
    generator = torch.Generator().manual_seed(0)
    base, other = (torch.randn(3001, 1000, generator=generator) for _ in range(2))
    few = torch.rand(base.shape, generator=generator) < 0.01
    even = torch.zeros_like(few).scatter_(
        1, torch.rand(base.shape, generator=generator).topk(9).indices, True
    )
    for where, expected in ((few, {".values", ".columns", ".counts"}), (even, {".values", ".columns"})):
        tensor = torch.where(where, other, base)
        encoded = encode(tensor, base)
        assert set(encoded.parts) == expected
        assert torch.equal(encoded.parts[".columns"].long(), where.nonzero()[:, 1])
        assert torch.equal(encoded.parts[".values"], tensor[where])
        check_parts(encoded.encoding, encoded.parts, base.shape, base.dtype)
        assert torch.equal(decode(encoded.encoding, encoded.parts, base), tensor)


def test_columns_that_do_not_ascend_or_fit_are_refused():
    base = torch.zeros(3, 1000)
    tensor = base.clone()
    tensor[:, [5, 700]] = 1
    parts = dict(encode(tensor, base).parts)
    assert set(parts) == {".values", ".columns"}

    def check(**changes):
        check_parts(
            "columns", parts | {f".{name}": value for name, value in changes.items()}, base.shape, base.dtype
        )

    check()
    columns = torch.from_numpy(parts[".columns"].numpy().copy())
    for place, value in [(1, 5), (1, 3), (5, 1000)]:
        wrong = torch.from_numpy(columns.numpy().copy())
        wrong[place] = value
        with pytest.raises(ValueError, match="do not ascend within rows of 1000"):
            check(columns=wrong)
    for counts in ([2, 2], [2, 2, 3], [-1, 3, 4]):
        with pytest.raises(ValueError, match="do not share 6 columns among 3 rows"):
            check(counts=torch.tensor(counts, dtype=torch.int32))
    check(counts=torch.tensor([2, 2, 2], dtype=torch.int32))


def test_a_bitmask_with_bits_beyond_the_end_is_harmless():
    base = torch.zeros(1, 13)
    tensor = base.clone()
    tensor[0, ::2] = 1
    encoded = encode(tensor, base)
    assert encoded.encoding == "bitmask"
    encoded.parts[".bitmask"][-1] |= 0x80
    check_parts(encoded.encoding, encoded.parts, base.shape, base.dtype)
    assert torch.equal(decode(encoded.encoding, encoded.parts, base), tensor)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of this process from /proc")
@pytest.mark.parametrize("step", [2, 20], ids=["bitmask", "columns"])
def test_checking_needs_little_memory(step):
    """The places of all entries are larger than the tensor: here 67 MB beside 34 MB."""
    base = torch.zeros(4096, 4096, dtype=torch.bfloat16)
    tensor = base.clone()
    tensor.view(-1)[::step] += 1
    encoded = encode(tensor, base)
    check = lambda: check_parts(encoded.encoding, encoded.parts, base.shape, base.dtype)  # noqa: E731
    peak = peak_own_memory(check)
    print(f"{encoded.encoding}: {peak / 1e6:.0f} MB")
    assert peak < tensor.nbytes / 2


def test_what_cannot_be_stored_is_named():
    with pytest.raises(ValueError, match=r"torch\.complex128 cannot be stored"):
        encode(torch.zeros(2, dtype=torch.complex128), torch.zeros(2, dtype=torch.complex128))
