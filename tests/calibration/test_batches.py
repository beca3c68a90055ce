"""Calibration inputs in all their forms, and what is refused of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pruning_ext.calibration.batches import amounts_read, count_tokens, most_positions, read_batches
from pruning_ext.calibration.statistics import Wanted, gather
from pruning_ext.models.ffn import find_blocks
from pruning_ext.pruners import Calibration
from tests.tiny_models import CAUSAL, ENCODER, tiny

LENGTHS = (12, 5, 9, 3, 12, 7)


def tokenizer(text: str, **_: Any) -> dict[str, list[int]]:
    return {"input_ids": [int(word) for word in text.split()]}


def sequences() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randint(3, 64, (length,), generator=generator) for length in LENGTHS]


def texts() -> list[str]:
    return [" ".join(map(str, ids.tolist())) for ids in sequences()]


def padded(side: str = "right") -> dict[str, torch.Tensor]:
    ids = torch.zeros(len(LENGTHS), max(LENGTHS), dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences()):
        where = slice(0, len(sequence)) if side == "right" else slice(-len(sequence), None)
        ids[row, where], mask[row, where] = sequence, 1
    return {"input_ids": ids, "attention_mask": mask}


WANTED = Wanted(second_moment=True, samples=20, seed=4)


def test_every_form_of_the_same_tokens_is_read_alike() -> None:
    model = tiny("llama")
    batch = padded()
    forms = [
        batch,
        [batch],
        [{**batch, "labels": torch.zeros(len(LENGTHS))}],
        Calibration(texts(), tokenizer, batch_size=100),
        Calibration((text for text in texts()), tokenizer, batch_size=100),
    ]
    for form in forms:
        (found,) = read_batches(model, form)
        assert found.inputs.keys() == {"input_ids", "attention_mask"}
        assert torch.equal(found.inputs["input_ids"], batch["input_ids"])
        assert found.mask is not None
        assert torch.equal(found.mask, batch["attention_mask"].bool())
        assert count_tokens([found]) == sum(LENGTHS)


def test_tensors_are_ids_or_pixels_and_datasets_give_their_first() -> None:
    ids = torch.randint(3, 64, (4, 6))
    (found,) = read_batches(tiny("llama"), ids)
    assert count_tokens([found]) == 24
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(ids, torch.zeros(4)), batch_size=3)
    assert [len(b.inputs["input_ids"]) for b in read_batches(tiny("llama"), loader)] == [3, 1]
    (images,) = read_batches(tiny("vit"), torch.randn(2, 3, 16, 16))
    assert images.inputs.keys() == {"pixel_values"}


def test_long_texts_go_on_as_sequences_of_their_own() -> None:
    batches = read_batches(tiny("llama"), Calibration([*texts(), ""], tokenizer, max_length=5, batch_size=4))
    assert amounts_read(batches) == {"tokens": sum(LENGTHS), "texts": len(LENGTHS)}
    assert read_batches(tiny("llama"), batches) == batches  # what was read is taken as it is
    rows = [
        row[keep].tolist() for b in batches for row, keep in zip(b.inputs["input_ids"], b.mask, strict=True)
    ]
    assert max(map(len, rows)) == 5
    assert sum(rows, []) == torch.cat(sequences()).tolist()  # noqa: RUF017 - six short lists


@pytest.mark.parametrize("kind", CAUSAL | ENCODER)
def test_lengths_and_ids_at_the_limit_run_and_those_beyond_are_a_sentence(kind: str) -> None:
    model = tiny(kind)
    most = most_positions(model)
    ids = torch.randint(3, 64, (2, most or 100))
    ids[0, 0], ids[1, 1] = 0, 63
    gather(model, find_blocks(model), read_batches(model, [padded(), ids]), WANTED)
    longer = torch.randint(3, 64, (2, len(ids[0]) + 1))
    if most is None:  # positions are computed: any length runs
        gather(model, find_blocks(model), read_batches(model, longer), WANTED)
    else:
        with pytest.raises(
            ValueError, match=rf"batch 1 has sequences of {most + 1} tokens, .* {most} positions"
        ):
            read_batches(model, [padded(), longer])
        text = [" ".join(map(str, longer.flatten().tolist()))]
        (cut,) = read_batches(model, Calibration(text, tokenizer))
        assert cut.inputs["input_ids"].shape[1] <= most, "texts go on as sequences that fit"
    for wrong in (64, -1):
        ids[1, 1] = wrong
        name = type(model).__name__
        with pytest.raises(
            ValueError, match=rf"batch 1 holds the token id {wrong}, .* {name} go from 0 to 63"
        ):
            read_batches(model, [padded(), ids])


@pytest.mark.parametrize(
    ("data", "error", "sentence"),
    [
        (torch.zeros(2, 3), TypeError, r"input_ids of calibration batch 0 are torch\.float32"),
        (None, ValueError, "calibration is missing"),
        ([], ValueError, "calibration is empty: it has no text and no batch"),
        (
            [{"input_ids": torch.ones(1, 3).long(), "attention_mask": torch.zeros(1, 3)}],
            ValueError,
            r"every token in it is padding \(in attention_mask 1 is a token, 0 padding\)",
        ),
        (["some text"], ValueError, "texts but no tokenizer"),
        ("some text", TypeError, "is one string, 'some text': give a list"),
        (Calibration("texts.txt", tokenizer), TypeError, "is one string"),
        (torch.ones(3).long(), ValueError, r"input_ids of shape \[3\], expected \[B, S\]"),
        (["some text", torch.ones(1, 3).long()], TypeError, "mixes texts and batches"),
        ([3], TypeError, "holds a int"),
        (Calibration(["1"], tokenizer, batch_size=0), ValueError, "batch_size"),
        (Calibration(["1"], tokenizer, max_length=1), ValueError, "max_length"),
        (Calibration([""], tokenizer), ValueError, "calibration is empty"),
        (
            {"input_ids": torch.ones(1, 3).long(), "attention_mask": torch.ones(1, 1, 3, 3)},
            ValueError,
            r"\[B, S\]",
        ),
    ],
)
def test_bad_calibration_is_a_sentence(data: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        read_batches(tiny("llama"), data)


@pytest.mark.parametrize(
    ("kind", "data", "error", "sentence"),
    [
        (
            "llama",
            {"input_ids": torch.ones(4, 16).long(), "attention_mask": torch.ones(4, 5)},
            ValueError,
            r"attention_mask of calibration batch 0 has shape \[4, 5\], and input_ids has \[4, 16\]",
        ),
        (
            "llama",
            {"inputs_embeds": torch.ones(4, 6, 16), "attention_mask": torch.ones(6, 4)},
            ValueError,
            r"attention_mask of calibration batch 0 has shape \[6, 4\], and inputs_embeds has \[4, 6\]",
        ),
        (
            "llama",
            {"input_ids": torch.ones(2, 3).long(), "attention_mask": torch.tensor([[0, 0, -1e9]] * 2)},
            ValueError,
            "attention_mask of calibration batch 0 holds values below 0 .* 1 for a token and 0 for padding",
        ),
        (
            "llama",
            {"input_ids": torch.ones(2, 3).long(), "attention_mask": torch.full((2, 3), torch.nan)},
            ValueError,
            "attention_mask of calibration batch 0 holds values below 0 or NaN",
        ),
        (
            "bert",
            [padded(), padded() | {"token_type_ids": torch.ones(6, 5).long()}],
            ValueError,
            r"token_type_ids of calibration batch 1 has shape \[6, 5\], and input_ids has \[6, 12\]",
        ),
        (
            "bert",
            padded() | {"token_type_ids": torch.ones(4, 12).long()},
            ValueError,
            r"token_type_ids of calibration batch 0 has shape \[4, 12\], and input_ids has \[6, 12\]",
        ),
        (
            "llama",
            padded() | {"position_ids": torch.tensor(3)},
            ValueError,
            r"position_ids of calibration batch 0 has shape \[\], and input_ids has \[6, 12\]",
        ),
        (
            "bert",
            padded() | {"token_type_ids": torch.zeros(6, 12)},
            TypeError,
            r"token_type_ids of calibration batch 0 are torch\.float32, expected int64 or int32",
        ),
        (
            "llama",
            torch.ones(2, 3).bool(),
            TypeError,
            r"input_ids of calibration batch 0 are torch\.bool, expected int64 or int32",
        ),
        (
            "bert",
            [padded(), {"pixel_values": torch.ones(2, 3, 16, 16)}],
            ValueError,
            "batch 1 has pixel_values, and BertForSequenceClassification reads input_ids",
        ),
        ("vit", torch.ones(2, 9).long(), ValueError, "batch 0 has input_ids, and ViT.* reads pixel_values"),
        ("vit", {"labels": torch.ones(2)}, ValueError, "batch 0 has no tensor, and ViT.* reads pixel_values"),
        (
            "vit",
            torch.ones(2, 3, 16, 16, dtype=torch.uint8),
            TypeError,
            r"pixel_values of calibration batch 0 are torch\.uint8, .* image processor",
        ),
    ],
)
def test_inputs_that_are_not_the_models_are_a_sentence(
    kind: str, data: Any, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        read_batches(tiny(kind), data)


@pytest.mark.parametrize(
    "more",
    [
        {"token_type_ids": torch.ones(1, 12).long()},
        {"token_type_ids": torch.ones(6, 12).int(), "position_ids": torch.arange(12)[None]},
        {"position_ids": torch.arange(12).expand(6, 12)},
        {"attention_mask": torch.ones(6, 12).bool()},
    ],
)
def test_inputs_that_torch_spreads_over_the_batch_run(more: dict[str, torch.Tensor]) -> None:
    model = tiny("bert")
    whole = {name: tensor.expand(6, 12).long() for name, tensor in more.items()}
    found, expected = (
        gather(model, find_blocks(model), read_batches(model, padded() | form), WANTED)
        for form in (more, whole)
    )
    for one, other in zip(found, expected, strict=True):
        assert one.tokens == other.tokens > 0
        assert torch.equal(one.mean, other.mean)


def test_embeddings_are_read_instead_of_ids() -> None:
    model = tiny("llama")
    ids = padded()
    given = {"inputs_embeds": model.get_input_embeddings()(ids["input_ids"]).detach()}
    given["attention_mask"] = ids["attention_mask"]
    found, expected = (
        gather(model, find_blocks(model), read_batches(model, form), WANTED) for form in (given, ids)
    )
    for one, other in zip(found, expected, strict=True):
        assert one.tokens == other.tokens
        assert torch.equal(one.mean, other.mean)
