"""Facts of two models' tensors: what they are, and that they are read once."""

import pytest
import torch

from pruning_ext.models.pairs import Pairs
from tests.tiny_models import make_pair

DENSE = "bert.encoder.layer.1.output.dense.weight"


def test_pairs_are_those_of_the_model_in_order():
    model, base = make_pair("bert")
    pairs = Pairs(model, base)
    assert [pair.name for pair in pairs] == list(model.state_dict())
    assert pairs[1:3] == [pairs[1], pairs[2]]
    assert len(pairs) == len(model.state_dict())


def test_changed_entries_are_counted_once():
    model, base = make_pair("bert")
    weight = model.get_parameter(DENSE).detach()
    weight.copy_(base.encoder.layer[1].output.dense.weight)
    weight[3, 5] += 1
    pairs = Pairs(model, base)
    expected = [int(row == 3) for row in range(len(weight))]
    assert pairs.changed(DENSE).tolist() == expected
    weight[4] += 1
    assert pairs.changed(DENSE).tolist() == expected
    with pytest.raises(KeyError, match=r"classifier\.weight has no counterpart"):
        pairs.changed("classifier.weight")


@pytest.mark.parametrize("role", ["model", "origin"])
def test_values_that_cannot_be_pruned_are_named(role):
    model, base = make_pair("bert")
    broken = model.bert if role == "model" else base
    broken.encoder.layer[1].output.dense.weight.data[3, 5] = float("nan")
    sentence = rf"{role}: tensor bert\.encoder\.layer\.1\.output\.dense\.weight holds nan in row 3, column 5"
    with pytest.raises(ValueError, match=sentence):
        Pairs(model, base, "origin").check_values(DENSE, subtracted=False)


def test_differences_that_overflow_matter_where_they_are_taken():
    model, base = make_pair("bert")
    model.get_parameter(DENSE).data[0, 0] = 3e38
    base.encoder.layer[1].output.dense.weight.data[0, 0] = -3e38
    pairs = Pairs(model, base)
    pairs.check_values(DENSE, subtracted=False)
    with pytest.raises(ValueError, match="differences between model and pretrained overflow"):
        pairs.check_values(DENSE, subtracted=True)
    assert not torch.isinf(model.get_parameter(DENSE)).any()
