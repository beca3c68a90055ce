"""The same calls by a process confined to a lower instruction set, which is chosen once for each process.

``python -m pruning_ext.bench.worker FAMILY SIZE THREADS...`` with ``PRUNING_EXT_ISA`` set reads one JSON
object a line: ``{"do": "check" | "seconds" | "memory", "key": [case, provider, threads, device], "loops":
n}``, and answers each by ``{"result": ...}`` or ``{"error": "..."}``.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pruning_ext.bench.families import FAMILIES
from pruning_ext.bench.harness import Check, Subject
from pruning_ext.bench.provider import OURS, Request, Size

VARIANT = f"{OURS}, {{}}"  # the provider's name in the tables, by instruction set


class Worker:
    """A process on one instruction set, started at the first question and ended with the object."""

    def __init__(self, family: str, request: Request, instruction_set: str) -> None:
        self.instruction_set = instruction_set
        self._command = [sys.executable, "-m", __name__, family, request.size, *map(str, request.threads)]
        self._process: subprocess.Popen[str] | None = None

    def ask(self, do: str, key: tuple[str, str, int, str], loops: int = 1) -> Any:
        """One answer; ``RuntimeError`` with what the process says went wrong."""
        if self._process is None:
            environment = os.environ | {"PRUNING_EXT_ISA": self.instruction_set}
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, "key": key, "loops": loops}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"the benchmark process on {self.instruction_set} ended: see its message above"
            )
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"on {self.instruction_set}: {answer['error']}")
        return answer["result"]

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()  # closes its input, at which it ends
            self._process = None

    def __del__(self) -> None:
        self.close()


@dataclass(frozen=True)
class Elsewhere:
    """A :class:`~pruning_ext.bench.harness.Job` of a worker."""

    worker: Worker
    key: tuple[str, str, int, str]

    def check(self, threads: int) -> Check:
        return Check(**self.worker.ask("check", self.key))

    def seconds(self, threads: int, loops: int) -> float:
        return float(self.worker.ask("seconds", self.key, loops))

    def memory(self, threads: int) -> int | None:
        found: int | None = self.worker.ask("memory", self.key)
        return found


def variants(family: str, request: Request) -> Iterator[Subject]:
    """The provider :data:`OURS` on each lower instruction set asked for, on the cases of a quick run."""
    size: Size = "quick" if request.size == "full" else request.size
    reduced = Request(size, request.threads[:1])
    if not request.instruction_sets:
        return
    own = [subject for subject in FAMILIES[family].subjects(reduced) if subject.provider == OURS]
    for instruction_set in request.instruction_sets:
        worker = Worker(family, reduced, instruction_set)
        for subject in own:
            job, name = Elsewhere(worker, subject.key), VARIANT.format(instruction_set)
            # Floors are measured on the best instruction set, which a lower one is not held to.
            yield dataclasses.replace(subject, provider=name, job=job, floor=None, replaced=None)


def main(arguments: list[str]) -> None:
    """Answer until the input ends."""
    family, size, *threads = arguments
    request = Request(size, tuple(map(int, threads)))  # type: ignore[arg-type]
    jobs = {s.key: s.job for s in FAMILIES[family].subjects(request) if s.provider == OURS}
    answers = os.fdopen(os.dup(1), "w")  # what libraries print must not be taken for an answer
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            key = tuple(asked["key"])
            job, count = jobs[key], int(key[2])
            if asked["do"] == "check":
                result: Any = dataclasses.asdict(job.check(count))
            elif asked["do"] == "seconds":
                result = job.seconds(count, asked["loops"])
            else:
                result = job.memory(count)
            answer = {"result": result}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
