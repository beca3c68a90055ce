"""Help, and mistakes in a command line, are told without torch: at once, not after seconds of importing."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pruning_ext import cli
from pruning_ext.choices.estimators import ESTIMATORS
from pruning_ext.cli.parsers import METHODS
from pruning_ext.config import KENConfig, MIConfig, PruneConfig
from pruning_ext.config.checks import Choice
from pruning_ext.config.fields import options_of

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
def test_parsers_import_parsers_configurations_and_choices_alone(path):
    """At the top, where it is seen, and nothing further down."""
    tree = ast.parse(path.read_text())
    top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    everywhere = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert top == everywhere
    ours = {node.module for node in top if isinstance(node, ast.ImportFrom) and "pruning_ext" in node.module}
    allowed = {"pruning_ext._build", "pruning_ext.cli.console"}
    rooms = ("pruning_ext.cli.parsers", "pruning_ext.config.", "pruning_ext.choices.")
    assert {name for name in ours if not name.startswith(rooms)} <= allowed


def test_every_command_has_its_module():
    names = {path.stem for path in PARSERS.glob("*.py")} - {"__init__", "options"}
    assert {method.NAME for method in METHODS} <= names
    assert {"apply", "plan", "info", "bench"} <= names
    for name in names:
        assert importlib.util.find_spec(f"pruning_ext.cli.{name}"), name


@pytest.mark.parametrize("config_type", [KENConfig, MIConfig])
def test_the_help_states_each_default(config_type, capsys):
    found = {name: about.default for name, about in options_of(config_type).items()}
    assert cli.main([config_type.method, "--help"]) == 0
    options = " ".join(capsys.readouterr().out.split()).partition("what to prune:")[2]
    for name, value in found.items():
        word = ("no", "yes")[value] if isinstance(value, bool) else value
        option = f"--{name.replace('_', '-')}"
        default = "" if value in (None, ()) else rf"\(default {word}\)"
        assert re.search(rf" {option}[ ,](?:(?! --(?!no-)[a-z-]+[ ,]).)*{default}", options), name


def test_the_help_states_the_tokens_of_each_estimator(capsys):
    assert cli.main(["mi", "--help"]) == 0
    options = " ".join(capsys.readouterr().out.split())
    for estimator in ESTIMATORS:
        assert f"{estimator.default_tokens} with {estimator.name}" in options


@pytest.mark.parametrize("method", ["ken", "mi"])
def test_help_of_a_plan_is_of_a_plan(method, capsys):
    assert cli.main(["plan", method, "--help"]) == 0
    planned = capsys.readouterr().out
    assert "Nothing is written but the plan" in planned
    assert "What is written is" not in planned
    assert planned.count(f"    pruning-ext plan {method} ") >= 3
    assert cli.main([method, "--help"]) == 0
    assert "What is written is" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("config_type", "given"), [(KENConfig, {"k": 1}), (MIConfig, {"ratio": 0.5, "selection": "joint"})]
)
def test_each_word_makes_a_configuration_and_stands_in_the_help(config_type, given, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "2000")  # a line each, with no hyphen to break it at
    assert cli.main([config_type.method, "--help"]) == 0
    options = " ".join(capsys.readouterr().out.split()).partition("what to prune:")[2]
    chosen = {
        name: about.check
        for name, about in options_of(config_type).items()
        if isinstance(about.check, Choice)
    }
    assert chosen
    for name, check in chosen.items():
        assert f"--{name} {{{','.join(check.names)}}} " in options
        for word in check.names:
            made = config_type(**given | {name: word})
            assert PruneConfig.from_dict(made.to_dict()) == made
        for word, meaning in check.meanings.items():
            assert f"; {word}: {meaning}" in options


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
