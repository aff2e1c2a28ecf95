"""Ledgers that are taken over."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from automl_cli import ledger_schema
from automl_cli.ledger import Ledger
from automl_spaces.errors import UserError
from tests.automl_cli.test_ledger import FIELDS


def _fill(path: Path, *names: str) -> None:
    with Ledger(path) as ledger:
        for name in names:
            study = ledger.create_study(name, **FIELDS)
            ledger.propose(study.id, 0, '{"x":1}', budget=3.0)
            ledger.report(study.id, 0, 1, 1, '{"r":0.5}')
            ledger.finish(study.id, 0, 1, "completed", '{"r":1}')
            ledger.propose(study.id, 1, '{"x":1}', budget=9.0, parent=0)


def test_every_row_comes_over_under_its_own_study(tmp_path: Path) -> None:
    """Numbers of studies are new, everything else is as it was."""
    _fill(tmp_path / "a.db", "one")
    _fill(tmp_path / "b.db", "two", "three")
    with Ledger(tmp_path / "a.db") as ledger, Ledger(tmp_path / "b.db") as other:
        ledger.absorb(tmp_path / "b.db")
        assert [s.name for s in ledger.studies()] == ["one", "two", "three"]
        for theirs in other.studies():
            ours = ledger.study(theirs.name)
            assert ours is not None
            assert ours._replace(id=0) == theirs._replace(id=0)
            assert ledger.trials(ours.id) == other.trials(theirs.id)
            assert ledger.reports(ours.id, 0) == other.reports(theirs.id, 0)


def test_what_was_taken_over_is_not_taken_over_again(tmp_path: Path) -> None:
    """By a process that was killed before it removed the file; not even what it has since."""
    _fill(tmp_path / "a.db", "one")
    _fill(tmp_path / "b.db", "two", "three")
    with Ledger(tmp_path / "a.db") as ledger:
        ledger.absorb(tmp_path / "b.db")
        two = ledger.study("two")
        assert two is not None
        ledger.finish(two.id, 1, 1, "completed", '{"r":2}')
        ledger.absorb(tmp_path / "b.db")
        assert [s.name for s in ledger.studies()] == ["one", "two", "three"]
        assert [t.state for t in ledger.trials(two.id)] == ["completed"] * 2


def test_a_name_that_is_taken_leaves_everything_as_it_was(tmp_path: Path) -> None:
    """All or nothing: the study that would have fitted is not taken over either."""
    _fill(tmp_path / "a.db", "one")
    _fill(tmp_path / "b.db", "two", "one")
    with Ledger(tmp_path / "a.db") as ledger:
        with pytest.raises(UserError, match="cannot take"):
            ledger.absorb(tmp_path / "b.db")
        assert [s.name for s in ledger.studies()] == ["one"]
        ledger.create_study("later", **FIELDS)


def test_a_ledger_of_the_first_version_is_upgraded(tmp_path: Path) -> None:
    """Opened by whatever command first, it gains the columns and loses nothing."""
    path = tmp_path / "old.db"
    _fill(path, "one")
    database = sqlite3.connect(path)
    for column in ("budget", "parent"):
        database.execute(f"ALTER TABLE trials DROP COLUMN {column}")
    database.execute("ALTER TABLE studies DROP COLUMN recommended")
    database.execute("DROP TABLE supernets")
    database.execute("PRAGMA user_version = 1")
    database.commit()
    database.close()
    with Ledger(path, read_only=True) as ledger:
        (study,) = ledger.studies()
        rows = ledger.trials(study.id)
    assert [(r.id, r.state, r.budget, r.parent) for r in rows] == [
        (0, "completed", None, None),
        (1, "running", None, None),
    ]
    assert study.recommended is None
    assert ledger_schema.VERSION == 3


def test_grouped_writes_share_a_commit_and_are_all_there_in_the_end(tmp_path: Path) -> None:
    """Another reader sees them when the group is over, at the latest when the ledger is closed."""
    path = tmp_path / "grouped.db"
    with Ledger(path, grouped=True) as ledger, Ledger(path, read_only=True) as reader:
        study = ledger.create_study("one", **FIELDS)
        for number in range(200):
            ledger.propose(study.id, number, '{"x":1}')
            ledger.finish(study.id, number, 1, "completed", '{"r":1}')
        assert len(ledger.trials(study.id)) == 200
        assert len(reader.trials(study.id)) < 200
        time.sleep(0.12)
        ledger.propose(study.id, 200, '{"x":1}')
        assert len(reader.trials(study.id)) == 200
    with Ledger(path, read_only=True) as ledger:
        assert len(ledger.trials(study.id)) == 201
