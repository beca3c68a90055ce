"""The names of files that travel with a model, against what transformers' tokenizers say they read."""

from __future__ import annotations

import pytest
import transformers
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

from pruning_ext.storage.model_files import SIDECARS


def _classes() -> list[str]:
    names = {
        name
        for entry in TOKENIZER_MAPPING_NAMES.values()
        for name in (entry if isinstance(entry, (tuple, list)) else (entry,))
        if name
    }
    return sorted(names)


def test_every_tokenizers_own_files_travel() -> None:
    looked_at, missing = 0, {}
    for name in _classes():
        try:
            files = getattr(transformers, name).vocab_files_names
        except (AttributeError, ImportError):  # it needs a library that is not here
            continue
        looked_at += 1
        given = [file for entry in files.values() for file in ([entry] if isinstance(entry, str) else entry)]
        if lost := sorted(set(given) - set(SIDECARS)):
            missing[name] = lost
    assert looked_at > 20
    assert missing == {}


@pytest.mark.parametrize("name", ["source.spm", "target.spm", "normalizer.json", "tekken.json"])
def test_files_that_no_class_lists_travel_too(name: str) -> None:
    """Marian's two models, Whisper's spelling, Mistral's own format."""
    assert name in SIDECARS
