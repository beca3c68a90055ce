"""Batched Gaussian KDE and all-pairs mutual information for PyTorch, and the two pruners that stand on them.

Names are loaded at first use: importing the package, or :mod:`pruning_ext.numpy`, does not import torch. They
stand in ``__init__.pyi``.
"""

from pruning_ext._lazy import names_from_stub

__getattr__, __dir__, __all__ = names_from_stub(__name__, __file__)
