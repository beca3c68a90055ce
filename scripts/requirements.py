"""Prints the package's requirements, and those of the extras named as arguments, without torch; with `--only`
before them those of the extras alone.

torch is installed beforehand, at the version that the Makefile pins: a resolver left to itself would
take the newest one.
"""

import sys
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    from pip._vendor import tomli as tomllib  # type: ignore[no-redef]

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
extras = sys.argv[1:]
only = extras[:1] == ["--only"]
wanted = [] if only else [*project["dependencies"]]
for extra in extras[1:] if only else extras:
    wanted += project["optional-dependencies"][extra]
print("\n".join(sorted({line for line in wanted if not line.startswith("torch>")})))
