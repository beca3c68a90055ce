"""Unlabelled inputs, and the statistics of a model's activations on them."""
