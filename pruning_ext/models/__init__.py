"""Hugging Face models: feed-forward blocks, tensors in pairs, names, loading, and transformers' own ways."""
