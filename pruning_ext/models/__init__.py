"""Hugging Face models: feed-forward blocks, tensors in pairs, names, and transformers' own ways."""
