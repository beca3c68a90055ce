"""What README and docs show is run: Python blocks in order, file by file; C++ compiles; links hold.

Blocks that prune find `fine_tuned` and `base` (tiny BERTs), `model` (a tiny Llama), its `tokenizer` and
`batches` (token ids) in place of real ones; everything else they make themselves.
"""

import re
import shutil
import subprocess

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from pruning_ext.cli import main
from tests.checkout import ROOT, skip_module_without_sources

skip_module_without_sources()
PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)|(?:src|srcset)=\"([^\"]+)\"")


def _name(path):
    return str(path.relative_to(ROOT))


def _bert(seed):
    torch.manual_seed(seed)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    return BertModel(BertConfig(vocab_size=50, max_position_embeddings=16, **sizes)).eval()


def _stand_ins():
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=50, **sizes)).eval()
    batches = [torch.randint(0, 50, (4, 16)) for _ in range(4)]
    tokens = Tokenizer(WordLevel({"[UNK]": 0, "word": 1}, unk_token="[UNK]"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokens, unk_token="[UNK]")
    pair = {"fine_tuned": _bert(1), "base": _bert(0)}
    return pair | {"model": model, "batches": batches, "tokenizer": tokenizer}


@pytest.mark.parametrize("page", [page for page in PAGES if FENCE.search(page.read_text())], ids=_name)
def test_the_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "shown"}
    for block in FENCE.findall(page.read_text()):
        names |= _stand_ins()
        exec(compile(block, _name(page), "exec"), names)


def test_there_are_blocks_of_every_use():
    text = " ".join(FENCE.findall(PAGES[0].read_text()))
    calls = (
        "gaussian_kde(",
        "ken_mask(",
        "mutual_information(",
        "pruning_ext.numpy",
        "save_delta(",
        "export(",
    )
    assert [call for call in calls if call not in text] == []


def test_the_cpp_block_compiles(tmp_path):
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    assert compiler, "no C++ compiler: how was the package built?"
    (block,) = re.findall(r"^```cpp\n(.*?)^```", PAGES[0].read_text(), re.MULTILINE | re.DOTALL)
    source = tmp_path / "shown.cpp"
    source.write_text(
        '#include "common/threads.h"\n#include "ken/ken.h"\n'
        "bool shown(const float* weight, bool* mask, std::int64_t rows, std::int64_t cols) {\n"
        f"{block}\nreturn static_cast<bool>(status);\n}}\n"
    )
    command = [
        compiler,
        "-std=c++20",
        "-Wall",
        "-Werror",
        "-fsyntax-only",
        "-I",
        str(ROOT / "csrc"),
        str(source),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=_name)
def test_what_is_linked_is_there(page):
    links = [first or second for first, second in LINK.findall(page.read_text())]
    assert page.name != "README.md" or links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("command", ["ken", "mi", "plan", "apply", "info", "bench"])
def test_the_commands_that_readme_names_exist(command, capsys):
    assert f"pruning-ext {command}" in PAGES[0].read_text()
    assert main([command, "--help"]) == 0
    assert f"usage: pruning-ext {command} " in capsys.readouterr().out


def test_make_targets_that_pages_name_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        named = set(re.findall(r"`make ([a-z-]+)", page.read_text()))
        assert named <= targets, f"{_name(page)}: {named - targets}"
