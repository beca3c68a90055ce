"""Models some of whose modules are wrapped, which gives their tensors other names: refused at every door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

from pruning_ext import (
    KENConfig,
    MIConfig,
    apply_delta,
    export,
    load_delta,
    plan,
    prune,
    prune_to_delta,
    save_delta,
)
from tests.tiny_models import make_pair

KEN = KENConfig(density=0.5)
MI = MIConfig(ratio=0.4, round_to=4, selection="random", compensation="none")


class Sharded(nn.Module):
    """A module as FSDP names it, which needs processes to be made."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._fsdp_wrapped_module = module


WRAPPERS: dict[str, Callable[[nn.Module], Any]] = {
    "_orig_mod": lambda module: torch.compile(module, backend="eager"),
    "_checkpoint_wrapped_module": checkpoint_wrapper,
    "_fsdp_wrapped_module": Sharded,
}
DOORS: dict[str, Callable[[Any, Any, Any, Path], Any]] = {
    "plan": lambda wrapped, model, base, out: plan(wrapped, KEN, pretrained=base),
    "prune": lambda wrapped, model, base, out: prune(wrapped, KEN, pretrained=base, inplace=True),
    "prune by a plan": lambda wrapped, model, base, out: prune(
        wrapped, plan(model, KEN, pretrained=base), pretrained=base
    ),
    "prune, pretrained": lambda wrapped, model, base, out: prune(model, KEN, pretrained=wrapped),
    "plan for MI": lambda wrapped, model, base, out: plan(wrapped, MI),
    "prune for MI": lambda wrapped, model, base, out: prune(wrapped, MI, inplace=True),
    "save_delta": lambda wrapped, model, base, out: save_delta(wrapped, base, out),
    "save_delta, base": lambda wrapped, model, base, out: save_delta(model, wrapped, out),
    "prune_to_delta": lambda wrapped, model, base, out: prune_to_delta(wrapped, KEN, out, pretrained=base),
    "load_delta": lambda wrapped, model, base, out: load_delta(wrapped, out.parent / "delta"),
    "apply_delta": lambda wrapped, model, base, out: apply_delta(wrapped, out.parent / "delta", out),
    "export": lambda wrapped, model, base, out: export(wrapped, out),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrapped_modules_are_refused_before_any_work(wrapper: str, door: str, tmp_path: Path) -> None:
    model, base = make_pair("llama")
    save_delta(model, base, tmp_path / "delta")
    wrapped: Any = make_pair("llama")[0]
    before = {name: tensor.clone() for name, tensor in wrapped.state_dict().items()}
    wrapped.model.layers[1] = WRAPPERS[wrapper](wrapped.model.layers[1])
    with pytest.raises(
        ValueError, match=rf"model\.layers\.1 .*: put model\.layers\.1\.{wrapper} in its place"
    ):
        DOORS[door](wrapped, model, base, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"delta"}
    wrapped.model.layers[1] = getattr(wrapped.model.layers[1], wrapper)
    assert all(torch.equal(tensor, before[name]) for name, tensor in wrapped.state_dict().items())


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapped_module_within_a_compiled_model_is_refused(wrapper: str) -> None:
    model, base = make_pair("llama")
    model.lm_head = WRAPPERS[wrapper](model.lm_head)
    with pytest.raises(ValueError, match=rf"^LlamaForCausalLM .* lm_head .* put lm_head\.{wrapper} in its"):
        plan(torch.compile(model, backend="eager"), KEN, pretrained=base)
