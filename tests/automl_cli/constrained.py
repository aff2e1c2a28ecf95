"""A project whose program has a cost that its decisions decide, for tests of constraints."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from automl_cli import costs
from tests.automl_cli.command_line import Project

PROGRAM = '''"""A network of some width on an accelerator of some size."""


def net(width: int = 3, chip: int = 2) -> dict[str, float]:
    """The wider the better, and the slower."""
    return {"accuracy": 1 - 1 / (1 + width), "latency": width / chip}
'''
RECIPE = {
    "imports": "[nets]",
    "program": "!nets.net {}",
    "space": "[{at: width, replace: !intv [0, 19]}, {at: chip, replace: !oneof [1, 2, 4]}]",
    "objective": "{maximize: accuracy}",
    "algorithm": "evolution",
    "budget": "{trials: 40}",
}


def chip_area(program: Any) -> float:
    """What the accelerator takes."""
    return 10.0 * float(program.chip)


def prepare(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Give a project the program, and the catalogue the cost `chip_area`."""
    project.write("nets.py", PROGRAM)
    entry = SimpleNamespace(load=lambda: chip_area)
    monkeypatch.setattr(costs, "_theirs", lambda: {"chip_area": entry})
    return project


def best_of(project: Project) -> dict[str, float]:
    """The metrics of what `automl best` has."""
    import json

    metrics: dict[str, float] = json.loads(project("best", "--json").out)["metrics"]
    return metrics
