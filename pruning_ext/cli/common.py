"""Options and habits that all commands share."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pruning_ext.files import check_replaceable
from pruning_ext.pruners import PruningWarning
from pruning_ext.pruners.config import PruneConfig, read_mapping

Config = TypeVar("Config", bound=PruneConfig)


class UsageError(ValueError):
    """The command line, or a configuration file it names, is wrong."""


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """`--quiet` and `--debug`."""
    group = parser.add_argument_group("messages")
    group.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """`--output` and `--overwrite`."""
    group = parser.add_argument_group("output")
    group.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="directory to write, in one step",
    )
    group.add_argument(
        "--overwrite",
        action="store_true",
        help="replace DIR if it is not empty",
    )


def add_config_options(parser: argparse.ArgumentParser, seed_help: str) -> argparse._ArgumentGroup:
    """The options of every configuration; returns the group, for those of the method."""
    group = parser.add_argument_group("what to prune")
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="YAML with the fields of the configuration; options given here override it",
    )
    group.add_argument(
        "--targets",
        nargs="+",
        metavar="NAME",
        help="modules or parameters to prune, by whole name or last parts, or a pattern re:...; default: all",
    )
    group.add_argument("--ignore", nargs="+", metavar="NAME", help="modules or parameters to leave alone")
    group.add_argument("--seed", type=int, metavar="N", help=seed_help)
    return group


def add_device_option(parser: argparse.ArgumentParser, help: str) -> None:
    """`--device`."""
    group = parser.add_argument_group("device")
    group.add_argument(
        "--device", default="cpu", metavar="NAME", help=f"{help}: cpu (default), cuda, cuda:1 ..."
    )


def check_device(args: argparse.Namespace) -> None:
    """Refuse a device that is not here before the work, not after loading a model."""
    import torch

    try:
        torch.empty(1, device=args.device).cpu()
    except Exception as error:  # torch has a kind of its own for each way in which a device can be missing
        reason = str(error).splitlines()[0]
        raise UsageError(f"--device {args.device}: torch cannot use it here: {reason}") from error


def config_from_args(
    args: argparse.Namespace,
    config_type: type[Config],
    fields: Sequence[str],
    *,
    alternatives: Sequence[str] = (),
) -> Config:
    """The configuration that `--config` and the options make together.

    Args:
        args: parsed options; those that were not given are ``None``.
        config_type: the configuration class.
        fields: its fields that have an option of the same name, beside the common ones.
        alternatives: fields of which one replaces the others.
    """
    names = [*fields, "targets", "ignore", "seed"]
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    try:
        values = read_mapping(args.config) if args.config else {}
        if any(name in given for name in alternatives):
            values = {name: value for name, value in values.items() if name not in alternatives}
        return config_type.from_dict(values | given)
    except OSError as error:
        raise UsageError(f"--config {args.config} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        origin = f"{args.config}: " if args.config and str(args.config) not in str(error) else ""
        raise UsageError(f"{origin}{error}") from error


def show_progress(args: argparse.Namespace) -> bool:
    """Whether to draw progress bars: a person is watching and did not ask for silence."""
    return not args.quiet and sys.stderr.isatty()


def say(args: argparse.Namespace, text: str) -> None:
    """Print ``text`` to stdout unless `--quiet`."""
    if not args.quiet:
        print(text)


@contextlib.contextmanager
def warnings_as_lines(args: argparse.Namespace) -> Iterator[None]:
    """The package's warnings as sentences on stderr, where Python would show a line of our code; none with
    `--quiet`."""
    others = warnings.showwarning

    def show(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
        if not issubclass(category, PruningWarning):
            others(message, category, *where, **more)
        elif not args.quiet:
            print(f"pruning-ext: warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", PruningWarning)
        warnings.showwarning = show
        yield


def check_output(args: argparse.Namespace, *inputs: str | Path | None) -> None:
    """Refuse an output directory before the work, not after it.

    Args:
        args: with ``output`` and ``overwrite``.
        inputs: what is read; it must not lie where the output will.
    """
    path: Path = args.output.resolve()
    if path == Path.cwd():
        raise UsageError(f"--output {args.output} is the current directory: name one to be made")
    for given in (each for each in inputs if each):
        other = Path(given).resolve()
        if other.exists() and (path == other or path in other.parents):
            raise UsageError(f"--output {args.output} would replace {given}, which is read: name another")
    try:
        check_replaceable(path, args.overwrite)
        with tempfile.TemporaryDirectory(dir=next(above for above in path.parents if above.exists())):
            pass
    except FileExistsError as error:
        raise UsageError(str(error).replace("overwrite=True", "--overwrite")) from error
    except OSError as error:
        raise UsageError(f"--output {args.output} cannot be written: {error.strerror}") from error
