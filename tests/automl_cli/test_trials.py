"""From what a program returned to metrics, or to the reason why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cli.trials import BadResult, TrialRequest, TrialResult, normalise


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**9), 10**9))
def test_one_number_is_the_metric_that_is_searched_for(value: float) -> None:
    """Any finite number, as a float."""
    assert normalise(value, ["accuracy"]) == {"accuracy": float(value)}


def test_a_mapping_keeps_every_metric() -> None:
    """Also those that nobody searches for."""
    returned = {"accuracy": np.float32(0.5), "epochs": 3}
    assert normalise(returned, ["accuracy"]) == {"accuracy": 0.5, "epochs": 3.0}


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (None, "returned None, expected a number or a dict with accuracy"),
        ("0.9", "returned a str, expected a number or a dict with accuracy"),
        ([0.9], "returned a list, expected a number or a dict with accuracy"),
        (True, "returned a wrong metric: accuracy is a bool, expected a number"),
        (float("nan"), "accuracy is nan"),
        (float("-inf"), "accuracy is -inf"),
        (10**400, "returned a wrong metric: accuracy is a int that is not one number"),
        ({}, "did not return accuracy; it returned an empty dict"),
        ({"acuracy": 0.9}, "did not return accuracy; it returned acuracy"),
        ({"accuracy": "0.9"}, "returned a wrong metric: accuracy is a str, expected a number"),
        ({"accuracy": 0.9, "loss": float("inf")}, "loss is inf"),
        ({1: 0.9}, "returned the metric name 1, expected text"),
    ],
)
def test_a_bad_result_has_a_reason_of_one_line(returned: Any, reason: str) -> None:
    """It names the metric and what was found."""
    with pytest.raises(BadResult) as caught:
        normalise(returned, ["accuracy"])
    assert str(caught.value) == reason


def test_several_objectives_need_a_mapping() -> None:
    """One number cannot say which it is."""
    with pytest.raises(BadResult, match="expected a dict with accuracy, madds"):
        normalise(0.9, ["accuracy", "madds"])
    both = {"accuracy": 0.9, "madds": 1e6}
    assert normalise(both, ["accuracy", "madds"]) == both


def test_results_survive_json(tmp_path: Path) -> None:
    """They cross the process boundary as text."""
    result = TrialResult(3, 1, "completed", {"accuracy": 0.5}, "", 1.5)
    assert TrialResult(*json.loads(json.dumps(result))) == result
    request = TrialRequest(3, 1, None, {"lr": 0.1}, 7, None, tmp_path)  # type: ignore[arg-type]
    assert request._replace(attempt=2).attempt == 2
