"""Configurations of all methods: whose numbers they take, what they hold, and what they say of the rest."""

from __future__ import annotations

import json
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pruning_ext.pruners import KENConfig, MIConfig, PruneConfig

JOINT = {"ratio": 0.25, "selection": "joint"}


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (lambda: KENConfig(k=np.int64(3), seed=np.uint8(1)), KENConfig(k=3, seed=1)),
        (lambda: KENConfig(k=torch.tensor(3)), KENConfig(k=3)),
        (lambda: KENConfig(density=np.float32(0.25)), KENConfig(density=0.25)),
        (lambda: KENConfig(density=np.float64(0.25)), KENConfig(density=0.25)),
        (lambda: KENConfig(density=Fraction(1, 4)), KENConfig(density=0.25)),
        (lambda: KENConfig(k=3, keep_ties=np.bool_(True)), KENConfig(k=3, keep_ties=True)),
        (
            lambda: KENConfig(
                k=3, criterion=np.str_("delta"), targets=np.array(["key"]), ignore=np.str_("query")
            ),
            KENConfig(k=3, criterion="delta", targets=("key",), ignore=("query",)),
        ),
        (
            lambda: MIConfig(**JOINT, bins=np.int64(8), max_tokens=np.int32(64), ridge=np.float16(0.5)),
            MIConfig(**JOINT, bins=8, max_tokens=64, ridge=0.5),
        ),
        (lambda: MIConfig(width=np.int16(8), round_to=np.int64(4)), MIConfig(width=8, round_to=4)),
        (
            lambda: MIConfig(threshold=np.float32(0.5), selection="random_pairs", recalibrate=np.False_),
            MIConfig(threshold=0.5, selection="random_pairs"),
        ),
    ],
)
def test_numbers_of_any_library_become_pythons_own(given: Any, plain: PruneConfig, tmp_path: Path) -> None:
    config = given()
    assert config == plain
    for field in fields(config):
        ours, theirs = getattr(config, field.name), getattr(plain, field.name)
        assert type(ours) is type(theirs)
        if isinstance(ours, tuple):
            assert all(type(name) is str for name in ours)
    file = tmp_path / "config.yaml"
    file.write_text(config.to_yaml())
    assert PruneConfig.from_yaml(file) == plain
    assert PruneConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == plain


@pytest.mark.parametrize(
    ("kind", "values", "error", "sentence"),
    [
        (KENConfig, {"k": 3, "targets": 5}, TypeError, "targets must be names .* not int"),
        (KENConfig, {"k": 3, "targets": {"key": 1}}, TypeError, "targets must be names .* not dict"),
        (KENConfig, {"k": 3, "ignore": None}, TypeError, "ignore must be names .* not NoneType"),
        (KENConfig, {"k": 3, "ignore": b"key"}, TypeError, "ignore holds 107, expected"),
        (KENConfig, {"k": 3, "seed": None}, TypeError, "seed must be a whole number, got None"),
        (
            KENConfig,
            {"k": 3, "criterion": np.array(["ken", "delta"])},
            ValueError,
            "criterion must be one of",
        ),
        (KENConfig, {"k": 3, "criterion": None}, ValueError, "criterion must be one of .* got None"),
        (KENConfig, {"k": 3, "on": ["weight"]}, ValueError, "on must be one of weight, delta, got"),
        (KENConfig, {"k": 3, "keep_ties": "no"}, TypeError, "keep_ties must be true or false, got 'no'"),
        (KENConfig, {"k": np.bool_(True)}, TypeError, "k must be a whole number"),
        (KENConfig, {"k": np.array([3, 4])}, TypeError, "k must be a whole number"),
        (KENConfig, {"density": 10**400}, ValueError, "density must lie from 0 to 1, got inf"),
        (KENConfig, {"density": True}, TypeError, "density must be a number from 0 to 1, got True"),
        (KENConfig, {"density": 0.5j}, TypeError, "density must be a number from 0 to 1, got 0.5j"),
        (MIConfig, {"ratio": -(10**400)}, ValueError, "ratio must lie between 0 and 1, .* got -inf"),
        (MIConfig, {"ratio": 0.5, "ridge": 10**400}, ValueError, "ridge must be a finite number above 0"),
        (
            MIConfig,
            {"ratio": 0.5, "ridge": float("nan")},
            ValueError,
            "ridge must be a finite number above 0",
        ),
        (MIConfig, {"ratio": 0.5, "ridge": None}, TypeError, "ridge must be a number, got None"),
        (MIConfig, {"threshold": "high"}, TypeError, "threshold must be a number, got 'high'"),
        (MIConfig, {"threshold": float("inf")}, ValueError, "threshold must be a finite number, got inf"),
        (MIConfig, {"ratio": 0.5, "recalibrate": 1}, TypeError, "recalibrate must be true or false, got 1"),
        (MIConfig, {"ratio": 0.5, "selection": {}}, ValueError, "selection must be one of joint, .* got {}"),
    ],
)
def test_a_value_of_another_kind_is_a_sentence(
    kind: type[PruneConfig], values: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=f"^{sentence}"):
        kind(**values)
    with pytest.raises(error, match=f"^{sentence}"):
        PruneConfig.from_dict({"method": kind.method, **values})


@pytest.mark.parametrize("method", [["ken"], {"ken": 1}, None, 3])
def test_a_method_that_is_no_name_is_a_sentence(method: Any) -> None:
    with pytest.raises(ValueError, match=r"^method is .*, expected 'ken'"):
        KENConfig.from_dict({"method": method, "k": 3})


def test_a_file_is_named_with_the_field(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("k: 3\ntargets: 5\n")
    with pytest.raises(TypeError, match=r"config\.yaml: targets must be names"):
        KENConfig.from_yaml(file)
