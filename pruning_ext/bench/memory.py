"""Peak memory of a call."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def peak_memory(call: Callable[[], Any], device: str = "cpu") -> int | None:
    """By how many bytes the peak rises during ``call``; ``None`` where the system does not report it.

    On the CPU it is the resident set's (Linux only), on a CUDA device that of torch's allocator.
    """
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats(device)
        allocated = torch.cuda.memory_allocated(device)
        call()
        return torch.cuda.max_memory_allocated(device) - allocated
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # or freed memory of earlier calls would be used again unseen
        Path("/proc/self/clear_refs").write_text("5")
        before = memory_status("VmRSS")
        call()
        return max(0, memory_status("VmHWM") - before)
    except OSError:
        return None


def peak_own_memory(call: Callable[[], Any], interval: float = 0.002) -> int:
    """By how many bytes ``call`` raises the memory that is this process's own (Linux only).

    Pages that are mapped from files and unchanged, such as weights that lie on the disk, are left out: the
    system takes them back when it needs room. Looked at every ``interval`` seconds.
    """
    before = peak = memory_status("RssAnon")
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(interval):
            peak = max(peak, memory_status("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        call()
    finally:
        done.set()
        watcher.join()
    return max(peak, memory_status("RssAnon")) - before


def memory_status(key: str) -> int:
    """Bytes of this process: ``VmRSS`` (resident), ``VmHWM`` (its peak), ``RssAnon`` (not from a file)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key + ":"))
