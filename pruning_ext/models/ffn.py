"""Feed-forward blocks of transformers: a table of their places, and resizing them in place.

The table has for every family: which linear maps write the hidden neurons, which one reads them, and the
field of the configuration that holds their number. Everything is checked against the modules that are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

WIDTHS_KEY = "pruning_ext_ffn_widths"
"""Configuration key for widths that differ between blocks: ``{block name: width}``."""


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


@dataclass(frozen=True)
class FFNBlock:
    """One feed-forward block of a model; ``name`` is the dotted name of the layer that holds it."""

    name: str
    inputs: tuple[nn.Module, ...]
    down: nn.Module
    down_name: str
    fused: int

    @property
    def width(self) -> int:
        """Number of hidden neurons."""
        return _parameter(self.down, "weight").shape[_in_dim(self.down)]

    @property
    def down_weight(self) -> Tensor:
        """The down projection's weight as ``[hidden, width]``, detached."""
        weight = _parameter(self.down, "weight")
        return weight if _in_dim(self.down) else weight.T

    @property
    def down_bias(self) -> Tensor | None:
        bias = self.down.bias
        return bias.detach() if isinstance(bias, Tensor) else None

    def parameters(self) -> list[Tensor]:
        """The parameters that pruning changes or replaces."""
        return [p for module in (*self.inputs, self.down) for p in module.parameters(recurse=False)]

    def parameters_per_neuron(self) -> int:
        """Number of parameters that go with one neuron."""
        count = self.down_weight.shape[0]
        for module in self.inputs:
            count += self.fused * (
                _parameter(module, "weight").shape[_in_dim(module)] + (module.bias is not None)
            )
        return count


def _in_dim(module: nn.Module) -> int:
    return 0 if isinstance(module, Conv1D) else 1


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


def find_blocks(model: nn.Module) -> list[FFNBlock]:
    """All feed-forward blocks of ``model`` in the order of its modules, which is the order they run in.

    Raises:
        ValueError: an unsupported architecture (:func:`family_of`), or a block of modules that are not plain
            ``nn.Linear`` or ``Conv1D`` (quantised or adapted ones), or blocks that share their weights.
    """
    family = family_of(model)
    modules = dict(model.named_modules(remove_duplicate=False))  # a shared block is to be found twice
    blocks = [
        _block(modules, name.removesuffix(layout.down).removesuffix("."), layout)
        for name in modules
        for layout in family.layouts
        if _ends_with(name, layout.down) and _has_inputs(modules, name, layout)
    ]
    if not blocks:
        expected = " or ".join(layout.down for layout in family.layouts)
        raise ValueError(
            f"{type(model).__name__} has no FFN block: no module named *.{expected} with its inputs beside it"
        )
    owners: dict[int, str] = {}
    for block in blocks:
        for parameter in block.parameters():
            first = owners.setdefault(id(parameter), block.name)
            if first != block.name:
                raise ValueError(
                    f"FFN blocks {first} and {block.name} share weights: they cannot be pruned apart"
                )
    return blocks


def _ends_with(name: str, suffix: str) -> bool:
    return name == suffix or name.endswith("." + suffix)


def _has_inputs(modules: Mapping[str, nn.Module], down: str, layout: Layout) -> bool:
    prefix = down.removesuffix(layout.down)
    return all(prefix + name in modules for name in layout.inputs)


def _block(modules: Mapping[str, nn.Module], name: str, layout: Layout) -> FFNBlock:
    prefix = name + "." if name else ""
    names = [prefix + part for part in (*layout.inputs, layout.down)]
    for full in names:
        if type(modules[full]) not in (nn.Linear, Conv1D):
            raise ValueError(
                f"module {full} is a {type(modules[full]).__module__}.{type(modules[full]).__name__}, "
                "expected nn.Linear or Conv1D: dequantise the model, or merge its adapters, first"
            )
        if not isinstance(modules[full]._parameters.get("weight"), nn.Parameter):
            raise ValueError(
                f"module {full} computes its weight from other tensors, as masks of torch.nn.utils.prune do: "
                "make it a parameter first (prune.remove)"
            )
    block = FFNBlock(
        name, tuple(modules[full] for full in names[:-1]), modules[names[-1]], names[-1], layout.fused
    )
    for full, module in zip(names[:-1], block.inputs, strict=True):
        outputs = _parameter(module, "weight").shape[1 - _in_dim(module)]
        if outputs != block.width * block.fused:
            raise ValueError(f"module {full} has {outputs} outputs, expected {block.width * block.fused}")
    return block


