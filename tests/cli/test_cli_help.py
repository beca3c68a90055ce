"""Help, and mistakes in a command line, are told without torch: at once, not after seconds of importing."""

import ast
import dataclasses
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pruning_ext import cli
from pruning_ext.cli.parsers import METHODS, defaults
from pruning_ext.config import choices
from pruning_ext.config.base import PruneConfig
from pruning_ext.config.mi import DEFAULT_TOKENS
from pruning_ext.pruners import KENConfig, MIConfig

PARSERS = Path(cli.__file__).with_name("parsers")
TELL = """
import contextlib, io, json, sys
from pruning_ext.cli import main
out, err = io.StringIO(), io.StringIO()
with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
    code = main(sys.argv[1:])
loaded = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps([code, out.getvalue(), err.getvalue(), loaded]))
"""
HEAVY = {"torch", "transformers", "numpy", "safetensors", "huggingface_hub", "yaml", "tqdm"}
MODELS = ("FINETUNED", "PRETRAINED")


def tell(*arguments):
    """Exit code, stdout, stderr, and what a fresh interpreter imported."""
    run = subprocess.run([sys.executable, "-c", TELL, *arguments], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


@pytest.mark.parametrize(
    "command",
    ["", "ken", "mi", "apply", "plan", "plan ken", "plan mi", "info", "bench"],
)
def test_help_imports_nothing_heavy(command):
    code, out, err, loaded = tell(*command.split(), "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: pruning-ext {command}".rstrip())
    assert HEAVY.isdisjoint(loaded)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "required: COMMAND"),
        (("prune",), "invalid choice: 'prune'"),
        (("plan",), "required: METHOD"),
        (("ken", *MODELS, "--density", "0.5"), "required: -o/--output"),
        (("ken", *MODELS, "--density", "half", "-o", "out"), "invalid float value: 'half'"),
        (("ken", *MODELS, "--criterion", "best", "-o", "out"), "invalid choice: 'best'"),
        (("mi", "MODEL", "--selection", "none", "-o", "out"), "invalid choice: 'none'"),
        (("apply", "BASE", "DELTA", "-o", "out", "--dense"), "unrecognized arguments: --dense"),
        (("bench", "svm"), "no family is called 'svm'"),
        (
            ("bench", "--threads", "1", "kde"),
            "'kde' is no number of threads (families stand before the options)",
        ),
        (
            ("ken", "--targets", "query", *MODELS, "-o", "out"),
            "usage: pruning-ext ken FINETUNED PRETRAINED -o DIR",
        ),
    ],
)
def test_mistakes_import_nothing_heavy(arguments, sentence):
    code, out, err, loaded = tell(*arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert HEAVY.isdisjoint(loaded)


def test_the_version_imports_nothing_heavy():
    from pruning_ext import __version__

    code, out, _, loaded = tell("--version")
    assert (code, out) == (0, f"pruning-ext {__version__}\n")
    assert HEAVY.isdisjoint(loaded)


def test_a_command_does_import_torch():
    """Or the tests above would see nothing."""
    code, out, _, loaded = tell("info")
    assert code == 0
    assert "torch" in out
    assert "torch" in loaded


@pytest.mark.parametrize("path", sorted(PARSERS.glob("*.py")), ids=lambda path: path.name)
def test_parsers_import_parsers_and_words_alone(path):
    """At the top, where it is seen, and nothing further down."""
    tree = ast.parse(path.read_text())
    top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    everywhere = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert top == everywhere
    ours = {node.module for node in top if isinstance(node, ast.ImportFrom) and "pruning_ext" in node.module}
    allowed = {"pruning_ext", "pruning_ext.config.choices", "pruning_ext.cli.console"}
    assert {name for name in ours if not name.startswith("pruning_ext.cli.parsers")} <= allowed


def test_every_command_has_its_module():
    names = {path.stem for path in PARSERS.glob("*.py")} - {"__init__", "options", "defaults"}
    assert {method.NAME for method in METHODS} <= names
    assert {"apply", "plan", "info", "bench"} <= names
    for name in names:
        assert importlib.util.find_spec(f"pruning_ext.cli.{name}"), name


@pytest.mark.parametrize(
    ("config_type", "stated"), [(KENConfig, defaults.KEN), (MIConfig, defaults.MI)], ids=["ken", "mi"]
)
def test_the_help_states_each_default(config_type, stated, capsys):
    found = {field.name: field.default for field in dataclasses.fields(config_type)}
    assert {name: value for name, value in found.items() if value not in (None, ())} == stated
    assert cli.main([config_type.method, "--help"]) == 0
    options = " ".join(capsys.readouterr().out.split()).partition("what to prune:")[2]
    for name, value in stated.items():
        word = ("no", "yes")[value] if isinstance(value, bool) else value
        option = f"--{name.replace('_', '-')}"
        assert re.search(rf" {option}[ ,](?:(?! --(?!no-)[a-z-]+[ ,]).)*\(default {word}\)", options), name


def test_the_help_states_the_tokens_of_each_estimator():
    assert defaults.TOKENS == DEFAULT_TOKENS


@pytest.mark.parametrize("method", ["ken", "mi"])
def test_help_of_a_plan_is_of_a_plan(method, capsys):
    assert cli.main(["plan", method, "--help"]) == 0
    planned = capsys.readouterr().out
    assert "Nothing is written but the plan" in planned
    assert "What is written is" not in planned
    assert planned.count(f"    pruning-ext plan {method} ") >= 3
    assert cli.main([method, "--help"]) == 0
    assert "What is written is" in capsys.readouterr().out


def configurations():
    """For each word that a configuration takes, that configuration."""
    for criterion in choices.CRITERIA:
        yield KENConfig(k=1, criterion=criterion)
    for selection in choices.SELECTIONS:
        yield MIConfig(ratio=0.5, selection=selection)
    for field in ("estimator", "metric", "compensation", "allocation", "strategy"):
        words = {"strategy": "STRATEGIES"}.get(field, f"{field.upper()}S")
        for word in getattr(choices, words):
            yield MIConfig(ratio=0.5, selection="joint", **{field: word})


def test_the_words_are_those_of_the_configurations():
    found = list(configurations())
    assert len(found) == 5 + 5 + 2 + 2 + 2 + 2 + 3
    assert all(PruneConfig.from_dict(each.to_dict()) == each for each in found)


def test_info_tells_what_is_wrong_where_torch_cannot_be_imported():
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.modules['torch'] = None\n{TELL}", "info"],
        capture_output=True,
        text=True,
        check=True,
    )
    code, out, err, _ = json.loads(run.stdout)
    assert (code, err) == (0, "")
    assert "torch cannot be imported" in out
