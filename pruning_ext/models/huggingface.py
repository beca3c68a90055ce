"""Classes, configurations and wrappers of Hugging Face models, and transformers' own ways."""

from __future__ import annotations

import contextlib
import copy
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import transformers
from torch import nn
from transformers.utils import logging

from pruning_ext.storage.refusals import refusals_named

# Where a model came from and how it runs, not what it is.
_VOLATILE = ("_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype")

# Where wrappers keep the module that they wrap, and what they insert into the names of its tensors.
_WRAPPERS = ("_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module")
# Packages whose modules hold adapters beside the weights, and types of parameters that are plain numbers.
_ADAPTERS = ("peft", "adapters")
_PLAIN = (nn.Parameter, nn.parameter.UninitializedParameter)


def describe_model(model: nn.Module, base: nn.Module) -> dict[str, Any]:
    """Classes, names, configurations and dtype of two models, as a delta records them."""
    prefixes = [getattr(each, "base_model_prefix", "") for each in (model, base)]
    return {
        "architecture": type(model).__name__,
        "base_architecture": type(base).__name__,
        "base_model_name_or_path": model_name(base),
        "base_model_prefixes": list(dict.fromkeys(filter(None, prefixes))),
        "dtype": main_dtype(model),
        "model_config": _config_of(model),
        "generation_config": _generation_config_of(model),
    }


def model_name(model: nn.Module) -> str | None:
    """The name or path a Hugging Face model was loaded from."""
    return getattr(getattr(model, "config", None), "_name_or_path", None) or None


def unwrapped(model: Any) -> Any:
    """The model that ``torch.compile`` wrapped, whose names have no prefix; any other, or none, as it is.

    Raises:
        ValueError: modules inside are wrapped, by ``torch.compile`` one by one, by FSDP, or for activation
            checkpointing. Their tensors have names that no other model of the class has, nor its files.
    """
    inner: Any = getattr(model, "_orig_mod", None)
    model = inner if isinstance(inner, nn.Module) else model
    for name, _ in model.named_modules() if isinstance(model, nn.Module) else ():
        owner, _, wrapper = name.rpartition(".")
        if wrapper in _WRAPPERS:
            kind = type(model.get_submodule(owner)).__name__
            raise ValueError(
                f"{type(model).__name__} has wrapped modules, {owner or 'itself'} ({kind}) first, and so "
                f"tensors of other names: put {name} in its place, and wrap it after the work"
            )
    return model


def given_model(name: str, given: Any) -> nn.Module:
    """The model that the argument ``name`` gives, without the wrapper of ``torch.compile``.

    Raises:
        TypeError: no module, a path, say: that is to be loaded first.
        ValueError: modules inside are wrapped, see :func:`unwrapped`, or are adapters; a parameter is no
            plain tensor: sharded, say, or quantized.
    """
    if not isinstance(given, nn.Module):
        raise TypeError(f"{name} is a {type(given).__name__}, expected a torch.nn.Module: load it first")
    model: nn.Module = unwrapped(given)
    _check_plain(name, model)
    return model


def _check_plain(name: str, model: nn.Module) -> None:
    """Raise ``ValueError`` if ``model`` has adapters, or parameters that are more than tensors of numbers."""
    for place, module in model.named_modules():
        kind = type(module)
        if kind.__module__.partition(".")[0] in _ADAPTERS:
            raise ValueError(
                f"{name} has adapters ({place or 'itself'} is a {kind.__module__}.{kind.__name__}), and its "
                "files would hold them alone: merge them into the weights first (merge_and_unload)"
            )
    for place, parameter in model.named_parameters():
        if type(parameter) not in _PLAIN:
            raise ValueError(
                f"{name}: parameter {place} is a {type(parameter).__name__}, sharded or quantized: gather it "
                "(full_tensor()) or dequantize it first"
            )


def main_dtype(model: nn.Module) -> str:
    """The dtype that holds most of the parameters, as in ``float32``."""
    sizes: Counter[str] = Counter()
    for parameter in model.parameters():
        sizes[str(parameter.dtype).removeprefix("torch.")] += parameter.numel()
    return sizes.most_common(1)[0][0]


def same_config(model: nn.Module, config: dict[str, Any] | None) -> bool:
    """Whether ``model`` is configured as ``config`` says, apart from where it came from."""
    return _lasting(_config_of(model)) == _lasting(config)


def check_not_quantized(config: Any, what: str) -> None:
    """Refuse a model whose configuration says that its weights are quantized: they cannot be pruned.

    Raises:
        ValueError: naming the method, and ``what`` is quantized.
    """
    quantization = getattr(config, "quantization_config", None)
    if quantization:
        fields = quantization if isinstance(quantization, dict) else vars(quantization)
        method = fields.get("quant_method")
        raise ValueError(
            f"{what} is quantized ({getattr(method, 'value', method)}): pruning needs the weights, so prune "
            "first and quantize the result, or dequantize it"
        )


def find_model_class(name: str) -> type[nn.Module] | None:
    """The transformers model class of this name."""
    kind = getattr(transformers, name, None)
    return kind if isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel) else None


def set_generation_config(model: Any, description: dict[str, Any]) -> None:
    """Give ``model`` the generation settings that :func:`describe_model` recorded, if any.

    They come as from a file: transformers saves settings that it finds fault with only as they were loaded.
    """
    recorded = description["generation_config"]
    if recorded is None or _generation_config_of(model) == recorded:
        return
    with tempfile.TemporaryDirectory() as folder, quiet_transformers():
        (Path(folder) / "generation_config.json").write_text(json.dumps(recorded), encoding="utf-8")
        model.generation_config = transformers.GenerationConfig.from_pretrained(folder)


def save_model(model: Any, directory: Path) -> None:
    """``save_pretrained``, with what the operating system refuses as an ``OSError`` that says so."""
    with refusals_named(directory, directory):
        model.save_pretrained(directory)


def save_configuration(model: Any, directory: Path) -> None:
    """Write what ``save_pretrained`` writes beside the weights: configurations, and a model's own code."""
    with quiet_transformers():
        model.save_pretrained(directory, state_dict={})


def shallow_copy(model: Any) -> Any:
    """A second model of the same modules and tensors with configurations of its own."""
    made = copy.copy(model)
    for name in ("config", "generation_config"):
        if hasattr(model, name):
            setattr(made, name, copy.deepcopy(getattr(model, name)))
    return made


@contextlib.contextmanager
def quiet_transformers(*, bars: bool = False) -> Iterator[None]:
    """No reports of transformers while it loads or saves, and progress bars only with ``bars``."""
    verbosity, enabled = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    if not bars:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if enabled:
            logging.enable_progress_bar()


def _config_of(model: nn.Module) -> dict[str, Any] | None:
    config = getattr(model, "config", None)
    if not isinstance(config, transformers.PretrainedConfig):
        return None
    return dict(json.loads(config.to_json_string(use_diff=False)))


def _generation_config_of(model: nn.Module) -> dict[str, Any] | None:
    config = getattr(model, "generation_config", None)
    return None if config is None else dict(json.loads(config.to_json_string(use_diff=True)))


def _lasting(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _lasting(value) for key, value in config.items() if key not in _VOLATILE}
    return config
