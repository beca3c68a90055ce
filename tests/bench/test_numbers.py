"""Numbers as tables write them, and a results file that is read again as it was."""

import pytest

from pruning_ext.bench import numbers
from pruning_ext.bench.environment import write_results
from pruning_ext.storage.files import read_json


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (numbers.duration_of_three(2.5e-3), "2.50 ms"),
        (numbers.duration(0.99999), "1 s"),
        (numbers.count(5e8), "500 M"),
        (numbers.count(12), "12"),
        (numbers.rate(3.14e9), "3.1e9"),
        (numbers.rate(8.5e7), "85e6"),
        (numbers.error(2.4e-7), "2e-7"),
        (numbers.error(0.0), "0"),
        (numbers.share(0.125), "12.5 %"),
        (numbers.interval(1.4, 1.25, 1.5, ".2f"), "1.40 [1.25, 1.50]"),
    ],
)
def test_numbers_as_text(text, expected):
    assert text == expected


def test_results_are_a_line_for_each_entry(tmp_path):
    entry = {"provider": "é", "error": 1e-7, "limit": None}
    contents = {"family": "kde", "settings": {"rounds": 7, "refused": []}, "measurements": [entry, entry]}
    write_results(path := tmp_path / "kde.json", contents | {"arms": {"a / b": entry}, "empty": []})
    assert read_json(path) == contents | {"arms": {"a / b": entry}, "empty": []}
    line = '{"provider":"é","error":1e-07,"limit":null}'
    assert path.read_text(encoding="utf-8").splitlines() == [
        "{",
        '"family":"kde",',
        '"settings":{"rounds":7,"refused":[]},',
        '"measurements":[',
        f"{line},",
        line,
        "],",
        '"arms":{',
        f'"a / b":{line}',
        "},",
        '"empty":[]',
        "}",
    ]
