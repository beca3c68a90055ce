"""The plan of a pruning run, a value that can be printed, saved, read by a person and applied later."""

from __future__ import annotations

import hashlib
import math
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pruning_ext.config.base import PruneConfig
from pruning_ext.storage.encoding import row_shape
from pruning_ext.storage.files import file_sha256, read_json, read_tensors, write_json, write_tensors
from pruning_ext.storage.refusals import refusals_named
from pruning_ext.storage.sizes import size_text

FORMAT = "pruning_ext plan"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class LayerPlan:
    """One tensor or one block.

    Attributes:
        name: dotted name in the model.
        parameters: parameters it has now.
        kept: parameters that stay (KEN: entries not reset to the base; MI: parameters left).
        bytes: bytes it takes now.
        kept_bytes: predicted bytes of what is written for it afterwards.
        details: what else the method wants to say or needs to apply the plan; plain JSON values.
    """

    name: str
    parameters: int
    kept: int
    bytes: int
    kept_bytes: int
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelSummary:
    """Enough of a model to recognise it: a plan is applied only where ``signature`` agrees."""

    architecture: str
    name: str
    parameters: int
    bytes: int
    signature: str

    @classmethod
    def of(cls, model: nn.Module) -> ModelSummary:
        """Summary of ``model``; tied parameters count once.

        The signature covers names, shapes and dtypes, parameters of up to 1024 values whole, and of larger
        ones at least 1024 values, among them one of each row and one of each column: a neuron that is zeroed
        or swapped is seen, one value that is altered need not be.
        """
        digest = hashlib.sha256()
        state: dict[str, Any] = model.state_dict()
        for name, tensor in state.items():
            if not isinstance(tensor, Tensor):
                raise ValueError(
                    f"{name} in the state of model is a {type(tensor).__name__}, expected tensors only"
                )
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        unique = list(model.parameters())
        for parameter in unique:
            if not parameter.is_meta:
                digest.update(_some_values(parameter))
        name = getattr(getattr(model, "config", None), "_name_or_path", "") or ""
        return cls(
            architecture=type(model).__name__,
            name=str(name),
            parameters=sum(parameter.numel() for parameter in unique),
            bytes=sum(parameter.nbytes for parameter in unique),
            signature=digest.hexdigest(),
        )


