"""Measuring language models on the same text: blocks of tokens, perplexity, an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from demo.measure import Array, Estimate

LENGTH = 256
RESAMPLES = 2000
# Articles 1-150 calibrate, 201-300 test: no article is in both, and those between keep the two apart.
CALIBRATION, TEST = slice(0, 150), slice(200, 300)


def token_blocks(tokenizer: Any, articles: Sequence[str], tokens: int, length: int = LENGTH) -> Tensor:
    """The articles one after the other, each closed by the end token, cut to blocks: int64 ``[n, length]``.

    Raises:
        ValueError: the articles have fewer than ``tokens`` tokens.
    """
    end = tokenizer.eos_token_id
    ids = [token for article in articles for token in (*tokenizer(article)["input_ids"], end)]
    if len(ids) < tokens:
        raise ValueError(f"the articles have {len(ids)} tokens, fewer than {tokens}")
    blocks = tokens // length
    return torch.tensor(ids[: blocks * length]).view(blocks, length)


class LanguageTest:
    """The blocks every model is measured on; all share the resamples, so differences are paired."""

    def __init__(self, blocks: Tensor, *, batch_size: int = 8) -> None:
        self.batches = blocks.split(batch_size)
        self._resamples = np.random.default_rng(0).integers(len(blocks), size=(RESAMPLES, len(blocks)))

    @torch.inference_mode()
    def losses(self, model: nn.Module, description: str = "", *, show_progress: bool = False) -> Array:
        """Mean negative log likelihood per predicted token of each block, in nats, ``[blocks]``."""
        model.eval()
        found = []
        for batch in tqdm(self.batches, description, leave=False, disable=None if show_progress else True):
            batch = batch.to(next(model.parameters()).device)
            logits = model(batch, use_cache=False).logits.flatten(0, 1)
            following = nn.functional.pad(batch[:, 1:], (0, 1))  # whole rows: a slice of the logits is a copy
            losses = nn.functional.cross_entropy(logits.float(), following.flatten(), reduction="none")
            losses = losses.view(batch.shape)[:, :-1]
            found.append(losses.double().mean(1).cpu())
        return torch.cat(found).numpy()

    def perplexity(self, losses: Array) -> Estimate:
        """``exp`` of the mean loss, and its interval over resampled blocks."""
        low, high = np.quantile(losses[self._resamples].mean(1), [0.025, 0.975])
        return Estimate(math.exp(losses.mean()), math.exp(low), math.exp(high))

    def ratio(self, losses: Array, reference: Array) -> Estimate:
        """Perplexity over that of ``reference`` on the same blocks, and its interval."""
        return self.perplexity(losses - reference)
