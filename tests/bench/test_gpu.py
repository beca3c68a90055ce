"""benchmarks/gpu.py: one provider that fails does not take the others of its case along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import gpu


def _subject(provider: str, run: Callable[[], Any]) -> gpu.Subject:
    return gpu.Subject("a case", provider, 10, "rows", run, float, 0.5, None, {"rows": 10})


def _raises() -> float:
    raise RuntimeError("out of memory\nand much more")


def test_who_fails_is_an_entry_and_the_others_are_timed() -> None:
    subjects = [_subject("raises", _raises), _subject("wrong", lambda: 1.0), _subject("right", lambda: 0.25)]
    entries = {entry["provider"]: entry for entry in gpu.measured(subjects, "cpu", 3)}
    assert entries["raises"]["failure"] == "RuntimeError: out of memory\nand much more"
    assert entries["wrong"]["failure"] == "Wrong: error 1 > 0.5"
    assert "seconds" not in entries["raises"]
    assert "seconds" not in entries["wrong"]
    assert entries["right"]["rounds"] == 3
    assert entries["right"]["rows_per_second"] > 0
    lines = gpu.table(list(entries.values())).splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("RuntimeError: out of memory")
    assert "ours is     1.00 x" in lines[2]
