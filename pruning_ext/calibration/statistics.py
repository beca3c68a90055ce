"""What the FFN neurons of a model do on calibration inputs, gathered by hooks on the input of the down
projection.

One pass runs every batch up to the last block of a group, and keeps for the blocks of that group only what
the selection and the compensation need. So memory is bounded whatever the depth of the model, and more passes
only cost time. :func:`block_bytes` says what one block takes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pruning_ext._progress import progress
from pruning_ext.calibration.accumulate import Moments, RowSample
from pruning_ext.calibration.batches import Batch, count_tokens
from pruning_ext.models.ffn import FFNBlock

Replacement = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Wanted:
    """What to gather: the matrix of second moments or not, and the activations of how many tokens."""

    second_moment: bool
    samples: int
    seed: int


@dataclass(frozen=True)
class BlockStatistics:
    """What one block's ``N`` neurons did on ``T`` tokens, ``S`` of which were kept.

    Attributes:
        tokens: T.
        mean: ``[N]`` float64, mean activation.
        square: ``[N]`` float64, mean squared activation.
        second_moment: ``[N, N]`` float64, mean of ``z z^T``, if asked for.
        samples: ``[S, N]`` activations of the sampled tokens in the model's dtype.
    """

    tokens: int
    mean: Tensor
    square: Tensor
    second_moment: Tensor | None
    samples: Tensor


def block_bytes(block: FFNBlock, wanted: Wanted) -> int:
    """Most that one block's statistics take: ``10 N^2`` for second moments, ``S N`` activations.

    While samples are put in order, one block at a time takes another ``S N``.
    """
    item = block.down_weight.element_size()
    sums = Moments.bytes(block.width, products=wanted.second_moment)
    return sums + block.width * item * wanted.samples


def gather(
    model: nn.Module,
    blocks: Sequence[FFNBlock],
    batches: Sequence[Batch],
    wanted: Wanted,
    *,
    replaced: Mapping[nn.Module, Replacement] | None = None,
    ahead: Sequence[Batch] = (),
    through: Callable[[Batch], None] | None = None,
    show_progress: bool = False,
    description: str = "calibrating",
) -> list[BlockStatistics]:
    """Statistics of ``blocks`` over all tokens that count, in one pass.

    Args:
        wanted: the sampled tokens are a uniform choice by ``seed`` among those that count, the same for every
            block and however the tokens are batched and padded.
        replaced: functions that act instead of the down projections of other blocks, which is how a model
            is run as if it were pruned. The model itself is never altered.
        ahead: batches that come before ``batches`` and that ``through`` takes through the whole model, for a
            purpose of its own; so two purposes share one forward pass.

    Raises:
        ValueError: activations that are not finite, or whose number does not fit the mask.
    """
    expected = count_tokens([*ahead, *batches])
    collectors = [_Collector(block, wanted, expected) for block in blocks]
    with ExitStack() as stack:
        stack.enter_context(evaluating(model))
        stack.enter_context(torch.inference_mode())
        for module, function in (replaced or {}).items():
            handle = module.register_forward_hook(lambda _, args, out, f=function: f(args[0]))
            stack.callback(handle.remove)
        run = _Run(len(collectors))
        for collector in collectors:
            stack.callback(collector.block.down.register_forward_pre_hook(run.hook(collector)).remove)
        steps = [*((batch, through) for batch in ahead), *((batch, None) for batch in batches)]
        for batch, other in progress(steps, description, show_progress):
            run.start(batch, whole=other is not None)
            try:
                other(batch) if other else run_forward(model, batch)
            except _Done:
                continue
            if name := run.missing(collectors):
                raise ValueError(f"FFN block {name} did not run: the batch does not reach it")
    found = [collector.result() for collector in collectors]
    for block, statistics in zip(blocks, found, strict=True):
        if not statistics.square.isfinite().all():
            raise ValueError(f"activations of FFN block {block.name} are not finite: {why_not_finite(model)}")
    return found


def why_not_finite(model: nn.Module) -> str:
    """The first parameter that is NaN or infinite somewhere, or that none is."""
    for name, parameter in model.named_parameters():
        if not bool(parameter.isfinite().all()):
            bad = parameter.detach()[~parameter.isfinite()][0].item()
            return f"parameter {name} holds {bad}"
    return f"every parameter is, so the inputs are not, or {next(model.parameters()).dtype} overflows"


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, and each module's own mode again outside."""
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode


