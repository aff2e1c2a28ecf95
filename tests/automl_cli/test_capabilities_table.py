"""The comparison of the algorithms: every tick is run, every cross is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from automl_algorithms import catalogue
from automl_algorithms.contract import DECISIONS
from automl_cli.ledger import Ledger
from tests.automl_cli.command_line import Project
from tests.automl_cli.decided import POINTS, write_decided
from tests.threads import one_thread

CELLS = [(name, kind) for name in catalogue.names() for kind in DECISIONS]
TICKS = [(name, kind) for name, kind in CELLS if kind in catalogue.accepts(name)]
CROSSES = [cell for cell in CELLS if cell not in TICKS]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Two would slow small tensors down, the more so on a busy machine."""
    with one_thread():
        yield


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """An empty project folder."""
    return Project(tmp_path, monkeypatch, capsys)


def _kinds(name: str, kind: str) -> list[str]:
    """A decision of this kind, beside one of the architecture if the algorithm takes such."""
    together = ["architecture"] if "architecture" in catalogue.accepts(name) else []
    return list(dict.fromkeys([*together, kind]))


@pytest.mark.parametrize(("name", "kind"), TICKS)
def test_a_tick_is_searched(project: Project, name: str, kind: str) -> None:
    """The search ends, trials decide the point, and a policy of shared weights has it, too."""
    write_decided(project, name, _kinds(name, kind))
    code, _, err = project("run", "recipe.yaml")
    assert code == 0, err
    trials = project.trials()
    assert all(trial.state == "completed" for trial in trials)
    assert all(f'"{POINTS[kind]}":' in trial.decisions for trial in trials)
    with Ledger(project.folder / ".automl" / "ledger.db", read_only=True) as ledger:
        rows = ledger.supernets(ledger.studies()[0].id)
    shares = catalogue.entry(name).family == "weight_sharing"
    assert len(trials) == (1 if shares else 2)
    assert bool(rows) is shares
    assert not shares or rows[-1].policy.count("[") == len(_kinds(name, kind))


@pytest.mark.parametrize(("name", "kind"), CROSSES)
def test_a_cross_is_refused(project: Project, name: str, kind: str) -> None:
    """Before anything is written, with the name of the decision point."""
    write_decided(project, name, _kinds(name, kind))
    code, out, err = project("run", "recipe.yaml")
    assert (code, out) == (2, "")
    assert POINTS[kind] in err
    assert name in err
    assert "Traceback" not in err
    assert not (project.folder / ".automl" / "studies").exists()
    assert not project.trials()
