"""Work on threads: results in order, not far ahead of who asks, and no exception lost."""

import threading

import pytest
import torch

from pruning_ext.storage.threads import in_threads


@pytest.fixture(params=[1, 2, 5])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_results_come_in_order(threads, count):
    assert list(in_threads(lambda item: item * item, range(count))) == [i * i for i in range(count)]


def test_work_is_done_a_little_ahead(threads):
    started = []
    results = in_threads(lambda item: started.append(item), range(100))
    assert started == []
    next(results)
    assert 0 in started
    assert len(started) <= 2 * threads + 1
    list(results)
    assert sorted(started) == list(range(100))


def test_an_exception_is_raised_and_ends_the_work(threads):
    def fail(item):
        if item == 3:
            raise ValueError("three")
        return item

    before = threading.active_count()
    results = in_threads(fail, range(100))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert threading.active_count() == before
