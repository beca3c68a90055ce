"""Fields of configurations, which state all about themselves."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from pruning_ext.config import KENConfig, MIConfig, PruneConfig
from pruning_ext.config.fields import options_of

CONFIGS = [PruneConfig, KENConfig, MIConfig]


@pytest.mark.parametrize("config_type", CONFIGS)
def test_every_field_is_an_option_with_help(config_type: type[PruneConfig]) -> None:
    options = options_of(config_type)
    assert list(options) == [field.name for field in dataclasses.fields(config_type)]
    assert set(config_type.amounts) <= set(options)
    for name, about in options.items():
        assert about.help, name
        if about.default is not None:  # the default is as the check would leave it
            assert about.check(name, about.default) == about.default


def test_configurations_are_imported_without_anything_heavy() -> None:
    command = "import sys, pruning_ext.config; print({'torch', 'numpy', 'yaml'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_what_belongs_elsewhere_is_refused_and_idle() -> None:
    with pytest.raises(ValueError, match=r"^keep_ties belongs to criterion 'ken', not to 'delta'$"):
        KENConfig(k=1, criterion="delta", keep_ties=True)
    assert KENConfig(k=1, criterion="delta").idle() == {"keep_ties"}
    assert KENConfig(k=1).idle() == set()
    plain = MIConfig(width=8, compensation="none")
    assert plain.idle() == {
        "threshold", "estimator", "bins", "strategy", "max_tokens", "ridge", "round_to"
    }  # fmt: skip
    assert MIConfig(threshold=0.1, selection="random_pairs").idle() == {"metric"}
