"""``make bench-check``: count the instructions of each hot kernel and compare with the committed counts.

Callgrind counts what the torch-free core executes on fixed inputs (count_kernels.cpp), so the counts repeat
on a busy machine. Each kernel's total is compared, and each function of ours that holds a share of it worth
naming: a loop that takes 10 % more shows there even where it is a quarter of its kernel. Counts guard the
work that is done; they say nothing of caches, of memory or of AVX-512: Valgrind has none, so that the AVX2
kernels run, on every machine alike.

Exit status: 0 all counts within the tolerance; 1 a count is off; 2 it could not be counted; 3 the program was
built by another compiler, with other flags or for another architecture than the record, so that counts do not
compare.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECORD = Path(__file__).with_name("counts.json")
TOLERANCE = 0.05  # either way: a kernel that became cheaper is recorded, or it could get worse again unseen
SHARE = 0.08  # of a kernel's instructions, from which on a function is recorded by its name
ISA = "avx2"
SAME, OFF, FAILED, INCOMPARABLE = range(4)
# What makes counts of two builds comparable. The C library and Valgrind stand beside them: they hardly count.
BUILD = ("compiler", "flags", "architecture")


class CannotCount(Exception):
    """The counts could not be taken; the message says why, and what would help."""


def count(program: Path) -> dict[str, Any]:
    """Run ``program`` under callgrind; how it was built, and the instructions of each kernel."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise CannotCount("valgrind is not installed; the counts need it (Debian's package is `valgrind`)")
    with tempfile.TemporaryDirectory() as folder:
        command = [valgrind, "--tool=callgrind", "--instr-atstart=no", "--dump-line=no"]
        command += [f"--callgrind-out-file={folder}/dump", str(program)]
        environment = os.environ | {"PRUNING_EXT_ISA": ISA, "LC_ALL": "C"}
        run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if run.returncode:
            raise CannotCount(f"{program} failed under Valgrind:\n{run.stderr.strip()}")
        counts = dict(read_dump(path) for path in sorted(Path(folder).glob("dump.*"), key=_number))
    facts = dict(line.split("\t", 1) for line in run.stdout.splitlines())
    if facts["instruction_set"] != ISA:
        raise CannotCount(f"the counts are of {ISA} kernels; this machine runs {facts['instruction_set']}")
    facts["valgrind"] = subprocess.run([valgrind, "--version"], capture_output=True, text=True).stdout.strip()
    return facts | {"counts": counts}


def _number(path: Path) -> int:
    return int(path.suffix[1:])


def read_dump(path: Path) -> tuple[str, dict[str, int]]:
    """The kernel that a dump is named after; the instructions in it and in each function of ours."""
    text = path.read_text()
    kernel = re.search(r"^desc: Trigger: Client Request: (.+)$", text, re.MULTILINE)
    total = re.search(r"^totals: (\d+)", text, re.MULTILINE)
    if kernel is None or total is None or int(total[1]) == 0:
        raise CannotCount(f"{path.name} holds no count of a named kernel")
    functions: Counter[str] = Counter()
    for function, instructions in _own_costs(text):
        if "pruning_ext::" in function:
            functions[short_name(function)] += instructions
    return kernel[1], {"total": int(total[1]), **functions}


def _own_costs(text: str) -> Iterator[tuple[str, int]]:
    """The cost lines outside of calls, each with its function; a name is written out once, then numbered."""
    names: dict[str, str] = {}
    function, is_call = "", False
    for line in text.splitlines():
        if named := re.match(r"fn=(\(\d+\))(?: (.+))?", line):
            function = names.setdefault(named[1], named[2] or "")
        elif called := re.match(r"cfn=(\(\d+\)) (.+)", line):
            names[called[1]] = called[2]
        elif line.startswith("calls="):
            is_call = True  # the next line is the callee's cost
        elif cost := re.fullmatch(r"[+\-*\d]+ (\d+)", line):
            if not is_call:
                yield function, int(cost[1])
            is_call = False


def short_name(function: str) -> str:
    """``kde::avx2::direct`` of a demangled signature: no arguments, result or namespace that all share."""
    name = re.sub(r"pruning_ext::|\(anonymous namespace\)::", "", function)
    while "<" in name and (shorter := re.sub(r"<[^<>]*>", "", name)) != name:
        name = shorter
    return name.split("(")[0].strip().split(" ")[-1]


def hot(counts: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """What is recorded: the total of each kernel, and its functions from ``SHARE`` on, the largest first."""
    return {
        kernel: {name: n for name, n in sorted(found.items(), key=_most) if n >= SHARE * found["total"]}
        for kernel, found in counts.items()
    }


def _most(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def compare(record: dict[str, Any], found: dict[str, Any]) -> tuple[int, list[str]]:
    """The exit status, and a line for each count; or one sentence where the two do not compare.

    The lines are the kernels' totals, and the functions whose count is off.
    """
    for key in BUILD:
        if record[key] != found[key]:
            return INCOMPARABLE, [
                f"the committed counts are of {key} {record[key]!r}, this build is of {found[key]!r}: they "
                "do not compare; build as recorded, or record anew with `make bench-check RECORD=1`"
            ]
    status, lines = SAME, [f"{'kernel':42}{'recorded':>14}{'counted':>14}{'change':>10}"]
    for kernel in dict.fromkeys([*record["counts"], *found["counts"]]):
        before = record["counts"].get(kernel, {"total": 0})
        now = found["counts"].get(kernel, {"total": 0})
        for name, recorded in before.items():
            verdict, line = _judge(kernel if name == "total" else f"  {name}", recorded, now.get(name, 0))
            if verdict or name == "total":
                lines.append(line)
            status = OFF if verdict else status
    if status != SAME:
        others = [key for key in ("c_library", "valgrind") if record[key] != found[key]]
        lines += [f"note: {key} was {record[key]} and is {found[key]}" for key in others]
        lines.append(
            f"a count is off by more than {TOLERANCE:.0%}: mend the kernel or, where the change is meant, "
            "`make bench-check RECORD=1` and commit the new counts with the reason"
        )
    return status, lines


def _judge(name: str, before: int, now: int) -> tuple[str, str]:
    """What is wrong, if anything, and the line that says it."""
    change = now / before - 1 if before and now else None
    if change is None:
        verdict = "not recorded" if now else "no longer counted"
    else:
        verdict = "" if abs(change) <= TOLERANCE else "SLOWER" if change > 0 else "faster: record it"
    share = "" if change is None else f"{change:+.2%}"
    return verdict, f"{name:42}{before or '-':>14}{now or '-':>14}{share:>10}  {verdict}".rstrip()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.instructions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("program", type=Path, help="count_kernels, built with PRUNING_EXT_INSTRUCTIONS=ON")
    parser.add_argument(
        "--record", action="store_true", help=f"write {RECORD.name} instead of comparing with it"
    )
    chosen = parser.parse_args(arguments)
    try:
        found = count(chosen.program)
    except CannotCount as error:
        print(error, file=sys.stderr)
        return FAILED
    if chosen.record:
        kept = found | {"counts": hot(found["counts"])}
        RECORD.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
        print(f"{len(found['counts'])} counts recorded in {RECORD.name}")
        return SAME
    status, lines = compare(json.loads(RECORD.read_text(encoding="utf-8")), found)
    print("\n".join(lines), file=sys.stderr if status == INCOMPARABLE else sys.stdout)
    return status


if __name__ == "__main__":
    sys.exit(main())
