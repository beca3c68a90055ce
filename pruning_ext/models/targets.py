"""Selection of names by lists of `targets` and `ignore` patterns."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence


def select_names(
    names: Iterable[str],
    targets: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    *,
    known: Iterable[str] | None = None,
    what: str = "prunable tensor",
) -> list[str]:
    """Names that some target selects and no ignore pattern does, in the order given.

    A pattern is compared with the name itself and with each module that contains it (``a.b`` and ``a`` for
    ``a.b.weight``). A plain pattern must equal it or be its last dotted part or parts, as in PEFT: ``query``
    selects ``encoder.layer.0.attention.self.query.weight``, and ``layer.1`` does not select ``layer.11``. A
    pattern ``re:...`` is a regular expression that must match all of it.

    Args:
        names: dotted names of what can be pruned: parameters or modules.
        targets: patterns; ``None`` selects all names.
        ignore: patterns of names to leave out.
        known: all names that exist, if more exist than can be pruned; ``ignore`` may name any of them.
        what: what a name stands for, used in messages.

    Raises:
        ValueError: a pattern that matches nothing (near names are listed), a broken regular expression, or
            nothing left to prune.
    """
    names = list(names)
    known = names if known is None else list(known)
    targeted = _matches("targets", targets, names, known, what) if targets is not None else set(names)
    ignored = _matches("ignore", ignore, known, known, what)
    selected = [name for name in names if name in targeted and name not in ignored]
    if not selected:
        raise nothing_left(what)
    return selected


def nothing_left(what: str) -> ValueError:
    """The error of ``targets`` and ``ignore`` that together select nothing."""
    return ValueError(f"nothing to prune: targets and ignore leave no {what}")


def _matches(
    argument: str, patterns: Sequence[str], names: Sequence[str], known: Sequence[str], what: str
) -> set[str]:
    matched: set[str] = set()
    for pattern in patterns:
        matcher = _matcher(argument, pattern)
        hits = {name for name in names if any(map(matcher, _containers(name)))}
        if not hits:
            if any(matcher(part) for name in known for part in _containers(name)):
                raise ValueError(
                    f"{argument}: {pattern!r} matches names, but no {what}; to choose from: {_listed(names)}"
                )
            raise ValueError(f"{argument}: {pattern!r} matches no {what}; {_near(pattern, known)}")
        matched |= hits
    return matched


def _matcher(argument: str, pattern: str) -> Callable[[str], bool]:
    if not pattern.startswith("re:"):
        return lambda name: name == pattern or name.endswith("." + pattern)
    try:
        expression = re.compile(pattern[len("re:") :])
    except re.error as error:
        raise ValueError(f"{argument}: {pattern!r} is not a regular expression: {error}") from error
    return lambda name: expression.fullmatch(name) is not None


def _containers(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(len(parts), 0, -1)]


def _near(pattern: str, names: Sequence[str]) -> str:
    # A user types either a whole name or its last parts, so both are offered.
    wanted = pattern.removeprefix("re:")
    depth = wanted.count(".") + 1
    full = {part for name in names for part in _containers(name)}
    tails = {".".join(part.split(".")[-depth:]) for part in full}
    near = difflib.get_close_matches(wanted, sorted(full | tails), n=3, cutoff=0.5)
    if near:
        return f"near names: {', '.join(near)}"
    examples = list(dict.fromkeys(name for name in names))[:3]
    return f"names look like: {', '.join(examples)}" if examples else "there are none"


def _listed(names: Sequence[str]) -> str:
    """The first and the last where their numbers alone tell the names apart, else the first few."""
    if len(names) > 3 and len({re.sub(r"\d+", "*", name) for name in names}) == 1:
        return f"{names[0]} to {names[-1]}"
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
