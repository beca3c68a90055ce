"""Pruners for Hugging Face models: one configuration type per method, the same two calls for all.

A method has a folder of its own, whose `plan.py` calls :func:`~pruning_ext.pruners.method.register_method`.
Names are loaded at first use, from where ``__init__.pyi`` has them: what is registered here by name,
selections say, can be listed without torch.
"""

from pruning_ext._lazy import names_from_stub

__getattr__, __dir__, __all__ = names_from_stub(__name__, __file__)
