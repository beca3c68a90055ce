"""How often a weight is read, compared and handed back on its way through KEN."""

import pytest
import torch

from pruning_ext import KENConfig, plan, prune, prune_to_delta
from tests.pruners.ken.walk import Walk
from tests.tiny_models import make_pair

NAME = "model.layers.1.mlp.up_proj.weight"
CONFIG = KENConfig(density=0.3)


@pytest.fixture(autouse=True)
def _in_this_thread():
    """Where the walk sees it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("earlier", [False, True], ids=["config", "plan"])
@pytest.mark.parametrize("how", ["copy", "in place", "delta"])
def test_a_weight_is_read_once_for_each_purpose(how, earlier, tmp_path):
    model, base = make_pair("llama")
    todo = plan(model, CONFIG, pretrained=base) if earlier else CONFIG
    walk = Walk(NAME, model.get_parameter(NAME).detach())
    if how == "delta":
        walk.trace(lambda: prune_to_delta(model, todo, tmp_path / "delta", pretrained=base))
    else:
        walk.trace(lambda: prune(model, todo, pretrained=base, inplace=how == "in place"))
    print(walk.returns, "returns:", " > ".join(walk.modules))
    assert {"models.pairing", "models.pairs", "pruners.ken.apply", "ops.ken"} <= set(walk.modules)
    assert walk.calls["models.pairing._check_storage"] == 1  # found in pairs
    assert walk.calls["models.pairs.check_finite"] == 1
    assert walk.calls["pruners.plan._some_values"] == 1  # of the model's signature
    assert walk.calls["storage.encoding.compare"] == (2 if how == "delta" else 1)  # as it was, as it is left
    assert walk.calls["pruners.ken.criteria.select_entries"] == 1
    assert walk.returns <= 2


def test_a_walk_counts_what_goes_back():
    """That the numbers above can be others."""
    model, base = make_pair("llama")
    walk = Walk(NAME, model.get_parameter(NAME).detach())

    def twice():
        for _ in range(2):
            plan(model, CONFIG, pretrained=base)

    walk.trace(twice)
    assert walk.returns == len(walk.modules) // 2 > 3
    assert walk.calls["storage.encoding.compare"] == 2
