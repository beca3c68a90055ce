"""End-to-end cases: KEN over a whole BERT-shaped model, and the scores of FFN-shaped activations.

Weights and activations are random and of real shapes; nothing is downloaded. KEN's baselines get a sample of
the model's rows, evenly spread over its matrices, since the published routine would take hours for all: times
are per row, and how many rows were run stands beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from pruning_ext import KENConfig, ken_mask, mutual_information, prune, reference
from pruning_ext.bench.baselines import mi_torch
from pruning_ext.bench.harness import Call, Check, Subject
from pruning_ext.bench.provider import OURS, Provider, Request, lazily, library, on_every

NAME = "end-to-end"
CUDA = ("cpu", "cuda")
CHECKED = 24  # columns of the activations, and rows of the model, that are compared with the truth
LIMIT = 1e-6  # nats


@dataclass(frozen=True)
class ModelCase:
    """BERT's shape: ``layers`` of ``hidden``, FFN four times as wide, ``vocabulary`` embeddings; half is
    kept.
    """

    name: str
    layers: int
    hidden: int
    vocabulary: int

    def matrices(self) -> list[tuple[int, int]]:
        """``(rows, n)`` of all of them."""
        wide = 4 * self.hidden
        layer = [(self.hidden, self.hidden)] * 4 + [(wide, self.hidden), (self.hidden, wide)]
        return [(self.vocabulary, self.hidden), (512, self.hidden), (2, self.hidden), *(layer * self.layers)]


@dataclass(frozen=True)
class ActivationCase:
    """``tokens`` of ``neurons`` after a GELU, driven by a tenth as many directions, in ``bins`` of equal
    counts.
    """

    name: str
    neurons: int
    tokens: int
    bins: int = 16


CASES = (
    ModelCase("KEN, BERT-base", 12, 768, 30522),
    ActivationCase("MI, FFN of 1536, 8192 tokens", 1536, 8192),
)
QUICK_CASES = (
    ModelCase("KEN, two layers of BERT-base", 2, 768, 1000),
    ActivationCase("MI, FFN of 512, 4096 tokens", 512, 4096),
)
SMOKE_CASES = (ModelCase("KEN, tiny", 1, 32, 50), ActivationCase("MI, tiny", 24, 300))


def subjects(request: Request) -> Iterator[Subject]:
    """Every provider on every case."""
    for case in {"smoke": SMOKE_CASES, "quick": QUICK_CASES, "full": CASES}[request.size]:
        if isinstance(case, ModelCase):
            yield from on_every((case,), model_providers(), request, _model_subject)
        else:
            yield from on_every((case,), activation_providers(), request, _activation_subject)


def providers() -> list[Provider]:
    """Of both kinds of case."""
    return model_providers() + activation_providers()


# KEN over a model. A provider gets the model's matrices, or a sample of their rows, and gives masks or a
# pruned model.


def model_providers() -> list[Provider]:
    """``settings`` is the number of rows of each matrix that it gets; ``None``: the model."""
    return [
        Provider(f"{OURS}, prune", _prune, devices=CUDA, settings=None),
        Provider(f"{OURS}, ken_mask", partial(ken_mask, keep_ties=True), devices=CUDA, settings=1 << 30),
        Provider("numba, union-find", lazily("ken_numba", "numba_mask"), "numba", settings=4),
        library("published routine", _published, "sklearn", 1),
    ]


def _prune(models: tuple[nn.Module, nn.Module]) -> nn.Module:
    tuned, base = models
    pruned: nn.Module = prune(tuned, KENConfig(density=0.5), pretrained=base).model
    return pruned


def _published(weight: Tensor, k: int) -> Tensor:
    mask: Any = lazily("published_ken", "published_ken_mask")(weight.double().numpy(), k)
    return torch.from_numpy(mask)


@lru_cache(maxsize=1)
def models(case: ModelCase, device: str = "cpu") -> tuple[nn.Module, nn.Module]:
    """``(fine-tuned, pretrained)``."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        hidden_size=case.hidden,
        num_attention_heads=max(1, case.hidden // 64),
        num_hidden_layers=case.layers,
        intermediate_size=4 * case.hidden,
        vocab_size=case.vocabulary,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        base = BertModel(config, add_pooling_layer=False).eval()
        tuned = BertModel(config, add_pooling_layer=False).eval()
        with torch.no_grad():
            for new, old in zip(tuned.parameters(), base.parameters(), strict=True):
                new.copy_(old).add_(torch.randn_like(old), alpha=0.002)
    return tuned.to(device), base.to(device)


def _matrices(model: nn.Module) -> list[Tensor]:
    return [parameter.detach() for parameter in model.parameters() if parameter.dim() == 2]


def _model_subject(case: ModelCase, provider: Provider, threads: int, device: str) -> Subject:
    shapes = case.matrices()
    at_most: int | None = provider.settings
    if at_most is None:
        run: Callable[[], Any] = partial(provider.run, models(case, device))
        rows, entries = sum(r for r, _ in shapes), sum(r * n for r, n in shapes)
    else:
        given = [
            matrix[:: max(1, len(matrix) // at_most)][:at_most]
            for matrix in _matrices(models(case, device)[0])
        ]
        rows, entries = sum(map(len, given)), sum(matrix.numel() for matrix in given)

        def run() -> list[Tensor]:
            return [provider.run(matrix, round(matrix.shape[1] / 2)) for matrix in given]

    compare = partial(_compare_model, case) if at_most is None else partial(_compare_masks, given)
    return Subject(
        family=NAME,
        case=case.name,
        provider=provider.name,
        threads=threads,
        rows=rows,
        pairs=entries,
        job=Call(run, compare, device),
        device=device,
        parameters={
            "layers": case.layers,
            "hidden": case.hidden,
            "vocabulary": case.vocabulary,
            "rows": rows,
        },
        unit="weights",
    )


def _compare_model(case: ModelCase, pruned: nn.Module) -> Check:
    """The share of the checked rows that do not hold exactly what the definition keeps."""
    device = next(pruned.parameters()).device.type
    tuned, base = (_matrices(model) for model in models(case, device))
    wrong = checked = 0
    for found, new, old in zip(_matrices(pruned), tuned, base, strict=True):
        mask = reference.ken_mask(new[:1].cpu(), round(new.shape[1] / 2)).to(device)
        wrong += not torch.equal(found[:1], torch.where(mask, new[:1], old[:1]))
        checked += 1
        if checked == CHECKED:
            break
    return Check(wrong / checked, 0.0, checked)


def _compare_masks(given: list[Tensor], masks: list[Tensor]) -> Check:
    wrong = checked = 0
    for weight, mask in list(zip(given, masks, strict=True))[:CHECKED]:
        true = reference.ken_mask(weight[:1].cpu(), round(weight.shape[1] / 2), keep_ties=True)
        wrong += not torch.equal(mask[:1].cpu(), true)
        checked += 1
    return Check(wrong / checked, 0.0, checked)


# Scores of activations. A provider gets x [T, N] in float32 and gives the information [N, N].


def activation_providers() -> list[Provider]:
    """``settings`` is the pair-samples of a call, which bounds the neurons."""
    own = partial(_from_codes, _quantile_codes)
    return [
        Provider(OURS, lambda x, bins: mutual_information(x, bins=bins), devices=CUDA, settings=float("inf")),
        Provider("numba loop, four tables", partial(own, _numba), "numba", settings=2e8),
        Provider(
            "torch, one-hot int8 matmul",
            partial(own, mi_torch.one_hot_matmul_int8),
            devices=CUDA,
            settings=1e8,
        ),
        Provider(
            "torch, one-hot matmul",
            partial(own, mi_torch.one_hot_matmul),
            quick=False,
            devices=CUDA,
            settings=3e7,
        ),
        library("scikit-learn mutual_info_score", partial(own, _sklearn), "sklearn", 2e5),
    ]


_numba = lazily("mi_numba", "numba_loop_four_tables")
_sklearn = lazily("mi_libraries", "sklearn_scores")


def _from_codes(
    codes_of: Callable[[Tensor, int], Tensor], score: Callable[[Tensor, int], Tensor], x: Tensor, bins: int
) -> Tensor:
    return score(codes_of(x, bins), bins)


def _quantile_codes(x: Tensor, bins: int) -> Tensor:
    """Bins of equal counts by sorting; without ties the same as :func:`pruning_ext.discretize`."""
    ordered = x.T.sort(dim=1).values
    ranks = torch.arange(1, bins, device=x.device) * len(x) // bins
    return torch.searchsorted(ordered[:, ranks].contiguous(), x.T.contiguous(), right=True).to(torch.uint8)


@lru_cache(maxsize=2)
def activations(case: ActivationCase, device: str = "cpu") -> Tensor:
    """float32 ``[T, N]``; providers get the first columns."""
    generator = torch.Generator().manual_seed(case.neurons)
    inner = max(4, case.neurons // 10)
    directions = torch.randn(inner, case.neurons, generator=generator) / inner**0.5
    x = torch.randn(case.tokens, inner, generator=generator) @ directions
    return nn.functional.gelu(x).to(device)


def _activation_subject(case: ActivationCase, provider: Provider, threads: int, device: str) -> Subject:
    neurons = case.neurons
    if provider.settings < float("inf"):
        neurons = min(neurons, max(4, int((2 * provider.settings / case.tokens) ** 0.5)))
    x = activations(case, device)[:, :neurons].contiguous()
    pairs = neurons * (neurons + 1) // 2
    return Subject(
        family=NAME,
        case=case.name,
        provider=provider.name,
        threads=threads,
        rows=pairs,
        pairs=pairs * case.tokens,
        job=Call(partial(provider.run, x, case.bins), partial(_compare_information, case), device),
        device=device,
        parameters={"neurons": neurons, "tokens": case.tokens, "bins": case.bins},
        unit="pair-samples",
    )


@lru_cache(maxsize=4)
def _information(case: ActivationCase) -> Tensor:
    x = activations(case)[:, :CHECKED].double()
    codes = reference.encode(x, reference.edges_of(x, case.bins, "quantile"))
    return reference.mutual_information_from_codes(codes, codes, case.bins)


def _compare_information(case: ActivationCase, found: Tensor) -> Check:
    true = _information(case)
    checked = min(len(true), len(found))
    error = (found[:checked, :checked].cpu().double() - true[:checked, :checked]).abs().max().item()
    return Check(error, LIMIT, checked)
