"""Batched Gaussian KDE and all-pairs mutual information for PyTorch, and the two pruners that stand on them."""

__version__ = "0.1.0"
