"""Files: written atomically, read with errors that name them, and the encodings of tensors in them."""
