"""The families whose feed-forward blocks are known: a table of their places within a layer.

The table has for every family: which linear maps write the hidden neurons, which one reads them, and the
field of the configuration that holds their number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class Layout:
    """Module names within a block: ``inputs`` write the neurons, ``down`` reads them.

    A fused input stacks ``fused`` maps of the block's width along its outputs (Phi-3: gate over up).
    """

    inputs: tuple[str, ...]
    down: str
    fused: int = 1


@dataclass(frozen=True)
class Family:
    """The layouts a family has had over the versions of transformers, and its configuration's width field."""

    layouts: tuple[Layout, ...]
    width_field: str | None


_ENCODER = Layout(("intermediate.dense",), "output.dense")
_GATED = Layout(("mlp.gate_proj", "mlp.up_proj"), "mlp.down_proj")
_FOUR_H = Layout(("mlp.dense_h_to_4h",), "mlp.dense_4h_to_h")
_FULLY = Layout(("mlp.fc1",), "mlp.fc2")

_BERT = Family((_ENCODER,), "intermediate_size")
_LLAMA = Family((_GATED,), "intermediate_size")
_FUSED = Family((Layout(("mlp.gate_up_proj",), "mlp.down_proj", fused=2),), "intermediate_size")
_PLAIN = Family((Layout(("mlp.up_proj",), "mlp.down_proj"),), "intermediate_size")
_GPT2 = Family((Layout(("mlp.c_fc",), "mlp.c_proj"),), "n_inner")
_STARCODER = Family((Layout(("mlp.c_fc",), "mlp.c_proj"),), "intermediate_size")
_GPTJ = Family((Layout(("mlp.fc_in",), "mlp.fc_out"),), "n_inner")
_NEOX = Family((_FOUR_H,), "intermediate_size")
_PHI = Family((_FULLY,), "intermediate_size")
_VIT = Family((_FULLY, _ENCODER), "intermediate_size")

FAMILIES: Mapping[str, Family] = {
    # encoders of text
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "deberta-v2", "electra"), _BERT),
    **dict.fromkeys(("camembert", "mpnet", "deberta", "ernie", "data2vec-text", "xlm-roberta-xl"), _BERT),
    **dict.fromkeys(("roberta-prelayernorm", "esm", "longformer", "layoutlm"), _BERT),
    "distilbert": Family((Layout(("ffn.lin1",), "ffn.lin2"),), "hidden_dim"),
    "modernbert": Family((Layout(("mlp.Wi",), "mlp.Wo", fused=2),), "intermediate_size"),
    **dict.fromkeys(("nomic_bert", "eurobert"), _LLAMA),
    # decoders
    **dict.fromkeys(("gpt2", "gpt_bigcode"), _GPT2),
    **dict.fromkeys(("gpt_neo", "starcoder2"), _STARCODER),
    **dict.fromkeys(("gptj", "codegen"), _GPTJ),
    "opt": Family((Layout(("fc1",), "fc2"),), "ffn_dim"),
    "xglm": Family((Layout(("fc1",), "fc2"),), "ffn_dim"),
    "biogpt": Family((Layout(("fc1",), "fc2"),), "intermediate_size"),
    **dict.fromkeys(("gpt_neox", "persimmon"), _NEOX),
    "bloom": Family((_FOUR_H,), None),  # the width is four times hidden_size, whatever the configuration says
    **dict.fromkeys(("llama", "mistral", "ministral", "qwen2", "qwen3"), _LLAMA),  # SmolLM2 is a llama
    **dict.fromkeys(("gemma", "gemma2", "gemma3_text", "smollm3", "olmo", "olmo2", "olmo3"), _LLAMA),
    **dict.fromkeys(("granite", "stablelm", "cohere", "cohere2", "exaone4", "helium"), _LLAMA),
    **dict.fromkeys(("ernie4_5", "seed_oss", "hunyuan_v1_dense"), _LLAMA),
    **dict.fromkeys(("phi3", "glm", "glm4"), _FUSED),
    **dict.fromkeys(("nemotron", "arcee", "apertus"), _PLAIN),
    "phi": _PHI,
    # images, and the two towers of CLIP
    **dict.fromkeys(("vit", "deit", "vit_msn", "ijepa"), _VIT),
    "dinov3_vit": _PLAIN,
    **dict.fromkeys(("clip_vision_model", "clip_text_model", "siglip_text_model"), _PHI),
}

_EXPERT_COUNTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")


def family_of(model: nn.Module) -> Family:
    """The family of a Hugging Face model by its configuration's ``model_type``.

    Raises:
        ValueError: mixture of experts, or an architecture that is not in the table.
    """
    config = getattr(model, "config", None)
    kind = getattr(config, "model_type", None)
    if kind is None:
        raise ValueError(
            f"model is a {type(model).__name__} without config.model_type: expected a Hugging Face model"
        )
    if kind in FAMILIES:
        return FAMILIES[kind]
    if _has_experts(model):
        raise ValueError(
            f"model is a mixture of experts ({type(model).__name__}, model_type {kind!r}): "
            "its neurons are routed, which MI pruning does not support"
        )
    raise ValueError(
        f"the FFN blocks of {type(model).__name__} (model_type {kind!r}) are not known"
        f"{_known_part(model)}; supported model types: {', '.join(FAMILIES)}"
    )


def _has_experts(model: nn.Module) -> bool:
    config = getattr(model, "config", None)
    counts = (getattr(config, name, None) for name in _EXPERT_COUNTS)
    if any(isinstance(count, int) and count > 1 for count in counts):
        return True
    return any("experts" in name.split(".") for name, _ in model.named_modules())


def _known_part(model: nn.Module) -> str:
    """A hint at the largest module inside whose family is known, a language model with an image tower say."""
    parts = {
        name: sum(parameter.numel() for parameter in module.parameters())
        for name, module in model.named_modules()
        if name and getattr(getattr(module, "config", None), "model_type", None) in FAMILIES
    }
    if not parts:
        return ""
    largest = max(parts, key=parts.__getitem__)  # of equal ones the outermost, which comes first
    config: Any = model.get_submodule(largest).config
    return f", but {largest} in it is a {config.model_type}, which can be pruned by itself (inplace=True)"
