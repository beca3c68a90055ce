"""A tokenizer beside a delta."""

import pytest

from pruning_ext.delta import load_delta, prune_to_delta, save_delta
from pruning_ext.pruners import KENConfig
from tests.tiny_models import make_pair


class Tokenizer:
    def save_pretrained(self, directory):
        (directory / "vocab.txt").write_text("the tokenizer's")


@pytest.mark.parametrize("way", ["save_delta", "prune_to_delta"])
def test_a_tokenizer_goes_beside_the_delta(tmp_path, way):
    model, base = make_pair("bert")

    def save(**more):
        if way == "save_delta":
            save_delta(model, base, tmp_path / "delta", **more)
        else:
            prune_to_delta(model, KENConfig(density=0.5), tmp_path / "delta", pretrained=base, **more)

    (tmp_path / "vocab.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"would take the place of the vocab\.txt that is written"):
        save(tokenizer=Tokenizer(), files=[tmp_path / "vocab.txt"])
    with pytest.raises(TypeError, match="tokenizer is a str, which has no save_pretrained"):
        save(tokenizer="bert")
    assert not (tmp_path / "delta").exists()
    save(tokenizer=Tokenizer())
    assert (tmp_path / "delta" / "vocab.txt").read_text() == "the tokenizer's"
    load_delta(base, tmp_path / "delta")