@contextmanager
def eager(model: nn.Module) -> Iterator[None]:
    """Tensors that autograd knows, modules whose hooks are called, and a model in its own precision, whatever
    mode the caller is in: ``torch.autocast`` around a call does not reach the model, autocast in it does.

    Running sums outlive the passes that add to them, and a compiled module calls only the hooks that it had
    when it was compiled.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        for kind in {"cpu", *(parameter.device.type for parameter in model.parameters())}:
            if torch.amp.is_autocast_available(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if any(map(_is_compiled, model.modules())):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield


def _is_compiled(module: nn.Module) -> bool:
    return hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None


def run_forward(model: nn.Module, batch: Batch) -> Any:
    """The model's output on ``batch``, without a cache of keys and values."""
    options = {"use_cache": False} if "use_cache" in inspect.signature(model.forward).parameters else {}
    return model(**on_device(batch.inputs, model), **options)


def on_device(inputs: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """``inputs`` where the model is, and floating-point ones in its dtype."""
    first = next(model.parameters())
    return {
        name: value.to(first) if value.is_floating_point() else value.to(first.device)
        for name, value in inputs.items()
    }


class _Done(Exception):
    """All blocks of the group were seen: the rest of the forward pass has nothing for us."""


class _Run:
    """Hands the tokens that count to each collector, and ends the forward pass after the last one unless the
    whole of it is needed."""

    def __init__(self, collectors: int) -> None:
        self.collectors = collectors
        self.seen: set[int] = set()
        self.tokens: int | None = None
        self.mask: Tensor | None = None
        self.whole = False

    def start(self, batch: Batch, *, whole: bool) -> None:
        self.seen.clear()
        self.whole = whole
        self.tokens = None if batch.mask is None else batch.mask.numel()
        # where all tokens count there is nothing to leave out, nor to copy
        self.mask = None if batch.mask is None or batch.mask.all() else batch.mask.flatten()

    def missing(self, collectors: Sequence[_Collector]) -> str | None:
        return next((c.block.name for c in collectors if id(c) not in self.seen), None)

    def hook(self, collector: _Collector) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def collect(module: nn.Module, args: tuple[Tensor, ...]) -> None:
            rows = args[0].detach().reshape(-1, args[0].shape[-1])
            if self.tokens is not None and len(rows) != self.tokens:
                raise ValueError(
                    f"FFN block {collector.block.name} got {len(rows)} tokens where the batch has "
                    f"{self.tokens}: run it whole (config.chunk_size_feed_forward = 0)"
                )
            if self.mask is not None:
                rows = rows[self.mask.to(rows.device)]
            collector.add(rows)
            self.seen.add(id(collector))
            if len(self.seen) == self.collectors and not self.whole:
                raise _Done

        return collect


class _Collector:
    """What one block's rows add up to, and a sample of them."""

    def __init__(self, block: FFNBlock, wanted: Wanted, expected: int) -> None:
        self.block = block
        like = block.down_weight
        self.moments = Moments(block.width, like.device, products=wanted.second_moment)
        self.sample = RowSample(wanted.samples, expected, like, wanted.seed)

    def add(self, rows: Tensor) -> None:
        self.moments.add(rows)
        self.sample.offer(rows)

    def result(self) -> BlockStatistics:
        moments = self.moments
        mean, square = moments.mean(), moments.square()
        return BlockStatistics(moments.count, mean, square, moments.second_moment(), self.sample.rows())
