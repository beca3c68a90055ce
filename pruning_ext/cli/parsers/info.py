"""`pruning-ext info` has no options of its own."""

from __future__ import annotations

HELP = "versions, what was built, and where each operation runs"
DESCRIPTION = "Print versions, what was built, the instruction set chosen, and where each operation runs."
