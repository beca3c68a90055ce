"""The record of the measured code in a results file."""

import subprocess

import pytest

from pruning_ext.bench import environment


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A committed checkout that the package seems to lie in."""
    for name in ("pruning_ext/__init__.py", "benchmarks/results/kde.json", "benchmarks/cases.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("old\n")
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "all"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    monkeypatch.setattr(environment.pruning_ext, "__file__", str(tmp_path / "pruning_ext/__init__.py"))
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (None, False),
        ("benchmarks/results/kde.json", False),  # an earlier family of the same run wrote it
        ("benchmarks/cases.py", True),
        ("pruning_ext/__init__.py", True),
    ],
)
def test_uncommitted_changes_are_those_of_code(checkout, changed, expected):
    if changed is not None:
        (checkout / changed).write_text("new\n")
    found = environment.environment()
    head = subprocess.run(["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True)
    assert found["commit"] == head.stdout.strip()
    assert found["uncommitted_changes"] is expected


def test_another_projects_checkout_says_nothing(checkout, monkeypatch):
    inner = checkout / "site" / "pruning_ext"
    inner.mkdir(parents=True)
    monkeypatch.setattr(environment.pruning_ext, "__file__", str(inner / "__init__.py"))
    assert environment.environment()["commit"] is None
