"""Masks are the same on every instruction set, to the last entry."""

import torch


def test_masks(on_isa, on_best_isa):
    masks = [name for name in on_best_isa if "mask" in name]
    assert len(masks) == 33
    for name in masks:
        assert torch.equal(on_isa[name], on_best_isa[name]), name
