"""A CUDA device, for what has no CPU half."""

import pytest
import torch


@pytest.fixture
def cuda(device: torch.device) -> torch.device:
    if device.type != "cuda":
        pytest.skip("there is no CPU half of this: it is about CUDA alone")
    return device
