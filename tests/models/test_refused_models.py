"""Models whose tensors are not what they seem: each refused with a sentence, before any work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.utils.prune as torch_prune
import transformers as tr
from torch import nn

from pruning_ext import KENConfig, MIConfig, export, plan, prune, save_delta
from tests.tiny_models import inputs, tiny


class LoraLayer(nn.Linear):
    """As PEFT puts it in the place of a linear layer."""


LoraLayer.__module__ = "peft.tuners.lora.layer"


class Sharded(nn.Parameter):
    """As a DTensor or a quantized tensor: of a type of its own."""


def with_adapter() -> Any:
    model = tiny("llama")
    attention = model.model.layers[0].self_attn
    attention.q_proj = LoraLayer(*attention.q_proj.weight.shape[::-1])
    return model


def sharded() -> Any:
    model = tiny("llama")
    attention = model.model.layers[1].self_attn
    attention.k_proj.weight = Sharded(attention.k_proj.weight.detach())
    return model


CALLS: dict[str, Callable[[Any, Path], Any]] = {
    "MI": lambda model, _: prune(model, MIConfig(ratio=0.34), calibration=inputs("llama"), inplace=True),
    "plan": lambda model, _: plan(model, MIConfig(ratio=0.34), calibration=inputs("llama")),
    "KEN": lambda model, _: prune(model, KENConfig(density=0.5), pretrained=tiny("llama")),
    "pretrained": lambda model, _: prune(tiny("llama"), KENConfig(density=0.5), pretrained=model),
    "save_delta": lambda model, path: save_delta(model, tiny("llama"), path / "delta"),
    "export": lambda model, path: export(model, path / "model"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (with_adapter, r"has adapters \(model\.layers\.0\.self_attn\.q_proj is a peft\..*merge"),
        (sharded, r"parameter model\.layers\.1\.self_attn\.k_proj\.weight is a Sharded.*full_tensor"),
    ],
)
def test_adapters_and_sharded_parameters(
    call: str, made: Callable[[], Any], sentence: str, tmp_path: Path
) -> None:
    model = made()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match=sentence):
        CALLS[call](model, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_masks_that_make_a_weight_anew() -> None:
    model = tiny("llama")
    torch_prune.l1_unstructured(model.model.layers[0].mlp.down_proj, "weight", amount=0.5)
    with pytest.raises(ValueError, match=r"layers\.0\.mlp\.down_proj computes its weight .*prune\.remove"):
        prune(model, MIConfig(ratio=0.34), calibration=inputs("llama"), inplace=True)
    torch_prune.remove(model.model.layers[0].mlp.down_proj, "weight")
    prune(model, MIConfig(ratio=0.34), calibration=inputs("llama"), inplace=True)


SIZE: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
IMAGES: dict[str, Any] = {"image_size": 16, "patch_size": 4}


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (
            lambda: tr.MambaForCausalLM(tr.MambaConfig(vocab_size=64, hidden_size=16, num_hidden_layers=1)),
            "not known; supported",
        ),
        (
            lambda: tr.WhisperModel(
                tr.WhisperConfig(
                    vocab_size=64,
                    d_model=16,
                    encoder_layers=1,
                    decoder_layers=1,
                    encoder_attention_heads=2,
                    decoder_attention_heads=2,
                    encoder_ffn_dim=24,
                    decoder_ffn_dim=24,
                    pad_token_id=0,
                    bos_token_id=1,
                    eos_token_id=2,
                    decoder_start_token_id=1,
                )
            ),
            "not known; supported",
        ),
        (
            lambda: tr.MixtralForCausalLM(
                tr.MixtralConfig(**SIZE, num_key_value_heads=2, num_local_experts=2)
            ),
            "mixture of experts",
        ),
        (
            lambda: tr.LlavaForConditionalGeneration(
                tr.LlavaConfig(
                    text_config=tr.LlamaConfig(**SIZE),
                    vision_config=tr.CLIPVisionConfig(
                        hidden_size=16,
                        intermediate_size=24,
                        num_hidden_layers=1,
                        num_attention_heads=2,
                        **IMAGES,
                    ),
                )
            ),
            r"not known, but .*language_model in it is a llama, which can be pruned by itself",
        ),
    ],
)
def test_a_family_that_is_not_known_is_called_what_it_is(made: Callable[[], Any], sentence: str) -> None:
    """Three dimensions are no experts: class tokens, convolutions and positions have them too."""
    with pytest.raises(ValueError, match=sentence):
        prune(made(), MIConfig(ratio=0.25), calibration=torch.ones(2, 8, dtype=torch.int64))


def test_export_says_at_once_what_it_needs(tmp_path: Path) -> None:
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = tiny("bert")
            self.config = self.bert.config

    with pytest.raises(TypeError, match="Tagger has no save_pretrained"):
        export(Tagger(), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
