"""What all methods share: configurations, plans on disk, the registry; shown with a method of two lines."""

import copy
import dataclasses
import hashlib
import json
import random
import shutil
import sys
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from pruning_ext.pruners import (
    KENConfig,
    LayerPlan,
    Method,
    ModelSummary,
    Plan,
    PruneConfig,
    plan,
    prune,
    register_method,
)


@dataclass(frozen=True, kw_only=True)
class ZeroConfig(PruneConfig):
    method: ClassVar[str] = "zero-for-tests"
    density: float = 0.5
    stages: tuple[int, ...] = ()


def _plan(model, config, *, pretrained, calibration, show_progress):
    layers = tuple(
        LayerPlan(name, p.numel(), p.numel() // 2, p.nbytes, p.nbytes // 2, {"shape": list(p.shape)})
        for name, p in model.named_parameters()
    )
    return Plan(config, ModelSummary.of(model), layers, {"order": torch.arange(3)})


def _apply(model, plan, *, pretrained, calibration, show_progress):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    return {"layers": len(plan.layers)}


register_method(ZeroConfig, Method(_plan, _apply))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Linear(6, 2))


def tensors_file(folder):
    return next(folder.glob("plan-*.safetensors"))


def test_config_goes_through_a_dictionary_and_yaml(tmp_path):
    config = ZeroConfig(density=0.25, targets="query", ignore=["a", "b"], seed=7)
    assert config.targets == ("query",)
    assert ZeroConfig.from_dict(config.to_dict()) == config
    assert PruneConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    file = tmp_path / "config.yaml"
    file.write_text(config.to_yaml())
    assert PruneConfig.from_yaml(file) == config


def test_bare_words_of_yaml_are_words(tmp_path):
    """YAML 1.1 takes ``on`` for true, and a field of KENConfig is called so."""
    file = tmp_path / "ken.yaml"
    file.write_text("density: 0.25\non: delta\nkeep_ties: false\ntargets: [on, yes, No, trueish]\n")
    expected = KENConfig(density=0.25, on="delta", targets=("on", "yes", "No", "trueish"))
    assert KENConfig.from_yaml(file) == expected
    file.write_text(expected.to_yaml())
    assert KENConfig.from_yaml(file) == expected


def test_an_unknown_key_is_an_error_with_near_names(tmp_path):
    with pytest.raises(ValueError, match=r"unknown key 'densty'.*density"):
        ZeroConfig.from_dict({"densty": 0.5})
    file = tmp_path / "config.yaml"
    file.write_text("densty: 0.5\n")
    with pytest.raises(ValueError, match=r"config\.yaml: unknown key 'densty'"):
        ZeroConfig.from_yaml(file)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("a: [1", "not valid YAML"), ("- 1\n", "mapping"), ("method: other\n", "method is 'other'")],
)
def test_a_broken_file_is_named(tmp_path, text, sentence):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises((ValueError, TypeError), match=rf"config\.yaml.*{sentence}"):
        ZeroConfig.from_yaml(file)


@pytest.mark.parametrize(
    "values",
    [{"targets": []}, {"targets": [3]}, {"ignore": ["re:"]}, {"seed": -1}, {"seed": 1.5}, {"seed": True}],
)
def test_bad_common_fields(values):
    with pytest.raises((ValueError, TypeError), match=next(iter(values))):
        ZeroConfig(**values)


def test_a_plan_survives_the_disk(model, tmp_path):
    made = plan(model, ZeroConfig())
    made.save(tmp_path / "plan.json")
    read = Plan.load(tmp_path / "plan.json")
    assert (read.config, read.model, read.layers) == (made.config, made.model, made.layers)
    assert torch.equal(read.tensors["order"], made.tensors["order"])
    assert (read.parameters, read.kept, read.bytes, read.kept_bytes) == (44, 22, 176, 88)
    assert read == made
    assert hash(read) == hash(made)
    beside = tensors_file(tmp_path)
    assert beside.name == f"plan-{hashlib.sha256(beside.read_bytes()).hexdigest()[:12]}.safetensors"
    assert len(list(tmp_path.iterdir())) == 2


def test_plans_differ_if_their_tensors_do(model):
    made = plan(model, ZeroConfig())
    other = dataclasses.replace(made, tensors={"order": torch.arange(3).flip(0)})
    assert made != other
    assert made != dataclasses.replace(made, tensors={})
    assert made == dataclasses.replace(other, tensors={"order": torch.arange(3)})
    assert made != "a plan"


