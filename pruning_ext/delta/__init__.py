"""A fine-tuned model on disk as what differs from its base.

A delta directory holds ``delta_config.json`` (what it is, and a sha256 of every base tensor it builds on),
``delta_model.safetensors`` (per tensor the values that differ and where they go, see
:mod:`pruning_ext.storage.encoding`; several files ``delta_model-00001-of-0000N.safetensors`` where it is
large), and a ``README.md`` card. After KEN only the kept entries differ, so the delta *is* the subnetwork; a
kept entry that equals its pretrained value takes no space, because the base holds it already.

Names are loaded at first use, from where ``__init__.pyi`` has them: ``prune_to_delta`` is a pruner's.
"""

from pruning_ext._lazy import names_from_stub

__getattr__, __dir__, __all__ = names_from_stub(__name__, __file__)
