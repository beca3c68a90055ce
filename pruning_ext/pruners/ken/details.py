"""KEN's ``details`` of a layer in a plan, as a type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from pruning_ext.pruners.plan import LayerPlan

Action = Literal["rows", "new", "as fine-tuned"]
"""Its rows are pruned, it has no counterpart and is kept whole, or it is left alone."""


@dataclass(frozen=True)
class TensorDetails:
    """One tensor in a plan.

    Attributes:
        shape: the tensor's.
        tied: its other names.
        action: what becomes of it.
        changed: entries that differ from its counterpart's, ``None`` if it has none.
        k: entries kept in each row, where rows are pruned.
    """

    shape: tuple[int, ...]
    tied: tuple[str, ...]
    action: Action
    changed: int | None = None
    k: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The ``details`` of a layer, as JSON has them."""
        optional = {"changed": self.changed, "k": self.k}
        return {
            "shape": list(self.shape),
            "tied": list(self.tied),
            "action": self.action,
            **{name: value for name, value in optional.items() if value is not None},
        }

    @classmethod
    def of(cls, layer: LayerPlan) -> TensorDetails:
        """The details of ``layer``, which may come from a file.

        Raises:
            ValueError: an action that KEN does not know, or rows to prune without a number of entries.
        """
        action: Any = layer.details.get("action")
        k = layer.details.get("k")
        if action not in get_args(Action):
            raise ValueError(f"the plan has action {action!r} for {layer.name}: it is no plan of KEN")
        if action != "rows":
            k = None
        elif not isinstance(k, int) or isinstance(k, bool) or k < 0:
            raise ValueError(f"the plan has k={k!r} for {layer.name}, expected a whole number of at least 0")
        shape, tied = (tuple(layer.details.get(name, ())) for name in ("shape", "tied"))
        return cls(shape, tied, action, layer.details.get("changed"), k)
