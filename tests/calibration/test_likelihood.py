"""The likelihood of every kind of output, against the curvature of the divergence that it stands for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import transformers as tr
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, TensorDataset

from pruning_ext import Calibration, MIConfig, plan
from pruning_ext.calibration.accumulate import Moments
from pruning_ext.calibration.batches import Batch, read_batches
from pruning_ext.calibration.likelihood import Predictions, draw_slope, predictions
from pruning_ext.calibration.sensitivity import column_sensitivity
from pruning_ext.models.ffn import find_blocks

SIZE: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def made(name: str, *, wide: bool = True, **fields: Any) -> Any:
    """A model whose layers matter, as in a trained one."""
    torch.manual_seed(0)
    config = tr.ElectraConfig if name.startswith("Electra") else tr.BertConfig
    model = getattr(tr, name)(config(**SIZE, **fields)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if wide and parameter.dim() == 2:
                parameter.mul_(5)
    return model


def ragged() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(3, 64, (4 + i % 9,), generator=generator) for i in range(24)]


HEADS = {
    "BertForSequenceClassification": {},
    "BertForTokenClassification": {},
    "BertForQuestionAnswering": {},
    "BertForPreTraining": {},
    "ElectraForPreTraining": {},
    "BertModel": {},
}


@pytest.mark.parametrize("name", HEADS)
def test_padding_and_batching_change_nothing(name: str) -> None:
    model, rows = made(name).double(), ragged()
    alone = [{"input_ids": row[None], "attention_mask": torch.ones_like(row)[None]} for row in rows]
    padded = [
        {
            "input_ids": pad_sequence(rows, True),
            "attention_mask": pad_sequence([torch.ones_like(row) for row in rows], True),
        }
    ]
    blocks = find_blocks(model)
    if name == "BertModel":  # hidden states of padding are no outputs; the draws are for each position
        padded[0]["input_ids"] = torch.cat([padded[0]["input_ids"], torch.zeros(24, 5, dtype=torch.int64)], 1)
        padded[0]["attention_mask"] = torch.cat(
            [padded[0]["attention_mask"], torch.zeros(24, 5, dtype=torch.int64)], 1
        )
    first, other = (
        torch.cat(column_sensitivity(model, blocks, read_batches(model, data), seed=0))
        for data in (alone, padded)
    )
    torch.testing.assert_close(first, other, rtol=1e-5, atol=0)


def curvature(values: Tensor, divergence: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Second derivatives of ``KL(values || values + step)`` with respect to the step, by autograd."""

    def of(step: Tensor) -> Tensor:
        return divergence(values, values + step)

    found: Tensor = torch.autograd.functional.hessian(of, torch.zeros_like(values))
    return found


def _categorical(p: Tensor, q: Tensor) -> Tensor:
    a, b = p.log_softmax(-1), q.log_softmax(-1)
    return (a.exp() * (a - b)).sum()


def _coins(p: Tensor, q: Tensor) -> Tensor:
    return sum(
        (s * (s.log() - t.log()) for s, t in ((p.sigmoid(), q.sigmoid()), ((-p).sigmoid(), (-q).sigmoid()))),
        torch.zeros(()),
    ).sum()


def _normal(p: Tensor, q: Tensor) -> Tensor:
    return (p - q).square().sum() / 2


@pytest.mark.parametrize(
    ("kind", "divergence"),
    [
        ("classes", _categorical),
        ("span", _categorical),
        ("coins", _coins),
        ("score", _normal),
        ("state", _normal),
    ],
)
def test_the_slopes_have_the_curvature_of_the_divergence(
    kind: str, divergence: Callable[[Tensor, Tensor], Tensor]
) -> None:
    values = torch.tensor([0.3, -1.1, 0.9, 2.0], dtype=torch.float64)[: 1 if kind == "score" else 4]
    many = values.expand(40_000, -1)
    slopes = draw_slope(Predictions(many, kind), Batch({}, None), np.random.default_rng(0))
    assert slopes.shape == many.shape
    found = slopes.T @ slopes / len(slopes)
    torch.testing.assert_close(found, curvature(values, divergence), rtol=0.03, atol=0.01)


