"""Which names `targets` and `ignore` select, and what is said when they select nothing."""

import pytest

from pruning_ext.pruners import select_names

NAMES = [
    "bert.embeddings.word_embeddings.weight",
    "bert.encoder.layer.1.attention.self.query.weight",
    "bert.encoder.layer.1.attention.self.key.weight",
    "bert.encoder.layer.1.output.dense.weight",
    "bert.encoder.layer.11.attention.self.query.weight",
]


def test_no_targets_select_everything_in_order():
    assert select_names(NAMES) == NAMES


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (["query"], [1, 4]),  # last part of a module's name
        (["self.query"], [1, 4]),
        (["layer.1"], [1, 2, 3]),  # a whole module, and not layer.11
        (["bert.encoder.layer.1.output.dense.weight"], [3]),  # the tensor itself
        (["weight"], [0, 1, 2, 3, 4]),
        ([r"re:.*attention.*"], [1, 2, 4]),
        ([r"re:bert\.encoder\.layer\.\d\.attention"], [1, 2]),  # all of it must match
        (["key", "word_embeddings"], [0, 2]),
    ],
)
def test_targets(targets, expected):
    assert select_names(NAMES, targets) == [NAMES[i] for i in expected]


def test_ignore_wins_over_targets():
    assert select_names(NAMES, ["attention"], ["layer.11"]) == NAMES[1:3]


def test_ignore_may_name_what_is_known_but_not_prunable():
    assert select_names(NAMES, ignore=["classifier"], known=[*NAMES, "classifier.weight"]) == NAMES


@pytest.mark.parametrize("argument", ["targets", "ignore"])
def test_a_pattern_that_matches_nothing_lists_near_names(argument):
    with pytest.raises(ValueError, match=rf"{argument}: 'self.qury' matches no prunable tensor.*self\.query"):
        select_names(NAMES, **{"targets": ["weight"], argument: ["self.qury"]})


def test_one_dead_pattern_among_good_ones_is_an_error():
    with pytest.raises(ValueError, match="'quer'"):
        select_names(NAMES, ["query", "quer"])


def test_a_target_that_exists_but_cannot_be_pruned_lists_what_can():
    known = [*NAMES, "classifier.weight"]
    with pytest.raises(ValueError) as told:
        select_names(NAMES, ["classifier"], known=known)
    assert str(told.value) == (
        "targets: 'classifier' matches names, but no prunable tensor; to choose from: "
        f"{', '.join(NAMES[:3])} and 2 more"
    )
    blocks = [f"model.layers.{number}" for number in range(30)]
    for count, listed in ((30, "model.layers.0 to model.layers.29"), (2, "model.layers.0, model.layers.1")):
        with pytest.raises(ValueError) as told:
            select_names(blocks[:count], ["attention"], known=["attention.query"], what="FFN block")
        assert str(told.value) == (
            f"targets: 'attention' matches names, but no FFN block; to choose from: {listed}"
        )


def test_a_broken_expression_is_named():
    with pytest.raises(ValueError, match=r"targets: 're:\(' is not a regular expression"):
        select_names(NAMES, ["re:("])


def test_targets_that_leave_no_tensor_are_an_error():
    with pytest.raises(ValueError, match=r"^nothing to prune: targets and ignore leave no prunable tensor$"):
        select_names(NAMES, ["query"], ["attention"])
