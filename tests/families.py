"""One tiny random model of every family whose FFN blocks are known, built from its configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers as tr

WIDTH = 24
_DECODER = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_HEAD_DIM = _DECODER | {"head_dim": 8}
_ENCODER = {
    k: v for k, v in _DECODER.items() if k not in ("num_key_value_heads", "bos_token_id", "eos_token_id")
}

CAUSAL: dict[str, Callable[[], Any]] = {
    "gpt2": lambda: tr.GPT2LMHeadModel(
        tr.GPT2Config(
            vocab_size=64,
            n_embd=16,
            n_inner=WIDTH,
            n_layer=2,
            n_head=2,
            n_positions=64,
            bos_token_id=1,
            eos_token_id=2,
        )
    ),
    "opt": lambda: tr.OPTForCausalLM(
        tr.OPTConfig(
            vocab_size=64,
            hidden_size=16,
            ffn_dim=WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=64,
            word_embed_proj_dim=16,
            pad_token_id=0,
        )
    ),
    "gpt_neox": lambda: tr.GPTNeoXForCausalLM(tr.GPTNeoXConfig(**_without("num_key_value_heads"))),
    "bloom": lambda: tr.BloomForCausalLM(
        tr.BloomConfig(
            vocab_size=64, hidden_size=16, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=2, pad_token_id=0
        )
    ),
    "llama": lambda: tr.LlamaForCausalLM(tr.LlamaConfig(**_DECODER, tie_word_embeddings=True)),
    "mistral": lambda: tr.MistralForCausalLM(tr.MistralConfig(**_DECODER)),
    "qwen2": lambda: tr.Qwen2ForCausalLM(tr.Qwen2Config(**_DECODER, tie_word_embeddings=True)),
    "qwen3": lambda: tr.Qwen3ForCausalLM(tr.Qwen3Config(**_HEAD_DIM)),
    "gemma": lambda: tr.GemmaForCausalLM(tr.GemmaConfig(**_HEAD_DIM)),
    "gemma2": lambda: tr.Gemma2ForCausalLM(tr.Gemma2Config(**_HEAD_DIM, query_pre_attn_scalar=8)),
    "gemma3_text": lambda: tr.Gemma3ForCausalLM(tr.Gemma3TextConfig(**_HEAD_DIM, query_pre_attn_scalar=8)),
    "phi3": lambda: tr.Phi3ForCausalLM(tr.Phi3Config(**_DECODER)),
}

ENCODER: dict[str, Callable[[], Any]] = {
    "bert": lambda: tr.BertForSequenceClassification(tr.BertConfig(**_ENCODER)),
    "roberta": lambda: tr.RobertaForSequenceClassification(
        tr.RobertaConfig(**_ENCODER | {"pad_token_id": 1})
    ),
    "xlm-roberta": lambda: tr.XLMRobertaForSequenceClassification(
        tr.XLMRobertaConfig(**_ENCODER | {"pad_token_id": 1})
    ),
    "deberta-v2": lambda: tr.DebertaV2ForSequenceClassification(
        tr.DebertaV2Config(
            **_ENCODER, relative_attention=True, pos_att_type=["p2c", "c2p"], max_relative_positions=16
        )
    ),
    "electra": lambda: tr.ElectraForSequenceClassification(tr.ElectraConfig(**_ENCODER, embedding_size=8)),
    "distilbert": lambda: tr.DistilBertForSequenceClassification(
        tr.DistilBertConfig(
            vocab_size=64,
            dim=16,
            hidden_dim=WIDTH,
            n_layers=2,
            n_heads=2,
            max_position_embeddings=64,
            pad_token_id=0,
        )
    ),
}

VISION: dict[str, Callable[[], Any]] = {
    "vit": lambda: tr.ViTForImageClassification(
        tr.ViTConfig(
            hidden_size=16,
            intermediate_size=WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=16,
            patch_size=4,
        )
    ),
}

ALL = CAUSAL | ENCODER | VISION


def _without(*names: str) -> dict[str, Any]:
    return {key: value for key, value in _DECODER.items() if key not in names}


def tiny(kind: str, seed: int = 0) -> Any:
    """A tiny model in evaluation mode, with biases that are not zero and weights large enough to matter."""
    torch.manual_seed(seed)
    model = ALL[kind]().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.2)
            elif parameter.dim() == 2:
                parameter.mul_(5)
    return model


def inputs(kind: str, batch: int = 4, length: int = 12, seed: int = 1) -> dict[str, torch.Tensor]:
    """A batch without padding."""
    generator = torch.Generator().manual_seed(seed)
    if kind in VISION:
        return {"pixel_values": torch.randn(batch, 3, 16, 16, generator=generator)}
    ids = torch.randint(3, 64, (batch, length), generator=generator)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
