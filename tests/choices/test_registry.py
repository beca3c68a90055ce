"""Registries, which find what is in their folder."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest


def make_package(folder: Path, name: str, **modules: str) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(
        "from pruning_ext.choices.registry import Registry\n"
        f"{name.upper()} = Registry(__name__, first=('second',))\n"
    )
    for module, word in modules.items():
        (folder / name / f"{module}.py").write_text(
            f"from types import SimpleNamespace\nfrom {name} import {name.upper()}\n"
            f"{name.upper()}.add(SimpleNamespace(name={word!r}, help='does it'))\n"
        )


def test_a_registry_finds_a_file_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_package(tmp_path, "wayswell", a="first", b="second", c="another")
    monkeypatch.syspath_prepend(tmp_path)
    found = importlib.import_module("wayswell").WAYSWELL
    assert found.names == ("second", "another", "first")
    assert found["first"].help == "does it"


def test_two_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_package(tmp_path, "waystwice", a="second", b="second")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="'second' is registered twice in waystwice"):
        importlib.import_module("waystwice").WAYSTWICE.names  # noqa: B018
