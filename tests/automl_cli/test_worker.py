"""What happens around one trial, looked at in this process."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl_cli import worker
from automl_cli.trial_run import Limits, describe, run_trial, seed_everything
from automl_cli.trials import TrialResult
from automl_cli.worker import Setting, request_text
from tests.automl_cli import faults
from tests.automl_cli.faults import request


def silent(step: int, metrics: dict[str, float]) -> None:
    """Hear reports and forget them."""


def test_a_reason_is_one_line_and_the_innermost_frames(tmp_path: Path) -> None:
    """It names the file and the line of the program."""
    result = run_trial(request(faults.raiser(text="no such layer"), tmp_path), ["reward"], silent)
    first, *frames = result.reason.splitlines()
    assert first == "ValueError: no such layer"
    assert frames[-1].endswith("in raiser: raise ValueError(text)")
    assert len(frames) <= 3
    assert result.seconds < 1.0


def test_reasons_stay_short() -> None:
    """An exception may carry megabytes of text, or none."""
    assert len(describe(ValueError("x" * 10**6))) == 2000
    assert describe(ValueError()) == "ValueError: ValueError()"


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate")]
)
def test_out_of_memory_is_recognised(error: Exception) -> None:
    """Python's, NumPy's and torch's."""
    assert describe(error, Limits(memory=2.0)) == "out of memory (limit 2.0 GB)"
    assert describe(error) == "out of memory"


def test_everything_that_is_loaded_is_seeded() -> None:
    """Twice the same seed, twice the same numbers; any seed of 64 bits will do."""
    torch = pytest.importorskip("torch")
    drawn: list[Any] = []
    for _ in range(2):
        seed_everything(2**63 - 1)
        drawn.append((random.random(), float(np.random.rand()), float(torch.rand(()))))
    assert drawn[0] == drawn[1]
    seed_everything(5)
    assert random.random() == random.Random(5).random()
    seed_everything(5)
    expected = torch.Generator().manual_seed(5)
    assert float(torch.rand(())) == float(torch.rand((), generator=expected))


def test_the_request_is_names_and_data(tmp_path: Path) -> None:
    """Nothing in it could be executed."""
    text = request_text(request(faults.constant(value=0.25), tmp_path, 3, decisions={"x": 1}))
    trial_id, attempt, program, decisions, seed, budget, folder, parent = json.loads(text)
    assert (trial_id, attempt, seed, budget, parent) == (3, 1, 3, None, None)
    assert json.loads(program)["value"] == 0.25
    assert (decisions, folder) == ({"x": 1}, str(tmp_path / "3"))


def test_a_report_that_is_too_long_fails_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are sent whole or not at all, so there is a limit."""
    sent: list[bytes] = []

    class Pipe:
        def send(self, message: bytes) -> None:
            """Keep it."""
            sent.append(message)

    monkeypatch.setattr(worker._Worker, "reports", Pipe(), raising=False)
    worker._send("report", 1, 1, 0, {"loss": float("nan")})
    assert json.loads(sent[0])[0] == "report"
    with pytest.raises(ValueError, match="a report of"):
        worker._send("report", 1, 1, 0, {f"metric_{i}": 0.5 for i in range(5000)})
    assert len(sent) == 1


def test_a_result_that_is_no_data_is_no_trouble(tmp_path: Path) -> None:
    """A lambda cannot be pickled; here it is only a wrong type."""
    result = run_trial(request(faults.returner("lambda"), tmp_path), ["reward"], silent)
    assert (result.state, result.metrics) == ("failed", {})
    assert TrialResult(*json.loads(json.dumps(result))) == result


def test_the_worker_imports_nothing_heavy() -> None:
    """It is loaded by every worker, and by the command line."""
    script = (
        "import sys, automl_cli.worker, automl_cli.executors, automl_cli.ledger;"
        "heavy = {'torch', 'numpy', 'mlflow', 'optuna', 'rich', 'pebble', 'yaml'};"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_setting_has_sensible_defaults() -> None:
    """Only the metrics must be named."""
    assert Setting(("reward",)) == (("reward",), (), ())
