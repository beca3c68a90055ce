"""The manylinux tag of a wheel, found by auditwheel, with checks and a report: ``tag_wheel.py WHEEL DIR``.

The wheel moves to DIR under that tag. torch's libraries are not copied into it: they are loaded before ours.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

OF_TORCH = {"libtorch_cpu.so", "libtorch_cuda.so"}
NEEDED = {"_C.so", "build_info.json", "py.typed", "__init__.pyi", "pruners/__init__.pyi"}


def output(*command: str) -> str:
    """What a module of this environment prints, run as a command."""
    run = subprocess.run([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True, check=True)
    return run.stdout


def main() -> None:
    wheel, place = Path(sys.argv[1]), Path(sys.argv[2])
    with ZipFile(wheel) as archive:
        sizes = {entry.filename.removeprefix("pruning_ext/"): entry.file_size for entry in archive.infolist()}
        build = json.loads(archive.read("pruning_ext/build_info.json"))
    native = {name: size for name, size in sizes.items() if name.endswith(".so")}
    missing = NEEDED - sizes.keys()
    if missing:
        raise SystemExit(f"{wheel.name} lacks {', '.join(sorted(missing))}")
    if sum(name.startswith("_core.") for name in native) != 1:
        raise SystemExit(f"{wheel.name} is for one Python and must have one _core, has {', '.join(native)}")

    found = json.loads(output("auditwheel", "show", "--json", str(wheel)))
    external, tag = set(found["external_libs"]), found["sym_tag"]
    if external - OF_TORCH:
        raise SystemExit(f"{wheel.name} needs what neither it nor torch brings: {external - OF_TORCH}")

    tagged = wheel.with_name(output("wheel", "tags", "--remove", "--platform-tag", tag, str(wheel)).strip())
    place.mkdir(exist_ok=True)
    tagged = tagged.replace(place / tagged.name)
    print(f"{tagged}: {tagged.stat().st_size / 1e6:.1f} MB")
    print("  " + ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sorted(native.items())))
    print(f"  auditwheel: {tag}; from torch, not inside: {', '.join(sorted(external))}")
    print(f"  {build['compiler']}, {build['instruction_sets']}, CUDA {build['cuda'] or 'not built'}")


main()