def test_saving_a_plan_touches_no_file_but_its_own(model, tmp_path):
    weights = tmp_path / "plan.safetensors"
    weights.write_bytes(b"somebody's model")
    made = plan(model, ZeroConfig())
    made.save(tmp_path / "plan.json")
    made.save(tmp_path / "plan.json")  # the same again
    own = {"plan.json", tensors_file(tmp_path).name}
    assert {p.name for p in tmp_path.iterdir()} == {*own, "plan.safetensors"}
    dataclasses.replace(made, tensors={}).save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json").tensors == {}
    assert weights.read_bytes() == b"somebody's model"


@pytest.mark.parametrize("content", ['{"architectures": ["Llama"]}', "[1]", "notes", b"\xff\xfe"])
def test_a_plan_takes_the_place_of_plans_alone(model, tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    before = path.read_bytes()
    made = plan(model, ZeroConfig())
    with pytest.raises(FileExistsError, match=r"config\.json exists and is no plan: name another file"):
        made.save(path)
    with pytest.raises(FileExistsError, match="exists and is no plan"):
        made.save(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"^there is no directory .*nowhere$"):
        made.save(tmp_path / "nowhere" / "plan.json")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["config.json"]
    path.write_bytes(b"")  # as tempfile makes them
    made.save(path)
    made.save(path)
    assert Plan.load(path) == made


def test_a_new_plan_leaves_the_tensors_that_others_need(model, tmp_path):
    first = plan(model, ZeroConfig())
    second = dataclasses.replace(first, tensors={"order": torch.arange(4)})
    first.save(tmp_path / "plan.json")
    first.save(tmp_path / "plan.txt")  # of the same stem
    shutil.copy(tmp_path / "plan.json", tmp_path / "kept.bak")
    second.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == second
    assert Plan.load(tmp_path / "plan.txt") == first
    assert Plan.load(tmp_path / "kept.bak") == first


def test_a_plan_may_be_renamed_and_moved_with_its_tensors(model, tmp_path):
    made = plan(model, ZeroConfig())
    made.save(tmp_path / "plan.json")
    (tmp_path / "plan.json").rename(tmp_path / "quarter.json")
    assert Plan.load(tmp_path / "quarter.json") == made
    (tmp_path / "elsewhere").mkdir()
    for file in (tmp_path / "quarter.json", tensors_file(tmp_path)):
        file.rename(tmp_path / "elsewhere" / file.name)
    assert Plan.load(tmp_path / "elsewhere" / "quarter.json") == made


def test_a_plan_behind_a_link(model, tmp_path):
    made = plan(model, ZeroConfig())
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "real" / "plan.json")
    made.save(link)
    assert link.is_symlink()
    assert [p.name for p in (tmp_path / "real").glob("plan-*")]
    assert Plan.load(tmp_path / "real" / "plan.json") == made
    assert Plan.load(link) == made

    # as in the hub's cache, where each file is a link to one with another name
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    for number, file in enumerate((tmp_path / "real").iterdir()):
        file.rename(tmp_path / "blobs" / str(number))
        (tmp_path / "snapshot" / file.name).symlink_to(tmp_path / "blobs" / str(number))
    assert Plan.load(tmp_path / "snapshot" / "plan.json") == made


def test_a_plan_names_no_file_elsewhere(model, tmp_path):
    path = tmp_path / "plan.json"
    plan(model, ZeroConfig()).save(path)
    document = json.loads(path.read_text())
    for name in ("/etc/passwd", "../other.safetensors", "inner/other.safetensors", "", ".", 3, None):
        path.write_text(json.dumps(document | {"tensors_file": name}))
        with pytest.raises(ValueError, match=r"plan\.json names a file .* that does not lie beside it"):
            Plan.load(path)


@pytest.mark.parametrize("step", ["write_tensors", "write_json"])
def test_a_plan_that_cannot_be_saved_leaves_the_old_one(model, tmp_path, monkeypatch, step):
    path = tmp_path / "plan.json"
    old = plan(model, ZeroConfig())
    old.save(path)
    new = dataclasses.replace(old, tensors={"order": torch.arange(4)})

    def fail(*_):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules[Plan.__module__], step, fail)
        with pytest.raises(OSError, match="disk full"):
            new.save(path)
    assert Plan.load(path) == old


def test_a_plan_file_that_is_not_whole_is_refused(model, tmp_path):
    path = tmp_path / "plan.json"
    plan(model, ZeroConfig()).save(path)
    document = json.loads(path.read_text())

    path.write_text(json.dumps(document | {"format_version": 99}))
    with pytest.raises(ValueError, match="version 99"):
        Plan.load(path)
    path.write_text(json.dumps({key: value for key, value in document.items() if key != "layers"}))
    with pytest.raises(ValueError, match="not a complete plan"):
        Plan.load(path)
    path.write_text(path.read_text()[:-20])
    with pytest.raises(ValueError, match="not valid JSON"):
        Plan.load(path)
    path.write_text(json.dumps(document))
    tensors = tensors_file(tmp_path)
    tensors.write_bytes(tensors.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ValueError, match="sha256"):
        Plan.load(path)
    tensors.unlink()
    with pytest.raises(ValueError, match=rf"plan\.json needs {tensors.name} beside it, which is missing"):
        Plan.load(path)


