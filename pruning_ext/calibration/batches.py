"""Unlabelled inputs for the pruners: texts, tensors or batches, with padding known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

_POSITIONS = ("position_embeddings", "wpe", "embed_positions")
_PER_TOKEN = ("token_type_ids", "position_ids")
_LABELS = ("labels", "label", "label_ids", "start_positions", "end_positions", "next_sentence_label")


@dataclass(frozen=True)
class Calibration:
    """Texts or batches, and how to read them.

    Attributes:
        data: texts (with ``tokenizer``); or a tensor of token ids ``[B, S]`` or pixel values; or a batch
            (a mapping of the model's inputs); or any iterable of tensors and batches, a ``DataLoader`` say. A
            2-D ``attention_mask`` in a batch says which tokens count. Labels are left out.
        tokenizer: a Hugging Face tokenizer, for texts.
        max_length: tokens per sequence; a longer text goes on as a sequence of its own. ``None``: 512, or
            what the model can take if that is less.
        batch_size: sequences per batch, for texts.
    """

    data: Any
    tokenizer: Any = None
    max_length: int | None = None
    batch_size: int = 8


@dataclass(frozen=True)
class Batch:
    """Inputs of one forward call, and which tokens count: bool ``[B, S]``, ``None`` for all.

    ``texts`` are those that begin in it, 0 where none was read.
    """

    inputs: dict[str, Tensor]
    mask: Tensor | None
    texts: int = 0


def read_batches(model: nn.Module, calibration: Any) -> list[Batch]:
    """All batches of ``calibration`` (a :class:`Calibration` or its ``data``), kept on the CPU as they come.

    They are read once and kept, since several passes may need them: 16 bytes per token of text. Those that
    were read before stay as they are.

    Raises:
        ValueError: no batch, no token, texts without a tokenizer, a mask that is not 2-D or has values below
            0, a mask, token types or positions not of the ids' shape, inputs that the model does not read,
            token ids or lengths that it has no embedding for.
        TypeError: one string instead of texts, an item that is neither a tensor nor a mapping, ids that are
            not int64 or int32, or images that are integers.
    """
    if not isinstance(calibration, Calibration):
        calibration = Calibration(calibration)
    data = calibration.data
    if data is None:
        raise ValueError(
            "calibration is missing: MI pruning needs unlabelled inputs to see what the neurons do"
        )
    if isinstance(data, str):
        raise TypeError(
            f"calibration is one string, {data[:40]!r}: give a list of texts; what is in a file is read first"
        )
    if not isinstance(data, Iterable):
        raise TypeError(
            f"calibration is a {type(data).__name__}, expected texts in a Calibration with their tokenizer, "
            "tensors, mappings of a model's inputs, or an iterable of them"
        )
    items: Iterable[Any] = [data] if isinstance(data, (Tensor, Mapping)) else data
    batches: list[Batch] = []
    texts: list[str] = []
    for item in items:
        if isinstance(item, str):
            texts.append(item)
        else:
            batches.append(_batch(model, item))
    if texts and batches:
        raise TypeError("calibration mixes texts and batches: give one or the other")
    if texts:
        batches = _tokenized(model, texts, calibration)
    if not batches:
        raise ValueError("calibration is empty: it has no text and no batch")
    check_inputs(model, batches)
    if count_tokens(batches) == 0:
        raise ValueError(
            "calibration is empty: every token in it is padding (in attention_mask 1 is a token, 0 padding)"
        )
    return batches


def _batch(model: nn.Module, item: Any) -> Batch:
    if isinstance(item, Batch):
        return item
    if isinstance(item, (tuple, list)) and item and isinstance(item[0], Tensor):
        item = _of_tuple(item)
    if isinstance(item, Tensor):
        tokens = item.dim() < 3 and not item.is_floating_point()
        item = {"input_ids" if tokens else _main_input(model): item}
    if not isinstance(item, Mapping):
        raise TypeError(
            f"calibration holds a {type(item).__name__}, expected tensors, mappings, or texts "
            "in a Calibration with their tokenizer"
        )
    inputs = {
        name: value for name, value in item.items() if isinstance(value, Tensor) and name not in _LABELS
    }
    for name, expected, least in (("input_ids", "[B, S]", 2), ("pixel_values", "[B, channels, H, W]", 4)):
        if name in inputs and inputs[name].dim() < least:
            raise ValueError(
                f"calibration holds {name} of shape {list(inputs[name].shape)}, expected {expected}"
            )
    mask, ids = inputs.get("attention_mask"), inputs.get("input_ids")
    if mask is not None and mask.dim() != (2 if ids is None else ids.dim()):
        raise ValueError(f"attention_mask must be [B, S], got shape {list(mask.shape)}")
    if mask is None and ids is not None:
        mask = torch.ones_like(ids)
    if mask is None and "inputs_embeds" in inputs:
        mask = torch.ones(inputs["inputs_embeds"].shape[:-1], dtype=torch.int64)
    return Batch(inputs, None if mask is None else mask.bool())


def _of_tuple(items: Sequence[Any]) -> Any:
    """The inputs in a tuple of a ``TensorDataset``: ids first, perhaps their mask, labels after."""
    ids = items[0]
    if ids.dim() != 2 or ids.is_floating_point():
        return ids
    flags = [
        item
        for item in items[1:]
        if isinstance(item, Tensor) and item.shape == ids.shape and bool(((item == 0) | (item == 1)).all())
    ]
    if not flags:
        return ids
    # In a mask the places of 0 hold padding, which is one id; labels and token types know nothing of it.
    if len(flags) == 1 and len(ids[flags[0] == 0].unique()) <= 1:
        return {"input_ids": ids, "attention_mask": flags[0].to(torch.int64)}
    raise ValueError(
        "calibration holds tuples with tensors of 0 and 1 beside the token ids, which may be masks, token "
        "types or labels: give mappings with names (input_ids, attention_mask ...) instead"
    )


def _main_input(model: nn.Module) -> str:
    return str(getattr(model, "main_input_name", "input_ids"))


def check_inputs(model: nn.Module, batches: Sequence[Batch]) -> None:
    """What the model reads, of the right kind: token ids that it has embeddings for, in sequences that it has
    positions for, with a mask and token types of their shape; images as floating-point numbers.

    Raises:
        TypeError: ids that are not int64 or int32, or images that are integers.
        ValueError: no such input, an id outside the vocabulary, a sequence that is too long, a mask, token
            types or positions of another shape, or a mask with values below 0.
    """
    table: Any = getattr(model, "get_input_embeddings", lambda: None)()
    vocabulary = getattr(table, "num_embeddings", None)  # none for images
    positions = most_positions(model)
    for number, batch in enumerate(batches):
        _check_kind(model, batch, number)
        _check_shapes(batch, number)
        _check_mask(batch, number)
        ids = batch.inputs.get("input_ids")
        if ids is None or not ids.numel():
            continue
        if vocabulary is not None:
            lowest, highest = (int(bound) for bound in ids.aminmax())
            if lowest < 0 or highest >= vocabulary:
                raise ValueError(
                    f"calibration batch {number} holds the token id {lowest if lowest < 0 else highest}, and "
                    f"the ids of {type(model).__name__} go from 0 to {vocabulary - 1}: use its own tokenizer"
                )
        if positions is not None and "position_ids" not in batch.inputs and ids.shape[-1] > positions:
            raise ValueError(
                f"calibration batch {number} has sequences of {ids.shape[-1]} tokens, and "
                f"{type(model).__name__} has {positions} positions: cut them to that length (max_length)"
            )


def _check_kind(model: nn.Module, batch: Batch, number: int) -> None:
    main, inputs = _main_input(model), batch.inputs
    if main not in inputs and "inputs_embeds" not in inputs:
        raise ValueError(
            f"calibration batch {number} has {' and '.join(inputs) or 'no tensor'}, and "
            f"{type(model).__name__} reads {main}"
        )
    for name, value in inputs.items():
        if name.endswith("_ids") and value.dtype not in (torch.int64, torch.int32):
            raise TypeError(
                f"{name} of calibration batch {number} are {value.dtype}, expected int64 or int32"
            )
        if name == "pixel_values" and not value.is_floating_point():
            raise TypeError(
                f"pixel_values of calibration batch {number} are {value.dtype}, expected floating-point: "
                "give what the model's image processor makes of the images"
            )


def _check_shapes(batch: Batch, number: int) -> None:
    """A mask for each token; types and positions for each token, or the same for all sequences."""
    main = next((name for name in ("input_ids", "inputs_embeds") if name in batch.inputs), None)
    if main is None:
        return
    shape = batch.inputs[main].shape if main == "input_ids" else batch.inputs[main].shape[:-1]
    for name in ("attention_mask", *_PER_TOKEN):
        value = batch.inputs.get(name)
        if value is None or value.shape == shape:
            continue
        same_for_all = value.shape[-1:] == shape[-1:] and (value.dim() != 2 or len(value) == 1)
        if name not in _PER_TOKEN or not same_for_all:
            raise ValueError(
                f"{name} of calibration batch {number} has shape {list(value.shape)}, and {main} has "
                f"{list(shape)}"
            )


def _check_mask(batch: Batch, number: int) -> None:
    mask = batch.inputs.get("attention_mask")
    if mask is not None and not bool((mask >= 0).all()):
        raise ValueError(
            f"attention_mask of calibration batch {number} holds values below 0 or NaN: expected is 1 for a "
            "token and 0 for padding, not what is added to attention scores"
        )


def most_positions(model: nn.Module) -> int | None:
    """Tokens of the longest sequence that the model has an embedding of each position for.

    ``None`` where positions are computed (rotary, ALiBi, relative): such a model takes any length.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding) and name.rpartition(".")[2] in _POSITIONS:
            first = 0 if module.padding_idx is None else module.padding_idx + 1  # as in RoBERTa
            return int(module.num_embeddings - getattr(module, "offset", first))  # OPT names it
    return None


