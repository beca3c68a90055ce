"""The entries that fine-tuning moved furthest."""

from pruning_ext.choices.criteria import CRITERIA, Criterion
from pruning_ext.choices.criteria.magnitude import keep_largest

CRITERIA.add(Criterion("delta", "those that moved furthest", keep_largest, of_delta=True))