def test_a_model_with_one_logit_is_judged_by_its_score() -> None:
    """Rerankers, reward models, regressions: the softmax of one number has no slope."""
    model = made("BertForSequenceClassification", num_labels=1).double()
    ids = torch.randint(3, 64, (40, 12), generator=torch.Generator().manual_seed(0))
    block = find_blocks(model)[-1]
    outputs: list[Tensor] = []
    handle = block.down.register_forward_hook(lambda _, args, out: outputs.append(out))
    scores = model(ids).logits
    handle.remove()
    (gradient,) = torch.autograd.grad(scores.sum(), outputs)
    expected = (gradient @ block.down_weight).square().sum((0, 1)) / ids.numel()
    found = column_sensitivity(model, [block], read_batches(model, ids), seed=0)[0]
    torch.testing.assert_close(found.square(), expected.detach(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("silent", [0, 1])
def test_both_ends_of_an_answer_count(silent: int) -> None:
    model = made("BertForQuestionAnswering")
    with torch.no_grad():
        model.qa_outputs.weight[silent].zero_()
    ids = torch.randint(3, 64, (8, 12), generator=torch.Generator().manual_seed(0))
    assert all(
        found.min() > 0
        for found in column_sensitivity(model, find_blocks(model), read_batches(model, ids), seed=0)
    )


def test_several_labels_are_coins_and_a_regression_is_normal() -> None:
    values, batch = torch.randn(8, 3), Batch({}, None)
    for problem, kind in (
        ("multi_label_classification", "coins"),
        ("regression", "score"),
        (None, "classes"),
    ):
        model = made("BertForSequenceClassification", num_labels=3, problem_type=problem)
        (found,) = predictions(model, tr.modeling_outputs.SequenceClassifierOutput(logits=values), batch)
        assert found.kind == kind


def test_as_many_classes_as_tokens_are_classes() -> None:
    mask = torch.ones(8, 3, dtype=torch.bool)
    output = tr.modeling_outputs.SequenceClassifierOutput(logits=torch.randn(8, 3))
    for name, kind in (("BertForSequenceClassification", "classes"), ("ElectraForPreTraining", "coins")):
        model = made(name, num_labels=3)
        assert predictions(model, output, Batch({}, mask))[0].kind == kind


class Wrapped(nn.Module):
    """A module of one's own around a backbone, with the output that ``form`` makes."""

    def __init__(self, form: Callable[[Tensor], Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.bert = tr.BertModel(tr.BertConfig(**SIZE))
        self.config, self.head, self.form = self.bert.config, nn.Linear(16, 3), form

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Any:
        return self.form(self.head(self.bert(input_ids, attention_mask=attention_mask)[0]))


@pytest.mark.parametrize(
    "form",
    [lambda x: x, lambda x: x[:, 0], lambda x: {"logits": x}, lambda x: {"tag_logits": x}, lambda x: (x,)],
)
def test_every_sequence_counts_in_models_of_ones_own(form: Callable[[Tensor], Any]) -> None:
    model = Wrapped(form).eval()
    ids = torch.randint(3, 64, (8, 12), generator=torch.Generator().manual_seed(0))
    other = ids.clone()
    other[1:] = 7
    first, second = (
        column_sensitivity(model, find_blocks(model), read_batches(model, data), seed=0)
        for data in (ids, other)
    )
    assert not any(map(torch.equal, first, second))


def test_an_output_that_nothing_is_known_of_is_refused() -> None:
    model = Wrapped(lambda x: {"scores": x}).eval()
    with pytest.raises(ValueError, match="puts out scores, of which it is not known what it predicts"):
        plan(model, MIConfig(ratio=0.34), calibration=torch.ones(2, 5, dtype=torch.int64))


def test_a_block_that_no_prediction_depends_on_is_refused() -> None:
    model = made("BertForSequenceClassification")
    with torch.no_grad():
        model.classifier.weight.zero_()
    with pytest.raises(ValueError, match=r"no prediction .* depends on FFN block .*layer\.0.*metric 'norm'"):
        plan(model, MIConfig(ratio=0.34), calibration=torch.ones(2, 5, dtype=torch.int64))


def test_the_mask_in_a_tuple_is_used() -> None:
    model = made("BertForSequenceClassification")
    mask = torch.zeros(64, 20, dtype=torch.int64)
    mask[:, :8] = 1
    ids = torch.randint(3, 64, (64, 20), generator=torch.Generator().manual_seed(0)) * mask
    loader = DataLoader(TensorDataset(ids, mask, torch.zeros(64)), batch_size=16)
    found, expected = (
        plan(model, MIConfig(ratio=0.34), calibration=data)
        for data in (loader, [{"input_ids": ids, "attention_mask": mask}])
    )
    assert found.calibration["tokens"] == 64 * 8
    assert [layer.details["removed"] for layer in found.layers] == [
        layer.details["removed"] for layer in expected.layers
    ]


@pytest.mark.parametrize("more", [0, 1])
def test_flags_in_a_tuple_that_may_be_something_else_are_refused(more: int) -> None:
    ids = torch.randint(3, 64, (4, 8), generator=torch.Generator().manual_seed(0))
    labels = (ids > 30).long()
    given = (ids, labels) if more == 0 else (ids, torch.ones_like(ids), labels)
    with pytest.raises(ValueError, match="may be masks, token types or labels: give mappings"):
        read_batches(made("BertForSequenceClassification"), [given])


def test_labels_of_other_values_in_a_tuple_are_left_out() -> None:
    ids = torch.randint(3, 64, (4, 8), generator=torch.Generator().manual_seed(0))
    (batch,) = read_batches(made("BertForSequenceClassification"), [(ids, ids.clone(), torch.zeros(4))])
    assert set(batch.inputs) == {"input_ids"}


@pytest.mark.parametrize("pad", [2, None])
def test_texts_are_padded_as_the_model_wants_it(pad: int | None) -> None:
    """A decoder with a classification head finds its last token by the id that pads."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {"<unk>": 0, "<s>": 1, "</s>": 2} | {f"w{i}": i + 3 for i in range(60)}
    raw = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = tr.PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="</s>")
    generator = torch.Generator().manual_seed(0)
    texts = [
        " ".join(f"w{j}" for j in torch.randint(60, (2 + i % 11,), generator=generator).tolist())
        for i in range(20)
    ]
    torch.manual_seed(0)
    model = tr.LlamaForSequenceClassification(tr.LlamaConfig(**SIZE, num_labels=3, pad_token_id=2)).eval()
    model.config.pad_token_id = pad
    removed = [
        [
            layer.details["removed"]
            for layer in plan(
                model, MIConfig(ratio=0.34), calibration=Calibration(texts, tokenizer, batch_size=size)
            ).layers
        ]
        for size in (1, 8)
    ]
    assert removed[0] == removed[1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("fields", [{"metric": "norm"}, {}, {"selection": "joint", "bins": 4}])
def test_the_callers_autocast_changes_no_plan(dtype: torch.dtype, fields: dict[str, Any]) -> None:
    """Half precision overflows at 65,504: second moments of activations of a few hundred do."""
    torch.manual_seed(0)
    model = tr.LlamaForCausalLM(tr.LlamaConfig(**SIZE, num_key_value_heads=2)).eval()
    with torch.no_grad():
        for layer in model.model.layers:
            layer.mlp.up_proj.weight.mul_(300)
            layer.mlp.gate_proj.weight.mul_(100)
    ids = torch.randint(0, 64, (16, 20), generator=torch.Generator().manual_seed(0))
    config = MIConfig(ratio=0.34, **fields)
    expected = plan(model, config, calibration=ids)
    with torch.autocast("cpu", dtype=dtype):
        found = plan(model, config, calibration=ids)
        assert torch.is_autocast_enabled("cpu")
    assert [layer.details for layer in found.layers] == [layer.details for layer in expected.layers]
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in expected.tensors.items())


@pytest.mark.parametrize("precision", ["highest", "medium"])
@pytest.mark.parametrize("enabled", [False, True])
def test_sums_keep_full_precision_inside_the_callers_regions(precision: str, enabled: bool) -> None:
    """As ``accelerate`` prepares models: the hooks run inside the region that the model opens."""
    rows = torch.randn(512, 256, generator=torch.Generator().manual_seed(0))
    exact = rows.double().T @ rows.double() / len(rows)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        moments = Moments(256, torch.device("cpu"), products=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            moments.add(rows)
            found = moments.second_moment()
        assert torch.get_float32_matmul_precision() == precision
    finally:
        torch.set_float32_matmul_precision(before)
    assert found is not None
    assert float((found - exact).abs().max()) <= 1e-6
