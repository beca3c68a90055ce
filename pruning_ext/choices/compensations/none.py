"""No compensation."""

from __future__ import annotations

from pruning_ext.choices.compensations import COMPENSATIONS, Compensation

COMPENSATIONS.add(Compensation("none", "leave the down projection as it is", None))