def _tokenized(model: nn.Module, texts: Sequence[str], calibration: Calibration) -> list[Batch]:
    if calibration.tokenizer is None:
        raise ValueError("calibration holds texts but no tokenizer: give Calibration(texts, tokenizer)")
    tokenizer = calibration.tokenizer
    if not callable(tokenizer):
        raise TypeError(
            f"tokenizer is a {type(tokenizer).__name__}, expected one of transformers: "
            "PreTrainedTokenizerFast(tokenizer_object=...) makes one of a tokenizers.Tokenizer"
        )
    if calibration.batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {calibration.batch_size}")
    longest = calibration.max_length
    if longest is None:
        stated = getattr(getattr(model, "config", None), "max_position_embeddings", None)
        longest = min(512, stated or 512, most_positions(model) or 512)
    if longest < 2:
        raise ValueError(f"max_length must be at least 2, got {longest}")
    sequences: list[Sequence[int]] = []
    begins: list[bool] = []
    for text in texts:
        ids = tokenizer(text, verbose=False)["input_ids"]
        for start in range(0, len(ids), longest):
            sequences.append(ids[start : start + longest])
            begins.append(start == 0)
    pad, size = _padding(model, tokenizer), calibration.batch_size
    if pad is None:
        pad, size = 0, 1
    parts = [slice(start, start + size) for start in range(0, len(sequences), size)]
    return [_padded(sequences[part], sum(begins[part]), pad) for part in parts]


