"""Arithmetic that keeps its own precision, whatever the caller has set for theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """No autocast on ``device``, and float32 products in float32: neither TF32 nor bfloat16.

    A caller's ``torch.autocast``, ``torch.set_float32_matmul_precision`` and
    ``torch.backends.*.matmul.fp32_precision`` are as they were afterwards.
    """
    products = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)  # type: ignore[attr-defined]
    before = [backend.fp32_precision for backend in products]
    with ExitStack() as stack:
        for kind in {"cpu", device.type}:
            if torch.amp.is_autocast_available(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        try:
            for backend in products:
                backend.fp32_precision = "ieee"
            yield
        finally:
            for backend, precision in zip(products, before, strict=True):
                backend.fp32_precision = precision
