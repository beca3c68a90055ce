"""Selections against their definitions, written out naively here."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning_ext.choices.allocations.global_share import share as allocate
from pruning_ext.choices.selections import SELECTIONS, Ranking
from pruning_ext.pruners.mi.selection import NeuronStatistics, kept_neurons, rank


def statistics(n: int, seed: int = 0, dead: tuple[int, ...] = ()) -> NeuronStatistics:
    generator = torch.Generator().manual_seed(seed)
    information = torch.rand(n, n, generator=generator)
    information = (information + information.T) / 2 + 3 * torch.eye(n)  # the diagonal is no pair
    importance = torch.rand(n, generator=generator) + 0.1
    importance[list(dead)] = 0
    information[list(dead)] = 0
    information[:, list(dead)] = 0
    return NeuronStatistics(importance, information)


def naive(selection: str, found: NeuronStatistics, count: int) -> list[int]:
    """One removal at a time, everything looked at anew."""
    importance = found.importance.tolist()
    assert found.information is not None
    alive = list(range(len(importance)))
    removed: list[int] = []
    while len(removed) < count:
        pairs = {i: max((float(found.information[i, j]), -j) for j in alive if j != i) for i in alive}
        if selection == "joint":
            gone = min(alive, key=lambda i: (importance[i] * math.exp(-pairs[i][0]), i))
        else:
            first = max(alive, key=lambda i: (pairs[i][0], -i))
            second = -pairs[first][1]
            gone = first if importance[first] < importance[second] else second
        alive.remove(gone)
        removed.append(gone)
    return removed


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["joint", "greedy"]), st.integers(2, 40), st.integers(0, 10**6), st.data())
def test_eliminations_equal_the_naive_definition(
    selection: str, n: int, seed: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, n - 1))
    found = statistics(n, seed)
    assert rank(selection, found, count).order.tolist() == naive(selection, found, count)


@pytest.mark.parametrize("selection", SELECTIONS.names)
def test_dead_neurons_go_first(selection: str) -> None:
    found = statistics(20, dead=(3, 11, 12))
    order = rank(selection, found, 8).order.tolist()
    assert order[:3] == [3, 11, 12]
    assert len(set(order)) == 8
    assert rank(selection, found, 2).order.tolist() == [3, 11]


@pytest.mark.parametrize("selection", SELECTIONS.names)
def test_same_seed_same_ranking_and_inputs_unharmed(selection: str) -> None:
    found = statistics(30)
    before = found.information.clone()
    first, second = (rank(selection, found, 12, seed=(5, 1)) for _ in range(2))
    assert first.order.tolist() == second.order.tolist()
    assert torch.equal(found.information, before)
    assert (np.diff(first.cost) >= 0).all()
    if selection in ("random", "random_pairs"):
        assert first.order.tolist() != rank(selection, found, 12, seed=(5, 2)).order.tolist()


def test_importance_takes_the_least_and_ties_go_by_index() -> None:
    importance = torch.tensor([3.0, 1.0, 2.0, 1.0, 5.0])
    assert rank("importance", NeuronStatistics(importance), 3).order.tolist() == [1, 3, 2]


def test_joint_without_redundancy_is_importance() -> None:
    found = statistics(25)
    independent = NeuronStatistics(found.importance, torch.zeros(25, 25))
    assert rank("joint", independent, 10).order.tolist() == rank("importance", found, 10).order.tolist()


def test_joint_prefers_the_redundant_of_two_equals() -> None:
    information = torch.zeros(4, 4)
    information[1, 3] = information[3, 1] = 1.0
    order = rank("joint", NeuronStatistics(torch.ones(4), information), 2).order.tolist()
    assert order == [1, 0]  # once 1 is gone, 3 is alone again


def test_random_pairs_drops_only_above_its_threshold() -> None:
    information = torch.zeros(40, 40)
    for i in range(0, 10, 2):  # five redundant pairs among forty neurons
        information[i, i + 1] = information[i + 1, i] = 0.5
    found = NeuronStatistics(torch.ones(40), information)
    dropped = rank("random_pairs", found, 39, threshold=0.4, seed=0).order
    assert 0 < len(dropped) <= 5
    assert len({int(i) // 2 for i in dropped}) == len(dropped)  # never both of a pair
    assert max(dropped) < 10
    assert len(rank("random_pairs", found, 39, threshold=0.6).order) == 0


def test_random_pairs_search_finds_the_highest_threshold_that_is_enough() -> None:
    found = statistics(64, seed=3)
    searched = rank("random_pairs", found, 16, seed=9)
    assert len(searched.order) == 16
    assert searched.threshold is not None
    again = rank("random_pairs", found, 16, seed=9, threshold=searched.threshold)
    assert again.order.tolist() == searched.order.tolist()
    assert len(rank("random_pairs", found, 16, seed=9, threshold=searched.threshold + 0.01).order) < 16


def test_random_pairs_reaches_any_count() -> None:
    found = NeuronStatistics(torch.ones(33), torch.zeros(33, 33))
    assert len(set(rank("random_pairs", found, 32).order.tolist())) == 32


def test_a_pairwise_selection_needs_information() -> None:
    with pytest.raises(ValueError, match="'joint' needs the mutual information"):
        rank("joint", NeuronStatistics(torch.ones(4)), 2)


def test_kept_neurons_are_those_not_removed() -> None:
    assert kept_neurons(Ranking(np.array([4, 0]), np.zeros(2)), 6).tolist() == [1, 2, 3, 5]


def test_global_allocation_takes_the_cheapest_groups() -> None:
    costs = [np.array([0.1, 0.2, 0.3, 5.0]), np.array([1.0, 1.5, 2.0, 2.5])]
    assert allocate(costs, 4, 2) == [2, 2]  # (.1 .2) and (1 1.5) are cheaper than (.3 5)
    assert allocate(costs, 3, 1) == [3, 0]
    assert allocate(costs, 8, 1) == [4, 4]
