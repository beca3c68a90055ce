"""The pruners on compiled models, in inference mode, with another default device: the same, or a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pruning_ext import KENConfig, plan, prune
from pruning_ext.choices.criteria import CRITERIA
from pruning_ext.models.ffn import find_blocks
from pruning_ext.pruners import Calibration, Plan, export, load_pruned
from tests.calibration.test_batches import texts, tokenizer
from tests.pruners.mi.test_mi import batches, config, logits
from tests.tiny_models import ALL, assert_same_bits, inputs, make_pair, snapshot, tiny

FISHER: dict[str, Any] = {"selection": "importance", "metric": "fisher"}


@pytest.fixture
def compiled_anew() -> Iterator[None]:
    yield
    torch.compiler.reset()


def assert_same_plan(found: Plan, expected: Plan) -> None:
    assert found.layers == expected.layers
    assert found.model == expected.model
    assert found.tensors.keys() == expected.tensors.keys()
    assert all(torch.equal(tensor, expected.tensors[name]) for name, tensor in found.tensors.items())


@pytest.mark.parametrize("fields", [{}, FISHER, {**FISHER, "allocation": "global"}])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "bert", "deberta-v2", "vit"])
def test_inference_mode_changes_nothing(kind: str, fields: dict[str, Any]) -> None:
    model, settings = tiny(kind), config(**fields)
    expected = plan(model, settings, calibration=batches(kind))
    with torch.inference_mode():
        assert_same_plan(plan(model, settings, calibration=batches(kind)), expected)
        pruned = prune(model, settings, calibration=batches(kind)).model
    dense = prune(model, settings, calibration=batches(kind)).model
    assert torch.equal(logits(pruned, inputs(kind)), logits(dense, inputs(kind)))


@pytest.mark.parametrize("kind", ALL)
def test_a_model_made_in_inference_mode_is_pruned_without_gradients(kind: str) -> None:
    with torch.inference_mode():
        model = tiny(kind)
    expected = plan(tiny(kind), config(), calibration=batches(kind))
    assert_same_plan(plan(model, config(), calibration=batches(kind)), expected)
    result = prune(model, config(), calibration=batches(kind), inplace=True)
    assert torch.equal(
        logits(result.model, inputs(kind)), logits(prune(tiny(kind), expected).model, inputs(kind))
    )
    first = next(name for name, _ in tiny(kind).named_parameters())
    sentence = rf"tensor {first} was made under torch\.inference_mode\(\).* give metric 'norm'"
    with pytest.raises(ValueError, match=sentence):
        plan(model, config(**FISHER), calibration=batches(kind))


@pytest.fixture
def elsewhere() -> Iterator[None]:
    """As users of a GPU set it, only that tensors made there by oversight cannot even be copied back."""
    torch.set_default_device("meta")
    yield
    torch.set_default_device(None)


@pytest.mark.parametrize("criterion", CRITERIA.names)
def test_ken_does_not_depend_on_the_default_device(criterion: str, request: pytest.FixtureRequest) -> None:
    model, base = make_pair("bert")
    settings = KENConfig(density=0.3, criterion=criterion)
    expected = prune(model, settings, pretrained=base)
    request.getfixturevalue("elsewhere")
    found = prune(model, settings, pretrained=base)
    assert found.plan == expected.plan
    assert_same_bits(snapshot(found.model), snapshot(expected.model))


@pytest.mark.parametrize("fields", [FISHER, {"selection": "random_pairs", "estimator": "renyi"}, {}])
@pytest.mark.parametrize("kind", ["llama", "vit"])
def test_mi_does_not_depend_on_the_default_device(
    kind: str, fields: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    given: Any = batches(kind)
    if kind == "llama":
        given = Calibration(texts(), tokenizer, batch_size=2)
    model, settings = tiny(kind), config(**fields)
    expected = prune(model, settings, calibration=given)
    request.getfixturevalue("elsewhere")
    found = prune(model, settings, calibration=given)
    assert_same_plan(found.plan, expected.plan)
    assert_same_bits(snapshot(found.model), snapshot(expected.model))


@pytest.mark.usefixtures("compiled_anew")
@pytest.mark.parametrize("how", ["wrapped", "in place", "layer by layer"])
def test_a_compiled_model_is_pruned_as_any(how: str, tmp_path: Path) -> None:
    settings = config(**FISHER)
    expected = prune(tiny("llama"), settings, calibration=batches("llama"))
    model = tiny("llama")
    compiled: Any = model
    if how == "wrapped":
        compiled = torch.compile(model, backend="aot_eager")
    for module in {"in place": [model], "layer by layer": model.model.layers, "wrapped": []}[how]:
        module.compile(backend="aot_eager")
    before = logits(compiled, inputs("llama"))  # compiled before any hook is there
    result = prune(compiled, settings, calibration=batches("llama"))
    assert_same_plan(result.plan, expected.plan)
    assert torch.equal(logits(compiled, inputs("llama")), before)
    for given in (result, prune(compiled, settings, calibration=batches("llama"), inplace=True)):
        found = logits(given.model, inputs("llama"))
        torch.testing.assert_close(found, logits(expected.model, inputs("llama")), rtol=1e-5, atol=1e-5)
    export(result.model, tmp_path / "smaller")
    loaded = load_pruned(tmp_path / "smaller")
    assert torch.equal(logits(loaded, inputs("llama")), logits(expected.model, inputs("llama")))
    assert {block.width for block in find_blocks(loaded)} == {16}
