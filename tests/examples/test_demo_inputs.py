"""How the demo gets its models and texts: the cache, the pinned packages, and the texts in them."""

from __future__ import annotations

import bz2
import csv
import hashlib
import io
import os
import random
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from demo import inputs

ROOT = Path(__file__).resolve().parents[2]


def wheel_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        for name, data in members.items():
            wheel.writestr(name, data)
    return buffer.getvalue()


def tar_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """``index(data, file_name, error)``: pip gives that file, or fails; returns the commands it was given."""

    def install(data: bytes = b"", file_name: str = "p-1-py3-none-any.whl", error: str = "") -> Any:
        commands: list[list[str]] = []

        def run(arguments: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
            commands.append(arguments)
            if not error:
                (Path(arguments[arguments.index("--dest") + 1]) / file_name).write_bytes(data)
            return subprocess.CompletedProcess(arguments, int(bool(error)), "", error)

        monkeypatch.setattr(inputs.subprocess, "run", run)
        return commands

    return install


def package(data: bytes, **changes: Any) -> inputs.Package:
    made = inputs.Package("p", "1", hashlib.sha256(data).hexdigest(), r"p/data/.*|.*/LICENSE", 1)
    return replace(made, **changes)


def test_importing_fetches_nothing_and_loads_no_torch(tmp_path: Path) -> None:
    code = "import sys, demo.inputs; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": "examples", "PRUNING_EXT_CACHE": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
    assert not list(tmp_path.iterdir())


def test_cache_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRUNING_EXT_CACHE", str(tmp_path))
    assert inputs.cache_dir() == tmp_path
    monkeypatch.delenv("PRUNING_EXT_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert inputs.cache_dir() == tmp_path / "pruning_ext"


def test_fetch_unpacks_the_members_and_asks_once(cache: Path, index: Callable[..., Any]) -> None:
    data = wheel_of({"p/data/x.txt": b"x", "p/code.py": b"", "p.dist-info/LICENSE": b"MIT"})
    commands = index(data)
    folder = inputs.fetch(package(data))
    assert inputs.fetch(package(data)) == folder
    assert sorted(path.name for path in folder.iterdir()) == ["LICENSE", "x.txt"]
    assert len(commands) == 1
    assert commands[0][1:4] == ["-m", "pip", "download"]
    assert {"--no-deps", "--no-cache-dir", "p==1"} <= set(commands[0])
    assert [path.name for path in cache.iterdir()] == ["p-1"]


def test_fetch_of_a_source_package(cache: Path, index: Callable[..., Any]) -> None:
    data = tar_of({"p-1/p/data/x.txt": b"x", "p-1/setup.py": b""})
    commands = index(data, "p-1.tar.gz")
    folder = inputs.fetch(package(data, members=r".*/data/.*", source=True))
    assert [path.name for path in folder.iterdir()] == ["x.txt"]
    assert commands[0][commands[0].index("--no-binary") + 1] == "p"


def test_a_file_that_is_not_the_pinned_one_is_refused(cache: Path, index: Callable[..., Any]) -> None:
    data = wheel_of({"p/data/x.txt": b"x"})
    index(data)
    with pytest.raises(inputs.InputsError, match="not the pinned file") as caught:
        inputs.fetch(package(b"another"))
    assert hashlib.sha256(data).hexdigest() in str(caught.value)
    assert not list(cache.iterdir())


def test_an_index_out_of_reach_is_one_sentence(cache: Path, index: Callable[..., Any]) -> None:
    index(error="WARNING: retrying\nERROR: No matching distribution found for p==1\n")
    with pytest.raises(
        inputs.InputsError, match=r"could not fetch p==1 .*No matching.*PRUNING_EXT_CACHE"
    ) as caught:
        inputs.fetch(package(b""))
    assert "\n" not in str(caught.value)
    assert "retrying" not in str(caught.value)
    assert not list(cache.iterdir())


def test_an_entry_is_whole_or_absent(cache: Path) -> None:
    def interrupted(staging: Path) -> None:
        (staging / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inputs.cached("entry", interrupted)
    assert not list(cache.iterdir())
    folder = inputs.cached("entry", lambda staging: (staging / "whole").write_text("") and None)
    assert [path.name for path in folder.iterdir()] == ["whole"]


def test_a_concurrent_run_that_finished_first_wins(cache: Path) -> None:
    def overtaken(staging: Path) -> None:
        (cache / "entry").mkdir()
        (cache / "entry" / "theirs").write_text("")
        (staging / "ours").write_text("")

    folder = inputs.cached("entry", overtaken)
    assert [path.name for path in folder.iterdir()] == ["theirs"]
    assert [path.name for path in cache.iterdir()] == ["entry"]


def corpus(rows: list[tuple[str, str, str]], folder: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["category", "text", "movie_name", "has_plot_and_reviews"])
    writer.writerows([*row, "True"] for row in rows)
    (folder / "rotten_tomatoes_corpus_full.csv.bz2").write_bytes(bz2.compress(text.getvalue().encode()))


def test_reviews_are_split_by_film_and_do_not_depend_on_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("fresh" if i % 3 else "rotten", f"review {i}, ünïcode", f"film {i % 40}") for i in range(400)]
    rows += [
        ("plot", "a plot", "film 1"),
        ("fresh", " ", "film 2"),
        ("rotten", "review 1, ünïcode", "film 1"),
    ]
    monkeypatch.setattr(inputs, "fetch", lambda _: tmp_path)
    corpus(rows, tmp_path)
    split = inputs.reviews()
    train, test = ({review.film for review in part} for part in (split.train, split.test))
    assert not train & test
    assert len(train) > 2 * len(test) > 0
    everything = split.train + split.test
    assert len(everything) == 400  # without the plot, the empty one and the second of the same text
    assert {review.text: review.label for review in everything} == {
        text: int(category == "fresh") for category, text, _ in rows[:400]
    }
    assert split.train[:9] != sorted(split.train, key=lambda review: review.text)[:9]
    head = rows[:401]
    random.Random(0).shuffle(head)
    corpus(head, tmp_path)
    assert inputs.reviews() == split


def test_editorials_are_regrouped_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "2_1\t0.5\tSecond.\n10_2\t0\tB, with a\ttab.\n10_1\t-1\tA.\n2_10\t0\tTenth.\n2_2\t0\tThen.\n"
    name = "hutto_ICWSM_2014/nytEditorialSnippets_GroundTruth.txt"
    (tmp_path / "hutto_ICWSM_2014.tar.gz").write_bytes(tar_of({name: lines.encode()}))
    monkeypatch.setattr(inputs, "fetch", lambda _: tmp_path)
    assert inputs.editorials() == ["Second. Then. Tenth.", "A. B, with a\ttab."]
