"""Both pruners end to end on models of random weights: seconds for reading, scoring, pruning and writing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn
from transformers import AutoModel, AutoModelForCausalLM, BertConfig, BertModel, LlamaConfig, LlamaForCausalLM
from transformers.utils.logging import disable_progress_bar

from benchmarks.models import SMALL, Stopwatch
from pruning_ext import KENConfig, MIConfig, export, load_delta, plan, prune, save_delta
from pruning_ext.bench.harness import OURS, Call, Check, Subject
from pruning_ext.pruners.mi.plan import make_plan

disable_progress_bar()

# Of logits, relative to the largest: for another width another kernel may make the same product.
MI_LIMIT = 1e-4


def cases(device: str, smoke: bool) -> Iterator[list[Subject]]:
    """One subject each; the notes of its measurement are the seconds of the parts of its last run."""
    for name, prepare, limit in (("KEN, BERT-base", _ken, 0.0), ("MI, Llama of 12 layers", _mi, MI_LIMIT)):
        with tempfile.TemporaryDirectory() as folder:
            job = _job(prepare(Path(folder), device, smoke), limit, device)
            threads = torch.get_num_threads()
            yield [Subject("pruners", name, OURS, threads, 1, 1, job, device, "models")]


def _job(run: Callable[[Stopwatch], float], limit: float, device: str) -> Call:
    parts: dict[str, float] = {}

    def call() -> float:
        watch = Stopwatch(device)
        error = run(watch)
        parts.clear()
        parts.update(watch.seconds)
        return error

    return Call(call, lambda error: Check(error, limit, 1, parts), device)


def _ken(folder: Path, device: str, smoke: bool) -> Callable[[Stopwatch], float]:
    """Two models on disk; the delta between them is pruned to a quarter and written."""
    config = BertConfig(**(SMALL if smoke else {}))
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
        sizes = SMALL | {"num_key_value_heads": 1}
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
