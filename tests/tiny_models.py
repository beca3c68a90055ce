"""Random models of a few thousand parameters as pairs (fine-tuned, pretrained), each difficult in its way."""

from __future__ import annotations

import copy

import torch
import transformers
from torch import Tensor, nn

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
VOCABULARY = 53


def _bert() -> tuple[nn.Module, nn.Module]:
    """A new head, and names that differ by the prefix ``bert.``."""
    config = transformers.BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=37,
        max_position_embeddings=20,
        num_labels=3,
    )
    model, base = (
        transformers.BertForSequenceClassification(config),
        transformers.BertModel(copy.copy(config)),
    )
    model.bert.load_state_dict(base.state_dict())
    return model, base


def _gpt2() -> tuple[nn.Module, nn.Module]:
    """Tied embeddings, Conv1D."""
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=16,
        n_layer=2,
        n_head=2,
        n_positions=20,
        bos_token_id=1,
        eos_token_id=2,
    )
    model, base = transformers.GPT2LMHeadModel(config), transformers.GPT2LMHeadModel(copy.copy(config))
    model.load_state_dict(base.state_dict())
    return model, base


def _llama() -> tuple[nn.Module, nn.Module]:
    """Untied head, no biases, grouped attention."""
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=False,
    )
    model, base = transformers.LlamaForCausalLM(config), transformers.LlamaForCausalLM(copy.copy(config))
    model.load_state_dict(base.state_dict())
    return model, base


def _vit() -> tuple[nn.Module, nn.Module]:
    """Parameters of three and four dimensions, a new head."""
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        image_size=8,
        patch_size=4,
        num_labels=5,
    )
    model = transformers.ViTForImageClassification(config)
    base = transformers.ViTModel(copy.copy(config), add_pooling_layer=False)
    model.vit.load_state_dict(base.state_dict())
    return model, base


FAMILIES = {"bert": _bert, "gpt2": _gpt2, "llama": _llama, "vit": _vit}


def make_pair(family: str, dtype: torch.dtype = torch.float32) -> tuple[nn.Module, nn.Module]:
    """``(fine-tuned, pretrained)``: every fine-tuned value has moved, in a way that every dtype can show."""
    torch.manual_seed(0)
    model, base = FAMILIES[family]()
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
