"""A model's likelihood: labels drawn from its own predictions, and the slope of their logarithm.

With ``v`` the values that a model puts out and ``p(y | v)`` the distribution that they stand for, the Fisher
metric needs the gradient of ``log p(y | v)`` with respect to ``v`` for ``y`` drawn from ``p``:

| values | distribution | slope |
|---|---|---|
| class or token logits ``[..., C]`` | one of C | ``onehot(y) - softmax(v)`` |
| one logit (a score, a regression) | normal about it, variance 1 | its mean square is 1 |
| several labels or one coin for each token | independent coins | ``y - sigmoid(v)`` |
| start or end logits ``[B, S]`` | one of the S tokens | as for classes, padding left out |
| hidden states, embeddings | normal about them, variance 1 | a random direction |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pruning_ext.calibration.batches import Batch

_STATES = ("last_hidden_state", "pooler_output", "embeddings", "text_embeds", "image_embeds")
_SPANS = ("start_logits", "end_logits")


@dataclass(frozen=True)
class Predictions:
    """Values that a model puts out and what they stand for.

    Attributes:
        values: ``[..., C]`` with their graph; what the last dimension holds belongs to one position.
        kind: ``"classes"``, ``"score"``, ``"coins"``, ``"span"`` or ``"state"``, as in the table above.
    """

    values: Tensor
    kind: str


def predictions(model: nn.Module, output: Any, batch: Batch) -> list[Predictions]:
    """What the model predicts, from its ``output`` on ``batch``: all of its logits, or else its states.

    Raises:
        ValueError: an output that nothing is known of.
    """
    if isinstance(output, Tensor):
        return [_logits(model, output, batch)]
    if isinstance(output, Mapping):
        named = {name: value for name, value in output.items() if _is_float(value)}
        logits = [name for name in named if name == "logits" or name.endswith("_logits")]
        if set(logits) >= set(_SPANS):
            spans = [Predictions(named[name], "span") for name in _SPANS]
            return spans + [_logits(model, named[name], batch) for name in logits if name not in _SPANS]
        if logits:
            return [_logits(model, named[name], batch) for name in logits]
        for name in _STATES:
            if name in named:
                return [Predictions(named[name], "state")]
        known = ", ".join(map(str, output)) or "nothing"
    elif isinstance(output, (tuple, list)) and output and _is_float(output[0]):
        return [Predictions(output[0], "state")]
    else:
        known = type(output).__name__
    raise ValueError(
        f"{type(model).__name__} puts out {known}, of which it is not known what it predicts: the Fisher "
        "metric needs logits or hidden states; let forward() return them, or give metric 'norm'"
    )


def _is_float(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.dim() > 0


def _logits(model: nn.Module, values: Tensor, batch: Batch) -> Predictions:
    config = getattr(model, "config", None)
    problem = getattr(config, "problem_type", None)
    per_token = batch.mask is not None and values.shape == batch.mask.shape
    if per_token and values.shape[-1] == getattr(config, "num_labels", None):
        per_token = type(model).__name__.endswith("ForPreTraining")  # S happens to be the number of classes
    if per_token:
        return Predictions(values[..., None], "coins")
    if problem == "multi_label_classification":
        return Predictions(values, "coins")
    if values.dim() == 1:
        return Predictions(values[:, None], "score")
    if problem == "regression" or values.shape[-1] == 1:
        return Predictions(values, "score")
    return Predictions(values, "classes")


def draw_slope(predicted: Predictions, batch: Batch, generator: np.random.Generator) -> Tensor:
    """The gradient, of the shape of the values, of the log-likelihood of labels drawn from ``predicted``.

    Positions that do not count have none. The draws are the same however sequences are batched and padded.
    """
    values, mask = predicted.values.detach(), batch.mask
    if predicted.kind == "span":
        return _span_slope(values, mask, generator)
    rows = values.flatten(0, -2)
    if mask is not None and values.shape[:-1] == mask.shape:
        counting = mask.flatten().nonzero()[:, 0].to(rows.device)
    else:
        counting = torch.arange(len(rows), device=rows.device)
    wide = rows[counting].to(torch.promote_types(rows.dtype, torch.float32))
    slope = _DRAWS[predicted.kind](wide, generator)
    return torch.zeros_like(rows).index_copy_(0, counting, slope.to(rows)).view(values.shape)


def _uniform(generator: np.random.Generator, *shape: int) -> Tensor:
    return torch.from_numpy(generator.random(shape))


def _class_slope(logits: Tensor, generator: np.random.Generator) -> Tensor:
    p = logits.softmax(-1)
    steps = p.cumsum(-1)
    # The label is where the cumulated probability first exceeds a uniform number.
    uniform = _uniform(generator, len(p)).to(steps)[:, None] * steps[:, -1:]
    label = torch.searchsorted(steps, uniform, right=True).clamp_max_(p.shape[1] - 1)
    return p.neg_().scatter_add_(1, label, torch.ones_like(uniform))


def _coin_slope(logits: Tensor, generator: np.random.Generator) -> Tensor:
    p = logits.sigmoid()
    return (_uniform(generator, *logits.shape).to(p) < p).to(p) - p


def _normal_slope(values: Tensor, generator: np.random.Generator) -> Tensor:
    return torch.from_numpy(generator.standard_normal(values.shape)).to(values)


def _score_slope(values: Tensor, generator: np.random.Generator) -> Tensor:
    # A sign has the mean square of the normal slope without its noise.
    return torch.from_numpy(generator.choice((-1.0, 1.0), values.shape)).to(values)


_DRAWS = {"classes": _class_slope, "coins": _coin_slope, "score": _score_slope, "state": _normal_slope}


def _span_slope(logits: Tensor, mask: Tensor | None, generator: np.random.Generator) -> Tensor:
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if mask is not None and mask.shape == logits.shape:
        wide = wide.masked_fill(~mask.to(wide.device), -torch.inf)
    counting = wide.isfinite().any(-1)  # not a sequence that is padding alone
    slope = torch.zeros_like(wide)
    slope[counting] = _class_slope(wide[counting], generator)
    return slope.to(logits)
