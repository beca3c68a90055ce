"""Act two: a quarter of SmolLM2's FFN neurons removed, without labels or training.

The pruned model is written, and everything said about it is measured on what plain ``from_pretrained`` reads
back: perplexity on articles that the calibration did not see, size, latency, and a sentence by both models.
"""

from __future__ import annotations

import platform
import shutil
import time
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

import pruning_ext
from demo import inputs
from demo.language import CALIBRATION, LENGTH, TEST, LanguageTest, token_blocks
from demo.measure import table
from pruning_ext import MIConfig, export, prune
from pruning_ext.calibration.batches import read_batches
from pruning_ext.calibration.latency import forward_seconds
from pruning_ext.storage.files import write_json
from pruning_ext.storage.sizes import size_text

RATIO = 0.25
CALIBRATION_TOKENS = 16384
TEST_TOKENS = 8192
PROMPT = "The most important thing a city can do for its children is"


def run(out: Path) -> str:
    """Prune, measure, and return the act's table.

    ``out/mi`` gets the pruned model in ``smollm2-pruned``, the plan, and ``results.json``.
    """
    folder = out / "mi"
    source = inputs.smollm2_dir()
    articles = inputs.editorials()
    tokenizer = AutoTokenizer.from_pretrained(source)
    dense = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
    calibration = token_blocks(tokenizer, articles[CALIBRATION], CALIBRATION_TOKENS).split(8)
    test = LanguageTest(token_blocks(tokenizer, articles[TEST], TEST_TOKENS))

    config = MIConfig(ratio=RATIO)
    started = time.perf_counter()
    result = prune(dense, config, calibration=calibration, show_progress=True)
    seconds = time.perf_counter() - started
    folder.mkdir(parents=True, exist_ok=True)
    result.plan.save(folder / "plan.json")
    written = export(result.model, folder / "smollm2-pruned", tokenizer=tokenizer, overwrite=True)
    del result

    pruned = AutoModelForCausalLM.from_pretrained(written, dtype=torch.float32).eval()
    models = {"dense": dense, "pruned": pruned}
    batch = read_batches(dense, test.batches[0][:1])[0]
    latency = dict(zip(models, forward_seconds(list(models.values()), batch), strict=True))
    losses = {
        name: test.losses(model, f"{name} perplexity", show_progress=True) for name, model in models.items()
    }
    sizes = {"dense": source / "model.safetensors", "pruned": written / "model.safetensors"}
    rows = [
        {
            "model": name,
            "ffn_width": model.config.intermediate_size,
            "parameters": model.num_parameters(),
            "file_bytes": sizes[name].stat().st_size,
            "perplexity": test.perplexity(losses[name]),
            "perplexity_ratio": test.ratio(losses[name], losses["dense"]),
            "forward_seconds": latency[name],
            "text": _continue(model, tokenizer),
        }
        for name, model in models.items()
    ]
    _write(folder, config, rows, seconds)
    return _text(rows, seconds, written)


def _continue(model: Any, tokenizer: Any) -> str:
    """What ``model`` says next, greedily."""
    prompt = tokenizer(PROMPT, return_tensors="pt")
    with torch.inference_mode():
        ids = model.generate(
            **prompt, max_new_tokens=28, do_sample=False, pad_token_id=tokenizer.eos_token_id
        )
    return " ".join(
        tokenizer.decode(ids[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True).split()
    )


def _write(folder: Path, config: MIConfig, rows: list[dict[str, Any]], seconds: float) -> None:
    plain = [
        {key: vars(value) if hasattr(value, "low") else value for key, value in row.items()} for row in rows
    ]
    document = {
        "config": config.to_dict(),
        "calibration_tokens": CALIBRATION_TOKENS,
        "test_tokens": TEST_TOKENS,
        "prune_seconds": round(seconds, 2),
        "rows": plain,
        "prompt": PROMPT,
        "machine": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "versions": {
            "pruning_ext": pruning_ext.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }
    write_json(folder / "results.json", document)


def _text(rows: list[dict[str, Any]], seconds: float, written: Path) -> str:
    header = (
        "model",
        "FFN width",
        "parameters",
        "file",
        "perplexity [95 %]",
        "against dense",
        f"{LENGTH} tokens",
    )
    cells = [
        (
            row["model"],
            f"{row['ffn_width']:,}",
            f"{row['parameters'] / 1e6:.1f} M",
            size_text(row["file_bytes"]),
            row["perplexity"].text(1),
            f"{row['perplexity_ratio'].value:.2f}x",
            f"{row['forward_seconds'] * 1e3:.0f} ms",
        )
        for row in rows
    ]
    width = shutil.get_terminal_size().columns
    said = "\n".join(f"  {row['model']:>6}: ... {row['text']}"[:width] for row in rows)
    return (
        f"MI pruning: SmolLM2-135M, {RATIO:.0%} of the FFN neurons removed in {seconds:.0f} s, "
        f"calibrated on {CALIBRATION_TOKENS:,} tokens;\n"
        f"perplexity on {TEST_TOKENS:,} tokens of other articles\n\n"
        f"{table(header, cells)}\n\n{PROMPT}\n{said}\n\n"
        f"{written} loads with plain AutoModelForCausalLM.from_pretrained."
    )
