"""The names of the files that lie in the directory of a model or of a delta."""

from __future__ import annotations

from fnmatch import fnmatchcase

MODEL_CONFIG, DELTA_CONFIG = "config.json", "delta_config.json"
"""The configurations that tell a model's and a delta's directory from any other."""

CONFIGURATIONS = (MODEL_CONFIG, DELTA_CONFIG)

SIDECARS = (
    "added_tokens.json",
    "audio_tokenizer_config.json",
    "bpe.codes",
    "byte_maps.json",
    "chat_template.jinja",
    "chat_template.json",
    "dict.txt",
    "emoji.json",
    "entity_vocab.json",
    "merges.txt",
    "normalizer.json",
    "preprocessor_config.json",
    "processor_config.json",
    "prophetnet.tokenizer",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "source.spm",
    "special_tokens_map.json",
    "spiece.model",
    "spm.model",
    "spm_char.model",
    "target.spm",
    "target_vocab.json",
    "tekken.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "video_preprocessor_config.json",
    "vocab-src.json",
    "vocab-tgt.json",
    "vocab.bpe",
    "vocab.json",
    "vocab.txt",
    "word_pronunciation.json",
    "word_shape.json",
)
"""Files that ``from_pretrained`` of tokenizers and processors reads, beside the model."""

# What save_pretrained, save_delta and export write besides; code is a model's own, from the hub.
_WRITTEN = (
    "generation_config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "pytorch_model*.bin",
    "pytorch_model*.bin.index.json",
    "README.md",
    "pruning_report.json",
    "configuration_*.py",
    "modeling_*.py",
)


def is_model_file(name: str) -> bool:
    """Whether a file of this name is one that a model's or a delta's directory is made of."""
    return any(fnmatchcase(name, pattern) for pattern in (*CONFIGURATIONS, *SIDECARS, *_WRITTEN))
