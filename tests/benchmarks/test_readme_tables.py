"""README's tables are those of the committed results, to the last digit."""

import json

import pytest

from benchmarks import readme_tables
from pruning_ext.bench import numbers


def test_readme_has_the_tables_of_the_committed_results():
    readme = readme_tables.README.read_text(encoding="utf-8")
    assert readme_tables.filled(readme) == readme, "run `make figures` after a change in benchmarks/results"


def test_another_result_makes_another_table(tmp_path):
    for path in readme_tables.RESULTS.glob(f"*-{readme_tables.MACHINE}.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    path = tmp_path / f"ken-{readme_tables.MACHINE}.json"
    document = json.loads(path.read_text())
    for row in document["measurements"]:
        if row["case"].startswith("768, k=384, float32") and row["threads"] == 1:
            row["ms_per_row"] = 4.5 if row["provider"] == "numba, union-find" else 0.00123
    path.write_text(json.dumps(document))
    readme = readme_tables.filled(readme_tables.README.read_text(encoding="utf-8"), tmp_path)
    assert "| `ken_mask` | **1.23 us** |" in readme
    assert "union-find matching | 4.50 ms (3,660x) |" in readme


def test_a_readme_without_a_table_is_an_error():
    with pytest.raises(ValueError, match="0 tables 'kde'"):
        readme_tables.filled("# pruning_ext\n")


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.9, 2, "0.90"),
        (0.04, 2, "0.040"),
        (9.96, 3, "9.96"),
        (9.999, 3, "10.0"),
        (26.4, 2, "26"),
        (1979.6, 3, "1,980"),
    ],
)
def test_significant_digits(value, digits, text):
    assert numbers.significant(value, digits) == text
