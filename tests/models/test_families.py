"""Families that a line of the table serves: pruned, exported, read by plain `from_pretrained`, generating."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tr
from torch import Tensor

from pruning_ext import MIConfig, export, prune
from pruning_ext.models.families import FAMILIES
from pruning_ext.models.ffn import find_blocks
from pruning_ext.pruners.mi.layers import kept_of
from tests.tiny_models import ALL

SIZE: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GROUPED = SIZE | {"num_key_value_heads": 2}
HEAD_DIM = GROUPED | {"head_dim": 8}
PAD_1 = SIZE | {"pad_token_id": 1}
GPT: dict[str, Any] = {
    "vocab_size": 64,
    "n_embd": 16,
    "n_inner": 24,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
NEO = {
    "num_layers": 2,
    "num_heads": 2,
    "attention_types": [[["global", "local"], 1]],
    "max_position_embeddings": 64,
}
XGLM = {"d_model": 16, "ffn_dim": 24, "num_layers": 2, "attention_heads": 2}
IMAGE: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 4,
}

# By model type: the class (its configuration is named by the first part) and the settings that make it tiny.
MORE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "camembert": ("Camembert", "ForSequenceClassification", PAD_1),
    "mpnet": ("MPNet", "ForSequenceClassification", PAD_1),
    "deberta": ("Deberta", "ForSequenceClassification", SIZE),
    "ernie": ("Ernie", "ForSequenceClassification", SIZE),
    "data2vec-text": ("Data2VecText", "ForSequenceClassification", PAD_1),
    "xlm-roberta-xl": ("XLMRobertaXL", "ForSequenceClassification", PAD_1),
    "roberta-prelayernorm": ("RobertaPreLayerNorm", "ForSequenceClassification", PAD_1),
    "esm": ("Esm", "ForSequenceClassification", PAD_1 | {"mask_token_id": 3}),
    "longformer": ("Longformer", "ForSequenceClassification", PAD_1 | {"attention_window": 4}),
    "layoutlm": ("LayoutLM", "ForSequenceClassification", SIZE),
    "modernbert": ("ModernBert", "ForSequenceClassification", SIZE | {"cls_token_id": 1, "sep_token_id": 2}),
    "nomic_bert": ("NomicBert", "Model", SIZE),
    "eurobert": ("EuroBert", "ForSequenceClassification", SIZE),
    "smollm3": ("SmolLM3", "ForCausalLM", GROUPED),
    "olmo": ("Olmo", "ForCausalLM", GROUPED),
    "olmo2": ("Olmo2", "ForCausalLM", GROUPED),
    "olmo3": ("Olmo3", "ForCausalLM", GROUPED),
    "granite": ("Granite", "ForCausalLM", GROUPED),
    "phi": ("Phi", "ForCausalLM", GROUPED),
    "gptj": ("GPTJ", "ForCausalLM", GPT | {"rotary_dim": 4}),
    "codegen": ("CodeGen", "ForCausalLM", GPT | {"rotary_dim": 4}),
    "gpt_neo": ("GPTNeo", "ForCausalLM", SIZE | NEO),
    "gpt_bigcode": ("GPTBigCode", "ForCausalLM", GPT),
    "starcoder2": ("Starcoder2", "ForCausalLM", GROUPED),
    "stablelm": ("StableLm", "ForCausalLM", GROUPED),
    "cohere": ("Cohere", "ForCausalLM", GROUPED),
    "cohere2": ("Cohere2", "ForCausalLM", GROUPED),
    "glm": ("Glm", "ForCausalLM", HEAD_DIM),
    "glm4": ("Glm4", "ForCausalLM", HEAD_DIM),
    "ministral": ("Ministral", "ForCausalLM", HEAD_DIM),
    "exaone4": ("Exaone4", "ForCausalLM", HEAD_DIM | {"sliding_window": 8, "sliding_window_pattern": 2}),
    "nemotron": ("Nemotron", "ForCausalLM", HEAD_DIM),
    "helium": ("Helium", "ForCausalLM", HEAD_DIM),
    "arcee": ("Arcee", "ForCausalLM", HEAD_DIM),
    "ernie4_5": ("Ernie4_5", "ForCausalLM", HEAD_DIM),
    "seed_oss": ("SeedOss", "ForCausalLM", HEAD_DIM),
    "hunyuan_v1_dense": ("HunYuanDenseV1", "ForCausalLM", HEAD_DIM),
    "apertus": ("Apertus", "ForCausalLM", GROUPED),
    "persimmon": ("Persimmon", "ForCausalLM", SIZE),
    "biogpt": ("BioGpt", "ForCausalLM", SIZE),
    "xglm": ("XGLM", "ForCausalLM", SIZE | XGLM),
    "deit": ("DeiT", "ForImageClassification", IMAGE),
    "vit_msn": ("ViTMSN", "ForImageClassification", IMAGE),
    "ijepa": ("IJepa", "ForImageClassification", IMAGE),
    "dinov3_vit": ("DINOv3ViT", "Model", IMAGE),
    "clip_vision_model": ("CLIPVision", "Model", IMAGE),
    "clip_text_model": ("CLIPText", "Model", SIZE),
    "siglip_text_model": ("SiglipText", "Model", SIZE),
}


def test_every_family_is_tested() -> None:
    assert set(FAMILIES) == set(ALL) | set(MORE)


def made(kind: str) -> Any:
    name, head, settings = MORE[kind]
    model, config = (getattr(tr, name + ending, None) for ending in (head, "Config"))
    if model is None or config is None:
        pytest.skip(f"transformers {tr.__version__} has no {name}{head}")
    torch.manual_seed(0)
    return model(config(**settings)).eval()


def given(kind: str) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    if "image_size" in MORE[kind][2]:
        return {"pixel_values": torch.randn(3, 3, 16, 16, generator=generator)}
    ids = torch.randint(4, 64, (6, 12), generator=generator)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def first(output: Any) -> Tensor:
    found: Tensor = output.logits if hasattr(output, "logits") else output[0]
    return found


@pytest.mark.parametrize("kind", MORE)
def test_pruned_is_dense_with_those_neurons_silent(kind: str) -> None:
    model, batch = made(kind), given(kind)
    result = prune(model, MIConfig(ratio=0.34, compensation="none"), calibration=[batch])
    silent = copy.deepcopy(model)
    blocks = find_blocks(silent)
    assert len(blocks) == len(result.plan.layers) == 2
    for layer, block in zip(result.plan.layers, blocks, strict=True):
        gone = torch.ones(block.width, dtype=torch.bool)
        gone[kept_of(layer, block)] = False
        assert int(gone.sum()) == 8
        handle = block.down.register_forward_pre_hook(
            lambda _, args, gone=gone: (args[0].masked_fill(gone, 0), *args[1:])
        )
        assert handle is not None
    with torch.no_grad():
        torch.testing.assert_close(first(result.model(**batch)), first(silent(**batch)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", MORE)
def test_plain_from_pretrained_reads_it_bit_for_bit(kind: str, tmp_path: Path) -> None:
    batch = given(kind)
    pruned: Any = prune(made(kind), MIConfig(ratio=0.34), calibration=[batch]).model
    export(pruned, tmp_path / "pruned")
    again = type(pruned).from_pretrained(tmp_path / "pruned").eval()
    state = pruned.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in again.state_dict().items())
    with torch.no_grad():
        assert torch.equal(first(again(**batch)), first(pruned(**batch)))
        if MORE[kind][1] == "ForCausalLM":
            asked = {"max_new_tokens": 3, "do_sample": False, "pad_token_id": 0}
            assert torch.equal(again.generate(**batch, **asked), pruned.generate(**batch, **asked))
