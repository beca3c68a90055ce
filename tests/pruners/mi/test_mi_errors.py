"""What the MI pruner refuses, each in a sentence; and its configuration as a dictionary."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
import torch
import transformers as tr

from pruning_ext import KENConfig, plan, prune
from pruning_ext.pruners import Calibration, MIConfig, PruningWarning
from tests.calibration.test_batches import tokenizer
from tests.pruners.mi.test_mi import batches, config
from tests.tiny_models import tiny


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"ratio": 0.01}, r"ratio is 0\.01: it rounds to 0 neurons of FFN block model\.layers\.0"),
        ({"ratio": 0.95}, r"ratio is 0\.95: it rounds to all 24 neurons"),
        ({"ratio": None, "width": 24}, "width is 24: FFN block .* has 24 neurons, so none would go"),
        ({"round_to": 24}, "round_to is 24: FFN block .* has only 24 neurons"),
        ({"ratio": 0.01, "allocation": "global"}, "rounds to 0 neurons"),
    ],
)
def test_removing_nothing_or_everything_is_a_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        plan(tiny("llama"), config(**fields), calibration=batches("llama"))


def test_missing_inputs_are_sentences() -> None:
    model = tiny("llama")
    with pytest.raises(ValueError, match="calibration is missing"):
        plan(model, config())
    with pytest.raises(ValueError, match="calibration is empty"):
        plan(model, config(), calibration=[])
    with pytest.raises(ValueError, match="calibration is empty"):
        plan(model, config(), calibration=Calibration(["", ""], tokenizer))
    with pytest.raises(ValueError, match="calibration has 1 token"):
        plan(model, config(), calibration=torch.tensor([[5]]))
    with pytest.raises(ValueError, match="pretrained is given"):
        plan(model, config(), calibration=batches("llama"), pretrained=model)
    with torch.device("meta"):
        ghost = tr.LlamaForCausalLM(model.config)
    with pytest.raises(ValueError, match=r"tensor model\.embed_tokens\.weight is on the meta device"):
        plan(ghost, config(), calibration=batches("llama"))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "exactly one of ratio, width and threshold, got none"),
        ({"ratio": 0.5, "width": 8}, "got ratio and width"),
        ({"ratio": 1.5}, r"ratio must lie between 0 and 1, both excluded, got 1\.5"),
        ({"ratio": 1.0}, r"ratio must lie between 0 and 1, both excluded, got 1\.0"),
        ({"ratio": 0}, r"ratio must lie between 0 and 1, both excluded, got 0"),
        ({"ratio": float("nan")}, r"ratio must lie between 0 and 1, both excluded, got nan"),
        ({"ratio": 0.5, "selection": "best"}, "selection must be one of joint"),
        ({"ratio": 0.5, "estimator": "kde"}, "estimator must be one of"),
        ({"ratio": 0.5, "compensation": "magic"}, "compensation must be one of"),
        ({"ratio": 0.5, "metric": "max"}, "metric must be one of"),
        ({"ratio": 0.5, "strategy": "kmeans"}, "strategy must be one of"),
        ({"ratio": 0.5, "bins": 1}, "bins must be at least 2"),
        ({"ratio": 0.5, "bins": 2, "strategy": "zero-quantile"}, "bins must be at least 3"),
        ({"ratio": 0.5, "bins": 257}, "bins must be at most 256"),
        ({"ratio": 0.5, "ridge": 0.0}, "ridge must be a finite number above 0"),
        ({"ratio": 0.5, "round_to": 0}, "round_to must be at least 1"),
        ({"ratio": 0.5, "max_tokens": 1}, "max_tokens must be at least 2"),
        (
            {"ratio": 0.5, "bins": 8},
            "bins belongs to the selections joint, .*: 'importance' ",
        ),
        ({"ratio": 0.5, "selection": "random", "estimator": "renyi"}, "'random' looks at no pairs"),
        ({"ratio": 0.5, "strategy": "uniform"}, "strategy belongs to the selections"),
        ({"ratio": 0.5, "max_tokens": 64}, "max_tokens belongs to the selections"),
        ({"threshold": 0.1}, "threshold belongs to selection 'random_pairs'"),
        ({"width": 8, "allocation": "global"}, "allocation 'global' needs ratio"),
        ({"ratio": 0.5, "allocation": "global", "selection": "random"}, "selection 'random' has none"),
        ({"ratio": 0.5, "allocation": "global", "recalibrate": True}, "cannot recalibrate"),
    ],
)
def test_bad_configurations_are_sentences(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        MIConfig(**fields)


def test_names_instead_of_models_are_a_sentence() -> None:
    with pytest.raises(TypeError, match=r"model is a str, expected a torch\.nn\.Module: load it"):
        plan("some/model", config(), calibration=batches("llama"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="pretrained is a str"):
        prune(tiny("llama"), KENConfig(density=0.5), pretrained="some/base")  # type: ignore[arg-type]


@pytest.mark.parametrize("role", ["model", "pretrained"])
@pytest.mark.parametrize(
    "quantization",
    [{"quant_method": "fp8"}, tr.BitsAndBytesConfig(load_in_8bit=True)],
    ids=["file", "memory"],
)
def test_quantized_models_are_a_sentence(quantization: Any, role: str) -> None:
    models = {"model": tiny("llama"), "pretrained": tiny("llama", seed=1)}
    models[role].config.quantization_config = quantization
    method = "fp8" if isinstance(quantization, dict) else "bitsandbytes"
    sentence = rf"{role} is quantized \({method}\): pruning needs the weights"
    for call in (plan, prune):
        with pytest.raises(ValueError, match=sentence):
            call(models["model"], KENConfig(density=0.5), pretrained=models["pretrained"])
        if role == "model":
            with pytest.raises(ValueError, match=sentence):
                call(models["model"], config(), calibration=batches("llama"))


def test_config_round_trips_through_a_dictionary() -> None:
    settings = MIConfig(ratio=0.25, selection="greedy", targets=("layers.1",), bins=8)
    assert MIConfig.from_dict(settings.to_dict()) == settings


@pytest.mark.parametrize(
    ("tokens", "fields", "sentences"),
    [
        (16, {"selection": "importance"}, ["the refit had 16 calibration tokens for 16 kept neurons"]),
        (17, {"selection": "importance"}, []),
        (16, {"selection": "importance", "compensation": "none"}, []),
        (17, {"bins": 2}, ["estimated from 17 tokens in 2 bins, .* 64 tokens"]),
        (32, {"bins": 2}, []),
        (63, {}, ["estimated from 63 tokens in 4 bins, .* 256 tokens"]),
        (64, {}, []),
        (64, {"max_tokens": 20}, ["estimated from 20 tokens"]),
        (64, {"estimator": "renyi", "max_tokens": 20}, []),
        (16, {}, ["estimated from 16 tokens", "refit had 16"]),
        (40, {"allocation": "global"}, ["estimated from 40 tokens"]),
        (3, {"selection": "random", "compensation": "none"}, []),
    ],
)
def test_too_few_tokens_are_warned_of(tokens: int, fields: dict[str, Any], sentences: list[str]) -> None:
    ids = torch.arange(3, 3 + tokens)[None] % 64
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", PruningWarning)
        plan(tiny("llama"), config(**fields), calibration=ids)
    assert len(seen) == len(sentences)
    for found, sentence in zip(seen, sentences, strict=True):
        assert re.search(sentence, str(found.message))
        assert found.filename == __file__


def test_images_count_by_their_patches() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plan(tiny("vit"), config(bins=2), calibration=torch.randn(2, 3, 16, 16))  # 34 patches


@pytest.mark.parametrize(
    ("fields", "idle"),
    [
        ({"ratio": 0.25}, {"estimator", "bins", "strategy"}),
        ({"ratio": 0.25, "selection": "joint"}, set()),
        ({"width": 8, "selection": "joint"}, {"round_to"}),
        ({"ratio": 0.25, "selection": "greedy", "compensation": "none", "ridge": 0.5}, {"ridge"}),
        ({"threshold": -1.0, "selection": "random_pairs"}, {"metric"}),
        (
            {"ratio": 0.25, "selection": "random", "compensation": "none"},
            {"metric", "ridge", "estimator", "bins", "strategy"},
        ),
    ],
)
def test_what_is_told_of_a_configuration_decides_something(fields: dict[str, Any], idle: set[str]) -> None:
    settings = MIConfig(**fields)
    told = settings.settings()
    given = {name for name, value in settings.to_dict().items() if value is not None and value != []}
    assert given - told.keys() == idle
    assert plan_of(MIConfig.from_dict(told)) == plan_of(settings)
    line = plan(tiny("llama"), settings, calibration=batches("llama")).summary().splitlines()[1]
    assert {word.partition("=")[0].strip() for word in line.split(", ")} == told.keys() - {"method"}


def plan_of(settings: MIConfig) -> list[Any]:
    settings = MIConfig.from_dict(settings.to_dict() | {"bins": 4 if settings.pairwise else 16})
    made = plan(tiny("llama"), settings, calibration=batches("llama"))
    return [dict(layer.details) for layer in made.layers]
