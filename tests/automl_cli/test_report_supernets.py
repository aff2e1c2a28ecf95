"""What `automl report` tells of searches by weight sharing: their price, and what they found."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from automl_cli.ledger import Ledger
from automl_cli.shared_identified import identification
from automl_cli.studies import ledger_path
from automl_cli.study_results import space_of
from tests.automl_cli.command_line import Project
from tests.automl_cli.supernets import write_recipe


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """Two seeds of tunas and one search at random, of the same space."""
    made = Project(tmp_path, monkeypatch, capsys)
    monkeypatch.setenv("COLUMNS", "200")
    write_recipe(made)
    for arguments in (("-a", "tunas"), ("-a", "tunas", "--seed", "1"), ("-a", "random")):
        code, _, err = made("run", "recipe.yaml", "--set", "budget={trials: 3}", *arguments)
        assert code == 0, err
    return made


def _groups(project: Project, *arguments: str) -> Any:
    code, out, err = project("report", "--json", *arguments)
    assert code == 0, err
    return json.loads(out)


def test_the_supernet_is_counted(project: Project) -> None:
    """Its seconds beside those of the trials, in trainings of the static program."""
    shared, random = _groups(project)["groups"]
    with Ledger(ledger_path(), read_only=True) as ledger:
        studies = ledger.studies()
        spent = [ledger.supernets(s.id)[-1].seconds for s in studies[:2]]
        static = [json.loads(ledger.trials(s.id)[0].metrics)["seconds"] for s in studies]
    assert shared["supernet_seconds"] == pytest.approx(sum(spent) / 2)
    one = sum(static) / 3  # what random search trained first is the same program
    for study, seconds in zip(shared["studies"], spent, strict=True):
        assert study["supernet"]["seconds"] == seconds
        assert study["supernet"]["trainings"] == pytest.approx(seconds / one)
        assert study["supernet"]["memory"] > 0
    assert random["supernet_seconds"] is None
    assert random["studies"][0]["supernet"] is None
    curve = _groups(project, "--x", "seconds")["groups"][0]["curve"]
    assert curve["x"][0] > min(spent)


def test_what_was_not_identified_is_told(project: Project) -> None:
    """Decision by decision, as the end of the run told it."""
    studies = _groups(project)["groups"][0]["studies"]
    with Ledger(ledger_path(), read_only=True) as ledger:
        for study, row in zip(studies, ledger.studies(), strict=False):
            found = identification(space_of(row), ledger.supernets(row.id)[-1])
            told = study["supernet"]["decisions"]
            assert told == json.loads(json.dumps([each.as_data() for each in found]))
            assert told
    code, out, _ = project("report", "-o", "r.html")
    assert code == 0
    page = (project.folder / "r.html").read_text(encoding="utf-8")
    open_ = [d for d in studies[0]["supernet"]["decisions"] if not d["identified"]]
    for text in (out, page):
        assert "What the policies came to" in text
        assert all(decision["id"] in text for decision in studies[0]["supernet"]["decisions"])
        assert ("not identified" in text) is bool(open_)
    assert re.search(
        r"recipe and algorithm +seeds +trials .* time in supernet +time in trials", out
    )
    assert re.search(r"Supernets *\n.*trainings +decisions identified", out)


def test_a_space_that_is_gone_leaves_the_rest(project: Project) -> None:
    """Without the program's modules there are seconds, but no trainings and no decisions."""
    with Ledger(ledger_path()) as ledger:
        for row in ledger.studies():
            ledger.update_study(row.id, space=row.space.replace("Toy", "Gone"))
    (supernet, _) = (s["supernet"] for s in _groups(project)["groups"][0]["studies"])
    assert supernet["seconds"] > 0
    assert (supernet["trainings"], supernet["decisions"]) == (None, [])


def test_algorithms_side_by_side(project: Project) -> None:
    """All of them; what was searched here has its price: trials, or the supernet alone."""
    report = _groups(project, "--algorithms")
    rows = {row["algorithm"]: row for row in report["algorithms"]}
    tunas, random = report["groups"]
    seconds = [s["supernet"]["seconds"] for s in tunas["studies"]]
    assert [cost["seconds"] for cost in rows["tunas"]["searches"]] == seconds
    (cost,) = rows["random"]["searches"]
    assert cost["seconds"] == random["seconds"]
    assert 1 < cost["trainings"] < 9
    assert rows["darts"]["searches"] == []
    assert [cost["memory"] for cost in rows["random"]["searches"]] == [None]
    code, out, _ = project("report", "--algorithms")
    assert code == 0
    assert re.search(r"RL, evolution, ... +asha +✓ +✓ +✓ +✓ +✓", out)
    assert re.search(r"PBT +pbt +✓ +✓ +✓ +✓ +×", out)
    assert re.search(r" tunas .*± .* 2\s*\n", out)