def test_the_summary_folds_numbered_layers_and_adds_up(model):
    text = plan(model, ZeroConfig(density=0.25)).summary()
    lines = text.splitlines()
    assert "density=0.25" in text
    weight = next(line.split() for line in lines if line.startswith("*.weight"))
    assert weight[1:4] == ["2", "36", "18"]
    assert lines[-1].split() == ["total", "4", "44", "22", "50.0%", "176", "B", "88", "B"]


def test_prune_leaves_the_input_alone_unless_asked(model):
    before = {name: p.clone() for name, p in model.named_parameters()}
    result = prune(model, ZeroConfig())
    assert result.model is not model
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert not any(p.any() for p in result.model.parameters())
    assert prune(model, ZeroConfig(), inplace=True).model is model
    assert not any(p.any() for p in model.parameters())


def test_the_seconds_of_a_report_are_those_of_the_whole_call(model, monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    made = plan(model, ZeroConfig())
    now = next(clock)
    register_method(ZeroConfig, Method(lambda *_, **__: [next(clock) for _ in range(60)] and made, _apply))
    try:
        assert prune(model, ZeroConfig()).report["seconds"] == next(clock) - now - 2 >= 60
    finally:
        register_method(ZeroConfig, Method(_plan, _apply))


def test_both_halves_of_a_method_get_what_it_prepares_once(model):
    prepared, given = [], []

    def prepare(model, pretrained):
        prepared.append((model, pretrained))
        return "prepared"

    def planning(*args, pretrained, **options):
        given.append(pretrained)
        return _plan(*args, pretrained=pretrained, **options)

    def applying(*args, pretrained, **options):
        given.append(pretrained)
        return _apply(*args, pretrained=pretrained, **options)

    base = copy.deepcopy(model)
    register_method(ZeroConfig, Method(planning, applying, prepare))
    try:
        made = prune(model, ZeroConfig(), pretrained=base).plan
        assert prepared == [(model, base)]
        assert given == ["prepared"] * 2
        prune(model, made, pretrained=base)
        assert len(prepared) == 2
        assert given == ["prepared"] * 3
    finally:
        register_method(ZeroConfig, Method(_plan, _apply))


def test_a_plan_is_no_configuration(model):
    with pytest.raises(TypeError, match="config is a Plan, expected one of"):
        plan(model, plan(model, ZeroConfig()))


def test_a_saved_plan_is_applied_to_its_own_model_only(model, tmp_path):
    plan(model, ZeroConfig()).save(tmp_path / "plan.json")
    read = Plan.load(tmp_path / "plan.json")
    report = prune(model, read).report
    assert report == {"method": "zero-for-tests", "layers": 4, "seconds": report["seconds"]}
    torch.manual_seed(1)
    alike = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Linear(6, 2))
    for other in (torch.nn.Sequential(torch.nn.Linear(4, 5)), alike, copy.deepcopy(model).to("meta")):
        with pytest.raises(ValueError, match=r"made for Sequential .* are not those of this Sequential"):
            prune(other, read)


@pytest.mark.parametrize(
    "shape", [(1024, 768), (1024, 1024), (96, 1024, 1), (3, 4096), (1500,), (40, 25), ()]
)
def test_the_signature_looks_at_every_row_and_column(shape):
    """Whatever the lengths have in common; and at all of what is small."""
    model = torch.nn.Module()
    model.weight = torch.nn.Parameter(torch.randn(shape))
    rows = model.weight.detach().reshape(len(model.weight) if len(shape) > 1 else 1, -1)
    small = rows.numel() <= 1024
    places = [(r, c) for r in range(len(rows)) for c in range(rows.shape[1])] if small else []
    places += [(r, slice(None)) for r in range(len(rows))] + [(slice(None), c) for c in range(rows.shape[1])]
    signature = ModelSummary.of(model).signature
    for place in random.Random(0).sample(places, min(200, len(places))):
        kept = rows[place].clone()
        rows[place] = 0  # a neuron, as others prune it
        assert ModelSummary.of(model).signature != signature
        rows[place] = kept
    assert ModelSummary.of(model).signature == signature


def test_an_empty_parameter_has_a_signature():
    model = torch.nn.Module()
    model.weight = torch.nn.Parameter(torch.zeros(3, 0))
    assert ModelSummary.of(model).signature != ModelSummary.of(torch.nn.Module()).signature


def test_an_unknown_configuration_is_refused(model):
    with pytest.raises(TypeError, match=r"config is a dict, .*; PruneConfig\.from_dict makes one of it"):
        plan(model, {"density": 0.5})
