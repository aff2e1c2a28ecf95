"""The table of FCNet in the real package."""

from __future__ import annotations

from itertools import product

import pytest

from automl_cli.tables.fcnet import PARAMETERS, fcnet_key, fcnet_table
from tests.automl_cli.tables.sources import needs_package


@needs_package
def test_the_real_table_is_complete() -> None:
    """Every setting is there with four trainings; width tells in the number of weights."""
    table = fcnet_table("protein_structure")
    settings = [table[fcnet_key(values)] for values in product(*PARAMETERS.values())]
    assert len(table) == 62_208
    assert {len(setting.trainings) for setting in settings} == {4}
    assert min(setting.mse for setting in settings) == pytest.approx(0.221379, abs=1e-6)
    assert settings[0].params < settings[-1].params
