"""Feed-forward blocks of a model, found by the table of families and checked against its modules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from pruning_ext.models.families import Layout, family_of


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
        return numbers_of(self.down, "weight").shape[in_dim(self.down)]

    @property
    def down_weight(self) -> Tensor:
        """The down projection's weight as ``[hidden, width]``, detached."""
        weight = numbers_of(self.down, "weight")
        return weight if in_dim(self.down) else weight.T

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
                numbers_of(module, "weight").shape[in_dim(module)] + (module.bias is not None)
            )
        return count


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
        outputs = numbers_of(module, "weight").shape[1 - in_dim(module)]
        if outputs != block.width * block.fused:
            raise ValueError(f"module {full} has {outputs} outputs, expected {block.width * block.fused}")
    return block


def in_dim(module: nn.Module) -> int:
    """The dimension of the weight of ``module`` that its inputs run along: ``Conv1D`` holds the transpose."""
    return 0 if isinstance(module, Conv1D) else 1


def numbers_of(module: nn.Module, name: str) -> Tensor:
    """The parameter ``name`` of ``module``, detached."""
    parameter = getattr(module, name)
    assert isinstance(parameter, Tensor)
    return parameter.detach()
