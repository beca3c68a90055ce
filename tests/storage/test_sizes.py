"""Sizes for people: three digits and the unit that fits."""

import pytest

from pruning_ext.storage.sizes import size_of, size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (1234, "1.23 kB"),
        (9994, "9.99 kB"),
        (9996, "10.0 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (12_345_678, "12.3 MB"),
        (538_060_032, "538 MB"),
        (999_999_999, "1.00 GB"),
        (13_476_839_424, "13.5 GB"),
        (2_500_000_000_000, "2.50 TB"),
        (10**18, "1,000,000 TB"),
    ],
)
def test_three_digits_and_the_unit_that_fits(size, text):
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("given", "size"),
    [(1, 1), (5_000, 5_000), ("17", 17), ("17B", 17), ("3 kB", 3_000), ("10KB", 10_000), ("5GB", 5 * 10**9)],
)
def test_sizes_that_people_write(given, size):
    assert size_of("max_shard_size", given) == size


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (0, ValueError),
        (-3, ValueError),
        ("0GB", ValueError),
        ("five", ValueError),
        ("5GiB", ValueError),
        ("", ValueError),
        (1e9, TypeError),
        (True, TypeError),
        (None, TypeError),
    ],
)
def test_what_is_no_size_is_named(given, error):
    with pytest.raises(error, match=f"^max_shard_size is {given!r}, expected a number of bytes or a text"):
        size_of("max_shard_size", given)
