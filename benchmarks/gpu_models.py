"""Both pruners end to end on models of random weights: seconds for reading, scoring, pruning and writing."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModel, AutoModelForCausalLM, BertConfig, BertModel, LlamaConfig, LlamaForCausalLM
from transformers.utils.logging import disable_progress_bar

from benchmarks.gpu import Subject
from pruning_ext import KENConfig, MIConfig, export, load_delta, plan, prune, save_delta
from pruning_ext.pruners.mi.plan import make_plan

disable_progress_bar()
SMALL = {"hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2, "vocab_size": 100}


# Of logits, relative to the largest: for another width another kernel may make the same product.
MI_LIMIT = 1e-4


class Stopwatch:
    """Seconds by name, the device's work included."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        found = call()
        if self.device == "cuda":
            torch.cuda.synchronize()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started
        return found

    def inside(self, name: str) -> Callable[..., Any]:
        """A stage for the MI pruner: parts of its planning are timed beside ``name``, as ``name: part``."""

        def stage(part: str, function: Callable[..., Any], *given: Any, **options: Any) -> Any:
            return self(f"{name}: {part}", lambda: function(*given, **options))

        return stage


def cases(device: str, smoke: bool, floors: dict[str, Any]) -> Iterator[list[Subject]]:
    """One subject each; its notes are filled with the split of its last run."""
    for name, run, limit in (("KEN, BERT-base", _ken, 0.0), ("MI, Llama of 12 layers", _mi, MI_LIMIT)):
        with tempfile.TemporaryDirectory() as folder:
            prepared = run(Path(folder), device, smoke)
            notes: dict[str, Any] = {}

            def call(
                prepared: Callable[[Stopwatch], float] = prepared, notes: dict[str, Any] = notes
            ) -> float:
                watch = Stopwatch(device)
                error = prepared(watch)
                notes["split_seconds"] = watch.seconds
                return error

            yield [
                Subject(
                    name, "pruning_ext", 1, "models", call, lambda error: error, limit, None, {"split": notes}
                )
            ]


def _ken(folder: Path, device: str, smoke: bool) -> Callable[[Stopwatch], float]:
    """Two models on disk; the delta between them is pruned to a quarter and written."""
    config = BertConfig(**(SMALL | {"intermediate_size": 64} if smoke else {}))
    base = BertModel(config)
    base.save_pretrained(folder / "base")
    with torch.no_grad():
        for parameter in base.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.002)
    base.save_pretrained(folder / "tuned")

    def run(watch: Stopwatch) -> float:
        def read(name: str) -> nn.Module:
            return AutoModel.from_pretrained(folder / name).to(device).eval()

        pretrained, tuned = watch("read", lambda: (read("base"), read("tuned")))
        made = watch("score", lambda: plan(tuned, KENConfig(density=0.25), pretrained=pretrained))
        result = watch("prune", lambda: prune(tuned, made, pretrained=pretrained, inplace=True))
        with tempfile.TemporaryDirectory(dir=folder) as written:
            watch("write", lambda: save_delta(result.model, pretrained, Path(written) / "delta"))
            loaded = dict(load_delta(pretrained, Path(written) / "delta").named_parameters())
        return float(sum((loaded[name] != kept).sum() for name, kept in result.model.named_parameters()))

    return run


def _mi(folder: Path, device: str, smoke: bool) -> Callable[[Stopwatch], float]:
    """A causal language model loses a quarter of its FFN neurons, is written, and read again."""
    sizes = {"hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 12, "vocab_size": 32000}
    sizes |= {"num_key_value_heads": 4, "intermediate_size": 4096}
    if smoke:
        sizes = SMALL | {"num_key_value_heads": 1, "intermediate_size": 64}
    LlamaForCausalLM(LlamaConfig(**sizes)).save_pretrained(folder / "dense")
    tokens = torch.randint(0, sizes["vocab_size"], (4, 64) if smoke else (32, 512))
    batches = [batch.to(device) for batch in tokens.split(8)]

    def run(watch: Stopwatch) -> float:
        model = watch(
            "read", lambda: AutoModelForCausalLM.from_pretrained(folder / "dense").to(device).eval()
        )
        config = MIConfig(ratio=0.25, selection="joint")  # the default looks at no pairs
        stage = watch.inside("score")
        made = watch("score", lambda: make_plan(model, config, calibration=batches, stage=stage))
        result = watch("prune", lambda: prune(model, made, calibration=batches, inplace=True))
        with tempfile.TemporaryDirectory(dir=folder) as written:
            watch("write", lambda: export(result.model, Path(written) / "smaller"))
            smaller = AutoModelForCausalLM.from_pretrained(Path(written) / "smaller").to(device).eval()
        with torch.no_grad():
            logits = result.model(batches[0]).logits
            return float((smaller(batches[0]).logits - logits).abs().max() / logits.abs().max())

    return run
