"""The figures by which the floor plan of the sources is judged, for this checkout or another.

    python scripts/house.py [CHECKOUT]      # a git worktree of an earlier commit, say

What one change costs is counted as files of the product (csrc, and pruning_ext without bench) that name in
code, not in prose, what stands for it: `compensation` for a configuration field, `greedy` for a selection,
Miller-Madow for a correction, `mutual_information_topk` for a public op on two devices and in NumPy.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

NATIVE = {".h", ".cpp", ".cu", ".cuh"}

# Words in Python code, and what native code has for them.
CHANGES = {
    "a configuration field": ({"compensation", "COMPENSATIONS ="}, None),
    "a selection": ({"greedy"}, None),
    "a correction": ({"miller-madow"}, "miller_madow"),
    "a public op": ({"mutual_information_topk"}, r"\bmutual_information_topk\b"),
}

# Logic that stood twice, each by a line that its definition cannot do without.
LOGIC = {
    "edges of quantile bins": r"void push_zero_quantiles\(",
    "radix sort": r"(?i)counts?\[.*(?:>>|shift).*(?:& 0xff|& 255|& kMask|& mask)",
    "half to float": r"\(bits & 0x7c00\) == 0x7c00",
    "variances that their type holds": r"> 1e-280 &&",
    "a grid whose range overflows": r"made in quarters",
    "least remainder of a leave-one-out sum": r"kLeastRemainder =",
    "weight of a leave-one-out sum": r">= kLeastRemainder \* (?:weight_sum_|all)\) return",
    "full adder": r"const Word either = \w+ \^ \w+;",
    "arguments of KDE": r"params\.bandwidth = bandwidth_of",
    "arguments of discretisation": r"params\.strategy = ",
    "names of corrections": r"choice_of\(kCorrections|estimator_named\(correction",
    "best partners": r"class TopK\b",
    "a block's decision": r"\brank\(\s*config\.selection",
    "processor's name": r"startswith\(.model name",
    "a run in a process of its own": r"def run_apart\b",
}


def product(root: Path) -> list[Path]:
    """Files of the product, sorted."""
    python = [p for p in (root / "pruning_ext").rglob("*.py*") if p.suffix in {".py", ".pyi"}]
    native = [p for p in (root / "csrc").rglob("*") if p.suffix in NATIVE]
    return sorted(p for p in python + native if "bench" not in p.relative_to(root).parts)


def holding(paths: Iterable[Path], pattern: str) -> list[Path]:
    """The files in which a line matches."""
    found = re.compile(pattern, re.MULTILINE)
    return [path for path in paths if found.search(path.read_text(encoding="utf-8"))]


def words_of(path: Path) -> set[str]:
    """Strings, names of arguments and fields, and assigned names of a Python file."""
    words: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.add(node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            words.add(node.target.id)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            words.add(f"{node.targets[0].id} =")
        elif isinstance(node, (ast.FunctionDef, ast.alias)):
            words.add(node.name)
    return words


def naming(paths: Iterable[Path], words: set[str], native: str | None) -> list[Path]:
    """The files that name one of ``words`` in Python, or what matches ``native``."""
    return [
        path
        for path in paths
        if (words & words_of(path) if path.suffix.startswith(".py") else native and holding([path], native))
    ]


def modules(root: Path) -> dict[str, Path]:
    """Python modules of the package and of benchmarks, by dotted name."""
    files = [p for place in ("pruning_ext", "benchmarks") for p in (root / place).rglob("*.py")]
    return {".".join(p.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): p for p in files}


def imports(path: Path, known: Iterable[str]) -> Iterator[str]:
    """Modules of ours that a file imports, wherever in it, but not for type checkers alone."""
    names = set(known)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in inner if name in names)
            if node.module in names and any(name not in names for name in inner):
                yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that reach each other."""
    reach = {name: set(targets) for name, targets in graph.items()}
    changed = True
    while changed:
        changed = False
        for targets in reach.values():
            more = set().union(*(reach.get(t, set()) for t in targets), targets)
            if len(more) > len(targets):
                targets |= more
                changed = True
    groups = {frozenset(b for b in graph if b in reach[a] and a in reach[b]) for a in graph if a in reach[a]}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def functions_like(paths: Iterable[Path], pattern: str) -> list[str]:
    """``file:function`` of functions with such a name."""
    return [
        f"{path.name}:{node.name}"
        for path in paths
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and re.fullmatch(pattern, node.name)
    ]


def lines_of(paths: Iterable[Path]) -> int:
    return sum(path.read_text(encoding="utf-8").count("\n") for path in paths)


def main() -> None:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]).resolve()
    files = product(root)
    measuring = sorted({*(root / "pruning_ext/bench").rglob("*.py"), *(root / "benchmarks").rglob("*.py")})
    everything = [*files, *measuring, *sorted((root / "examples").rglob("*.py"))]

    def show(what: str, value: object, places: Iterable[object] = ()) -> None:
        listed = ", ".join(str(p.relative_to(root)) if isinstance(p, Path) else str(p) for p in places)
        print(f"{what:58} {value}" + (f"   ({listed})" if listed else ""))

    for change, (words, native) in CHANGES.items():
        places = naming(files, words, native)
        show(f"files that name {change}", len(places), places)
    show("modules in the root of pruning_ext", len(list((root / "pruning_ext").glob("*.py"))))
    for family in ("kde", "ken", "mi"):
        show(
            f"files in csrc/{family} beside its folders",
            sum(p.is_file() for p in (root / "csrc" / family).iterdir()),
        )
    harnesses = holding(measuring, r"^class Subject\b")
    show("benchmark harnesses", len(harnesses), harnesses)
    plotters = holding(measuring, r"^\s*(?:import|from) matplotlib")
    show("files that draw", len(plotters), plotters)
    formats = functions_like(
        everything, r"(size_text|duration|_?(time|seconds|rate|error|number|scaled)(_text|_label)?)"
    )
    show("functions that format numbers for people", len(formats), formats)
    graph = {name: set(imports(path, modules(root))) - {name} for name, path in modules(root).items()}
    found = circles(graph)
    show("circles of imports", len(found), found)
    faces = sorted(
        name for name, to in graph.items() if "pruning_ext" in to and name.startswith("pruning_ext.")
    )
    faces = [name for name in faces if not name.startswith("pruning_ext.bench")]
    show("modules of the package that import its face", len(faces), faces)
    twice = {
        what: places for what, pattern in LOGIC.items() if len(places := holding(everything, pattern)) > 1
    }
    for what, places in twice.items():
        show(f"stands in several files: {what}", len(places), places)
    show("lines without tests", lines_of([*everything, *(root / "scripts").glob("*.py")]))


if __name__ == "__main__":
    main()