def _padding(model: nn.Module, tokenizer: Any) -> int | None:
    """The id that pads, as the model knows it; ``None`` where it looks for the last token and knows none."""
    config = getattr(model, "config", None)
    for place in (config, getattr(config, "text_config", None)):
        if isinstance(found := getattr(place, "pad_token_id", None), int):
            return found
    if type(model).__name__.endswith("ForSequenceClassification"):
        return None
    found = getattr(tokenizer, "pad_token_id", None)
    return found if isinstance(found, int) else 0


def _padded(sequences: Sequence[Sequence[int]], texts: int, pad: int) -> Batch:
    ids = torch.full((len(sequences), max(map(len, sequences))), pad, dtype=torch.int64, device="cpu")
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence, device="cpu")
        mask[row, : len(sequence)] = 1
    return Batch({"input_ids": ids, "attention_mask": mask}, mask.bool(), texts)


def count_tokens(batches: Iterable[Batch]) -> int:
    """Tokens that count; a batch without a mask (images) counts its items."""
    return sum(len(next(iter(b.inputs.values()))) if b.mask is None else int(b.mask.sum()) for b in batches)


def amounts_read(batches: Sequence[Batch]) -> dict[str, int]:
    """How many ``tokens`` count in ``batches``, and how many ``texts`` they were read from, if any."""
    read = {"tokens": count_tokens(batches), "texts": sum(batch.texts for batch in batches)}
    return {name: count for name, count in read.items() if count}