def narrow(block: FFNBlock, keep: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> None:
    """Keep only the neurons ``keep`` (int64, ascending) of ``block``, in place.

    Args:
        weight: a new down projection ``[hidden, len(keep)]`` instead of the kept columns.
        bias: a new bias ``[hidden]`` of the down projection.
    """
    keep = keep.to(block.down_weight.device)
    width = block.width
    rows = torch.cat([keep + part * width for part in range(block.fused)])
    for module in block.inputs:
        _set(module, "weight", _parameter(module, "weight").index_select(1 - _in_dim(module), rows))
        if module.bias is not None:
            _set(module, "bias", _parameter(module, "bias").index_select(0, rows))
    down = _parameter(block.down, "weight").index_select(_in_dim(block.down), keep)
    if weight is not None:
        down = (weight if _in_dim(block.down) else weight.T).to(down).contiguous()
    _set(block.down, "weight", down)
    if bias is not None:
        _set(block.down, "bias", bias.to(_parameter(block.down, "bias")))


def narrow_to(block: FFNBlock, width: int) -> None:
    """Give ``block`` the first ``width`` of its neurons, in place; for models whose values come later."""
    narrow(block, torch.arange(width))


def widen(block: FFNBlock, width: int) -> None:
    """Add neurons that are zero on both sides up to ``width``; what ``block`` computes stays the same."""
    extra = width - block.width
    for module in block.inputs:
        dim = 1 - _in_dim(module)
        for name in ("weight", "bias") if module.bias is not None else ("weight",):
            tensor = _parameter(module, name)
            axis = dim if name == "weight" else 0
            parts = [_padded(part, axis, extra) for part in tensor.chunk(block.fused, axis)]
            _set(module, name, torch.cat(parts, axis))
    _set(block.down, "weight", _padded(_parameter(block.down, "weight"), _in_dim(block.down), extra))


def _padded(tensor: Tensor, dim: int, extra: int) -> Tensor:
    shape = list(tensor.shape)
    shape[dim] = extra
    return torch.cat([tensor, tensor.new_zeros(shape)], dim)


def _parameter(module: nn.Module, name: str) -> Tensor:
    parameter = getattr(module, name)
    assert isinstance(parameter, Tensor)
    return parameter.detach()


def _set(module: nn.Module, name: str, value: Tensor) -> None:
    old = getattr(module, name)
    setattr(module, name, nn.Parameter(value, requires_grad=old.requires_grad))
    if name == "weight":
        outputs, inputs = value.shape if _in_dim(module) else value.T.shape
        fields = ("nf", "nx") if isinstance(module, Conv1D) else ("out_features", "in_features")
        module.__dict__.update(zip(fields, (outputs, inputs), strict=True))


def record_widths(model: nn.Module, blocks: list[FFNBlock]) -> None:
    """Write the widths of ``blocks`` (all of ``model``'s) into its configuration.

    One width for all goes into the family's own field, and plain ``from_pretrained`` builds the model. Widths
    that differ, or a family without such a field, go under :data:`WIDTHS_KEY`, which
    :func:`pruning_ext.load_pruned` reads; the family's field then stays as it was, so that any other loader
    stops at the first tensor whose shape it does not expect.
    """
    config: Any = model.config
    field = family_of(model).width_field
    widths = {block.name: block.width for block in blocks}
    plain = 4 * config.hidden_size if field is None else blocks[0].width
    if set(widths.values()) == {plain}:
        if field is not None:
            setattr(config, field, plain)
        config.__dict__.pop(WIDTHS_KEY, None)
    else:
        setattr(config, WIDTHS_KEY, widths)
    for block in blocks:
        for module in model.get_submodule(block.name).modules():
            if field in module.__dict__:  # some modules remember the width as well
                module.__dict__[field] = block.width
