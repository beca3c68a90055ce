"""Random models of a few thousand parameters: one of each family with known FFN blocks, and pairs.

:func:`tiny` and :func:`inputs` make a model of a family in :data:`ALL` and a batch for it; :func:`make_pair`
a fine-tuned model of a family in :data:`FAMILIES` and its base, each pair difficult in its way.
"""

from __future__ import annotations

import copy
from functools import partial
from typing import Any, NamedTuple

import torch
import transformers as tr
from torch import Tensor, nn

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
WIDTH = 24


class Family(NamedTuple):
    """A class of models, that of their configurations, and the settings that make one tiny."""

    model: Any
    config: Any
    settings: dict[str, Any]

    def make(self) -> Any:
        return self.model(self.config(**self.settings))


_SPECIAL = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
_ENCODER = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
_NEOX = _ENCODER | _SPECIAL
_DECODER = _NEOX | {"num_key_value_heads": 2}
_HEAD_DIM = _DECODER | {"head_dim": 8}
_GPT2 = {
    "vocab_size": 64,
    "n_embd": 16,
    "n_inner": WIDTH,
    "n_layer": 2,
    "n_head": 2,
    "n_positions": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_OPT = {
    "vocab_size": 64,
    "hidden_size": 16,
    "ffn_dim": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "word_embed_proj_dim": 16,
    "pad_token_id": 0,
}
_DEBERTA = _ENCODER | {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "max_relative_positions": 16,
}
_DISTILBERT = {
    "vocab_size": 64,
    "dim": 16,
    "hidden_dim": WIDTH,
    "n_layers": 2,
    "n_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
_VIT = {
    "hidden_size": 16,
    "intermediate_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 4,
}

CAUSAL = {
    "gpt2": Family(tr.GPT2LMHeadModel, tr.GPT2Config, _GPT2),
    "opt": Family(tr.OPTForCausalLM, tr.OPTConfig, _OPT),
    "gpt_neox": Family(tr.GPTNeoXForCausalLM, tr.GPTNeoXConfig, _NEOX),
    "bloom": Family(
        tr.BloomForCausalLM,
        tr.BloomConfig,
        _SPECIAL | {"vocab_size": 64, "hidden_size": 16, "n_layer": 2, "n_head": 2},
    ),
    "llama": Family(tr.LlamaForCausalLM, tr.LlamaConfig, _DECODER | {"tie_word_embeddings": True}),
    "mistral": Family(tr.MistralForCausalLM, tr.MistralConfig, _DECODER),
    "qwen2": Family(tr.Qwen2ForCausalLM, tr.Qwen2Config, _DECODER | {"tie_word_embeddings": True}),
    "qwen3": Family(tr.Qwen3ForCausalLM, tr.Qwen3Config, _HEAD_DIM),
    "gemma": Family(tr.GemmaForCausalLM, tr.GemmaConfig, _HEAD_DIM),
    "gemma2": Family(tr.Gemma2ForCausalLM, tr.Gemma2Config, _HEAD_DIM | {"query_pre_attn_scalar": 8}),
    "gemma3_text": Family(
        tr.Gemma3ForCausalLM, tr.Gemma3TextConfig, _HEAD_DIM | {"query_pre_attn_scalar": 8}
    ),
    "phi3": Family(tr.Phi3ForCausalLM, tr.Phi3Config, _DECODER),
}
ENCODER = {
    "bert": Family(tr.BertForSequenceClassification, tr.BertConfig, _ENCODER),
    "roberta": Family(tr.RobertaForSequenceClassification, tr.RobertaConfig, _ENCODER | {"pad_token_id": 1}),
    "xlm-roberta": Family(
        tr.XLMRobertaForSequenceClassification, tr.XLMRobertaConfig, _ENCODER | {"pad_token_id": 1}
    ),
    "deberta-v2": Family(tr.DebertaV2ForSequenceClassification, tr.DebertaV2Config, _DEBERTA),
    "electra": Family(
        tr.ElectraForSequenceClassification, tr.ElectraConfig, _ENCODER | {"embedding_size": 8}
    ),
    "distilbert": Family(tr.DistilBertForSequenceClassification, tr.DistilBertConfig, _DISTILBERT),
}
VISION = {"vit": Family(tr.ViTForImageClassification, tr.ViTConfig, _VIT)}
ALL = CAUSAL | ENCODER | VISION


class _Pair(NamedTuple):
    """What makes the base of a fine-tuned model, and the settings in which both differ from the family."""

    base: Any
    changed: dict[str, Any]

    def make(self, family: Family) -> tuple[nn.Module, nn.Module]:
        config = family.config(**family.settings | self.changed)
        model, base = family.model(config), self.base(copy.copy(config))
        body = model if isinstance(base, type(model)) else getattr(model, model.base_model_prefix)
        body.load_state_dict(base.state_dict())
        return model, base


FAMILIES = {
    # A new head, names that differ by the prefix ``bert.``, rows of odd length.
    "bert": _Pair(
        tr.BertModel,
        {"vocab_size": 53, "intermediate_size": 37, "max_position_embeddings": 20, "num_labels": 3},
    ),
    # Tied embeddings, Conv1D.
    "gpt2": _Pair(tr.GPT2LMHeadModel, {"vocab_size": 53, "n_inner": None, "n_positions": 20}),
    # Untied head, no biases, grouped attention.
    "llama": _Pair(
        tr.LlamaForCausalLM,
        {
            "vocab_size": 53,
            "intermediate_size": 40,
            "num_attention_heads": 4,
            "max_position_embeddings": 2048,
            "pad_token_id": None,
            "tie_word_embeddings": False,
        },
    ),
    # Parameters of three and four dimensions, a new head.
    "vit": _Pair(
        partial(tr.ViTModel, add_pooling_layer=False),
        {"num_hidden_layers": 1, "image_size": 8, "num_labels": 5},
    ),
}


def tiny(kind: str, seed: int = 0) -> Any:
    """A tiny model in evaluation mode, with biases that are not zero and weights large enough to matter."""
    torch.manual_seed(seed)
    model = ALL[kind].make().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.2)
            elif parameter.dim() == 2:
                parameter.mul_(5)
    return model


def inputs(kind: str, batch: int = 4, length: int = 12, seed: int = 1) -> dict[str, Tensor]:
    """A batch without padding."""
    generator = torch.Generator().manual_seed(seed)
    if kind in VISION:
        return {"pixel_values": torch.randn(batch, 3, 16, 16, generator=generator)}
    ids = torch.randint(3, 64, (batch, length), generator=generator)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def make_pair(family: str, dtype: torch.dtype = torch.float32) -> tuple[nn.Module, nn.Module]:
    """``(fine-tuned, pretrained)``: every fine-tuned value has moved, in a way that every dtype can show."""
    torch.manual_seed(0)
    model, base = FAMILIES[family].make(ALL[family])
    model, base = model.to(dtype).eval(), base.to(dtype).eval()
    with torch.no_grad():
        for parameter in base.parameters():  # norms and biases start at 0 and 1, which hides mistakes
            parameter.normal_(0, 0.5)
        for name, tensor in base_state(model, base).items():
            model.get_parameter(name).copy_(tensor)
        for parameter in model.parameters():
            parameter.mul_(1.25).add_(torch.randn_like(parameter) * 0.05)
    return model, base


def base_state(model: nn.Module, base: nn.Module) -> dict[str, Tensor]:
    """The base's parameters under the names they have in ``model``."""
    state = {name: p.detach() for name, p in base.named_parameters(remove_duplicate=False)}
    prefix = model.base_model_prefix + "."
    found = {}
    for name, _ in model.named_parameters(remove_duplicate=False):
        for spelling in (name, name.removeprefix(prefix)):
            if spelling in state:
                found[name] = state[spelling]
    return found


def bits(tensor: Tensor) -> Tensor:
    """The bit patterns of ``tensor``."""
    sizes = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    return tensor.detach().contiguous().view(sizes[tensor.element_size()])


def assert_same_bits(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Names, dtypes, shapes and every bit agree; the worst tensor is named."""
    assert list(found) == list(expected)
    for name, tensor in found.items():
        assert (tensor.dtype, tensor.shape) == (expected[name].dtype, expected[name].shape), name
        wrong = int((bits(tensor) != bits(expected[name])).sum())
        assert not wrong, f"{name}: {wrong} of {tensor.numel()} entries differ"


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the state dict."""
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}
