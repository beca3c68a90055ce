"""`pruning-ext ken --plan`: what `plan ken` saved is what is done."""

import pytest

from pruning_ext.cli import main
from tests.tiny_models import make_pair


def run(*args, expect=0):
    assert main([str(arg) for arg in args]) == expect


@pytest.fixture
def saved(tmp_path):
    for role, model in zip(("finetuned", "pretrained"), make_pair("bert"), strict=True):
        model.save_pretrained(tmp_path / role)
    return tmp_path / "finetuned", tmp_path / "pretrained"


def test_a_plan_is_followed(saved, tmp_path, capsys):
    options = ("--k", 3, "--criterion", "delta")
    run("plan", "ken", *saved, *options, "-o", tmp_path / "plan.json")
    run("ken", *saved, "--plan", tmp_path / "plan.json", "-o", tmp_path / "planned")
    run("ken", *saved, *options, "-o", tmp_path / "direct")
    for file in (tmp_path / "direct").iterdir():
        assert (tmp_path / "planned" / file.name).read_bytes() == file.read_bytes(), file.name
    capsys.readouterr()
    run("plan", "ken", *saved, "--plan", tmp_path / "plan.json")
    assert "delta" in capsys.readouterr().out


def test_a_plan_excludes_options(saved, tmp_path, capsys):
    run("plan", "ken", *saved, "--k", 3, "-o", tmp_path / "plan.json")
    run("ken", *saved, "--plan", tmp_path / "plan.json", "--k", 3, "-o", tmp_path / "out", expect=2)
    assert "--plan says all that --k would: give one or the other" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_plan_of_another_method_is_refused(saved, tmp_path, capsys):
    make_pair("llama")[0].save_pretrained(tmp_path / "llama")
    options = ("--ratio", 0.34, "--round-to", 4, "--selection", "random", "--compensation", "none")
    run("plan", "mi", tmp_path / "llama", *options, "-o", tmp_path / "plan.json")
    run("ken", *saved, "--plan", tmp_path / "plan.json", "-o", tmp_path / "out", expect=2)
    assert "is a plan of method 'mi', not of 'ken'" in capsys.readouterr().err


def test_a_link_to_itself_and_a_name_too_long_are_refused_at_once(saved, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("pruning_ext.cli.ken.load_model", lambda *_, **__: pytest.fail("loaded a model"))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    run("ken", *saved, "--k", 3, "-o", tmp_path / "loop", expect=2)
    assert "is a link that leads back to itself" in capsys.readouterr().err
    run("ken", *saved, "--k", 3, "-o", tmp_path / ("x" * 240), expect=2)
    assert "cannot be written: File name too long" in capsys.readouterr().err
