"""Reads what docstrings have of Sphinx: ``:class:`~a.b.C``` as code, ``.. math::`` as a block of TeX."""

import re
from typing import Any

import griffe

ROLE = re.compile(r":[a-z]+:`(~?)([^`]+)`")

MATH = re.compile(r"^\.\. math::\n*((?:[ \t]+\S.*\n?)+| .+\n?)", re.MULTILINE)


def _block(match: re.Match[str]) -> str:
    lines = [line.strip() for line in match[1].strip().splitlines()]
    return "\n".join(["```tex", *lines, "```", ""])


def _code(match: re.Match[str]) -> str:
    return f"`{match[2].rpartition('.')[2] if match[1] else match[2]}`"


class Roles(griffe.Extension):
    """Rewrites each docstring as it is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = ROLE.sub(_code, MATH.sub(_block, obj.docstring.value))