@dataclass(frozen=True, eq=False)
class Plan:
    """Predicted parameters and bytes of every layer a method would touch.

    Attributes:
        config: the configuration that made it.
        model: the model it was made for.
        layers: one entry per tensor or block; layers not listed stay as they are.
        tensors: what a method needs to apply the plan and is too large for ``details``.
        calibration: ``tokens`` that it rests on, and ``texts`` that they are of, where there were any.
    """

    config: PruneConfig
    model: ModelSummary
    layers: tuple[LayerPlan, ...]
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    calibration: Mapping[str, int] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Plan):
            return NotImplemented
        mine, theirs = self.tensors, other.tensors
        return (
            (self.config, self.model, self.layers, self.calibration)
            == (other.config, other.model, other.layers, other.calibration)
            and mine.keys() == theirs.keys()
            and all(torch.equal(mine[name], theirs[name]) for name in mine)
        )

    def __hash__(self) -> int:
        return hash((self.model, tuple(layer.name for layer in self.layers), self.kept))

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def kept(self) -> int:
        return sum(layer.kept for layer in self.layers)

    @property
    def bytes(self) -> int:
        return sum(layer.bytes for layer in self.layers)

    @property
    def kept_bytes(self) -> int:
        return sum(layer.kept_bytes for layer in self.layers)

    def summary(self) -> str:
        """A table for people; layers that differ only by their number share a line.

        Where the method touches a part of the model only, the whole of it follows.
        """
        settings = self.config.settings()
        settings.pop("method")
        origin = f" ({self.model.name})" if self.model.name else ""
        head = [
            f"{self.config.method} plan for {self.model.architecture}{origin}, "
            f"{self.model.parameters:,} parameters",
            "  " + ", ".join(f"{key}={value}" for key, value in settings.items()),
        ]
        rows: list[tuple[str, ...]] = [("layer", "count", "parameters", "kept", "share", "size", "kept size")]
        rows += [_row(name, layers) for name, layers in _grouped(self.layers).items()]
        total = [_row("total", list(self.layers)), *self._rows_of_model()]
        rows += total
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = ["  ".join(_aligned(row, widths)) for row in rows]
        rule = "-" * len(table[0])
        first = len(table) - len(total)
        return "\n".join([*head, "", table[0], rule, *table[1:first], rule, *table[first:]])

    def _rows_of_model(self) -> list[tuple[str, ...]]:
        rest, size = self.model.parameters - self.parameters, self.model.bytes - self.bytes
        if rest <= 0:
            return []
        return [
            ("everything else", "", *_amounts(rest, rest, size, size)),
            (
                "model",
                "",
                *_amounts(self.model.parameters, self.kept + rest, self.model.bytes, self.kept_bytes + size),
            ),
        ]

    def save(self, path: str | Path) -> None:
        """Write the plan as JSON to ``path``; ``tensors`` go beside it as ``<stem>-<sha256>.safetensors``.

        The JSON is written last and names that file, so it may be renamed, and both may be moved together; a
        killed run leaves the plan that was there, or none. The name of the tensors says what is in them: they
        never take the place of others, and those of a plan that is replaced stay, as a copy of it may need
        them. Of a link, what it points to is written.

        Raises:
            ValueError: ``path`` is that of a .safetensors file.
            FileExistsError: ``path`` is a file with something else in it than a plan, or a directory.
            OSError: naming ``path``, a full disk say; what was there stays.
        """
        path = Path(path).resolve()
        if path.suffix == ".safetensors":
            raise ValueError(f"path is {path}: a plan is JSON; only its tensors go to a .safetensors file")
        if path.exists() and (path.is_dir() or (path.stat().st_size and not is_plan(path))):
            raise FileExistsError(f"{path} exists and is no plan: name another file")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"there is no directory {path.parent}")
        name, digest = _write_tensors(path, dict(self.tensors)) if self.tensors else (None, None)
        document = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "config": self.config.to_dict(),
            "model": asdict(self.model),
            "totals": {
                "parameters": self.parameters,
                "kept": self.kept,
                "bytes": self.bytes,
                "kept_bytes": self.kept_bytes,
            },
            "calibration": dict(self.calibration),
            "layers": [asdict(layer) for layer in self.layers],
            "tensors_file": name,
            "tensors_sha256": digest,
        }
        write_json(path, document)

    @classmethod
    def load(cls, path: str | Path) -> Plan:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: not a plan, a version this library does not read, or a missing or altered tensor file.
        """
        path = Path(path)
        document = read_json(path)
        if document.get("format") != FORMAT or document.get("format_version") != FORMAT_VERSION:
            held = f"{document.get('format')!r} version {document.get('format_version')!r}"
            raise ValueError(f"{path} holds {held}, expected {FORMAT!r} version {FORMAT_VERSION}")
        try:
            config = PruneConfig.from_dict(document["config"])
            model = ModelSummary(**document["model"])
            layers = tuple(LayerPlan(**layer) for layer in document["layers"])
            calibration = dict(document.get("calibration", {}))
            name, digest = document["tensors_file"], document["tensors_sha256"]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a complete plan: {error}") from error
        tensors = {} if digest is None else _load_tensors(path, name, digest)
        return cls(config, model, layers, tensors, calibration)


def _some_values(parameter: Tensor) -> bytes:
    """Values along diagonals of a parameter's rows: every row and every column has its turn."""
    rows, n = row_shape(parameter.shape)
    step = torch.arange(max(rows, n, min(rows * n, 1024)) if rows * n else 0, device="cpu")
    # A diagonal that has come back to its start goes on one column further, so nothing is taken twice.
    row, column = step % max(rows, 1), (step + step // max(math.lcm(rows, n), 1)) % max(n, 1)
    values = parameter.detach().reshape(rows, n)[row.to(parameter.device), column.to(parameter.device)]
    return bytes(values.cpu().view(torch.uint8).numpy())


def is_plan(path: Path) -> bool:
    """Whether the file holds a plan, of whichever version."""
    try:
        return read_json(path).get("format") == FORMAT
    except ValueError:
        return False


def _write_tensors(path: Path, tensors: dict[str, Tensor]) -> tuple[str, str]:
    """Write what goes beside the plan in ``path``; its name there, and its sha256."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        written = Path(folder) / "tensors"
        with refusals_named(written, path):
            write_tensors(written, tensors)
        digest = file_sha256(written)
        name = f"{path.stem}-{digest[:12]}.safetensors"
        written.replace(path.with_name(name))
    return name, digest


def _load_tensors(path: Path, name: Any, digest: str) -> dict[str, Tensor]:
    if not isinstance(name, str) or not name or Path(name).name != name:
        raise ValueError(f"{path} names a file {name!r} that does not lie beside it")
    # beside a link, as in the hub's cache, or beside what it points to, where save() puts it
    file = next((each for plan in (path, path.resolve()) if (each := plan.with_name(name)).is_file()), None)
    if file is None:
        raise ValueError(f"{path} needs {name} beside it, which is missing")
    if file_sha256(file) != digest:
        raise ValueError(f"{file} is truncated or altered: its sha256 is not the one in {path.name}")
    return read_tensors(file)


def _grouped(layers: tuple[LayerPlan, ...]) -> dict[str, list[LayerPlan]]:
    groups: dict[str, list[LayerPlan]] = {}
    for layer in layers:
        groups.setdefault(re.sub(r"(?<![^.])\d+(?![^.])", "*", layer.name), []).append(layer)
    return {members[0].name if len(members) == 1 else key: members for key, members in groups.items()}


def _row(name: str, layers: list[LayerPlan]) -> tuple[str, ...]:
    sums = [sum(getattr(x, name) for x in layers) for name in ("parameters", "kept", "bytes", "kept_bytes")]
    return (name, str(len(layers)), *_amounts(*sums))


def _amounts(parameters: int, kept: int, size: int, kept_size: int) -> tuple[str, ...]:
    share = f"{kept / parameters:.1%}" if parameters else "-"
    return f"{parameters:,}", f"{kept:,}", share, size_text(size), size_text(kept_size)


def _aligned(cells: tuple[str, ...], widths: list[int]) -> list[str]:
    numbers = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return [cells[0].ljust(widths[0]), *numbers]
