"""The ledger: one SQLite file that is the truth about every study.

The driver is its only writer. A proposal is recorded before its trial is dispatched, a result
before the algorithm or anybody else hears of it. Every write is one autocommit statement in WAL
mode, so a kill at any moment leaves each event either recorded or not, never half.

With `synchronous = NORMAL` nothing is synced per trial: a killed process loses nothing, a power
cut may lose the last seconds but leaves the file intact. `durable=True` syncs every write.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from automl_cli import ledger_parts
from automl_cli.ledger_lock import hold
from automl_cli.ledger_schema import ReportRow, StudyRow, SupernetRow, TrialRow, connect, explain
from automl_spaces.errors import UserError

Row = TypeVar("Row")

_GROUP = 0.1  # seconds
_TRIAL_COLUMNS = ", ".join(f'"{name}"' for name in TrialRow._fields)
_PROPOSE = """
INSERT INTO trials
    (study, id, state, attempt, decisions, costs, rejected, proposed, budget, parent, metrics,
     reason)
VALUES (?, ?, 'running', 1, ?, ?, ?, ?, ?, ?, '{}', '')
"""
_FINISH = """
UPDATE trials SET state = ?, metrics = ?, reason = ?, finished = ?, "order" = 1 + (
    SELECT coalesce(max("order"), 0) FROM trials WHERE study = ? AND "order" IS NOT NULL)
WHERE study = ? AND id = ? AND state = 'running' AND attempt = ?
"""
_RETRY = """
UPDATE trials SET attempt = attempt + 1
WHERE study = ? AND id = ? AND state = 'running' AND attempt = ?
"""
_LATEST = "SELECT max(max(proposed), coalesce(max(finished), 0)) FROM trials WHERE study = ?"


class Ledger:
    """Studies, trials and reports in one file.

    Args:
        path: the file; its folder is made when needed.
        read_only: look, never write: for reports, and while somebody else drives.
        durable: sync every write to the disk.
        grouped: writes that follow each other within a tenth of a second share a commit: three
            times as quick for trials of microseconds. A kill costs that tenth of a second, whose
            trials must therefore be such as may be run again.

    Raises:
        UserError: here and in every method, when the file cannot be used: it is no ledger, it is
            read-only, the disk is full. What was recorded before stays readable.
    """

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        durable: bool = False,
        grouped: bool = False,
    ) -> None:
        self.path = path
        self._grouped, self._committed = False, 0.0
        self._db = connect(path, read_only=read_only)
        self._latest = 0.0
        if not read_only:
            self._run(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._grouped = grouped

    # Studies

    def create_study(
        self,
        name: str,
        *,
        recipe: str,
        space: str,
        space_hash: str,
        program_hash: str,
        algorithm: str,
        options: str,
        objectives: str,
        seed: int,
        environment: str,
    ) -> StudyRow:
        """A new study in state `running`, with a `uid` of its own.

        Raises:
            UserError: when the name is taken.
        """
        values = (
            *(name, uuid.uuid4().hex, time.time(), recipe, space, space_hash, program_hash),
            *(algorithm, options, objectives, seed, environment, "running", None),
        )
        columns = StudyRow._fields[1:]
        places = ", ".join("?" * len(columns))
        try:
            self._db.execute(
                f"INSERT INTO studies ({', '.join(columns)}) VALUES ({places})",  # noqa: S608
                values,
            )
        except sqlite3.IntegrityError:
            raise UserError(f"{self.path} has a study {name} already") from None
        except sqlite3.Error as error:
            raise explain(self.path, error) from error
        study = self.study(name)
        assert study is not None
        return study

    def study(self, name: str) -> StudyRow | None:
        """The study of that name."""
        found = self._read(StudyRow._make, "SELECT * FROM studies WHERE name = ?", (name,))
        return found[0] if found else None

    def studies(self) -> list[StudyRow]:
        """All studies, oldest first."""
        return self._read(StudyRow._make, "SELECT * FROM studies ORDER BY id")

    def update_study(self, study_id: int, **columns: Any) -> None:
        """Change what a study was recorded with; the caller holds its lock."""
        places = ", ".join(f"{name} = ?" for name in columns)
        self._run(f"UPDATE studies SET {places} WHERE id = ?", (*columns.values(), study_id))  # noqa: S608

    def set_study_state(self, study_id: int, state: str) -> None:
        """Note that a study is `running`, `completed`, `interrupted` or `failed`."""
        self._run("UPDATE studies SET state = ? WHERE id = ?", (state, study_id))

    def recommend(self, study_id: int, trial_id: int | None) -> None:
        """Note the trial that the algorithm of a study went with; None: that of the best value."""
        self._run("UPDATE studies SET recommended = ? WHERE id = ?", (trial_id, study_id))

    @contextlib.contextmanager
    def lock(self, study_id: int) -> Iterator[None]:
        """Be the only driver of a study.

        The operating system holds the lock, on a side file that names the holder: it goes away
        with the process however that dies.

        Raises:
            StudyBusy: when another process holds it.
        """
        path = self.path.with_name(f"{self.path.name}.{study_id}.lock")
        with hold(path, "this study"):
            self._latest = self._read(lambda row: row[0] or 0.0, _LATEST, (study_id,))[0]
            yield

    def absorb(self, path: Path) -> None:
        """Take over every study of another ledger, all of them or (when that fails) none.

        Raises:
            UserError: when one has the name of a study that is here already.
        """
        ledger_parts.absorb(self._db, path)

    # Trials

    def propose(
        self,
        study_id: int,
        trial_id: int,
        decisions_json: str,
        costs_json: str = "{}",
        rejected: int = 0,
        budget: float | None = None,
        parent: int | None = None,
    ) -> None:
        """Record a proposal: state `running`, attempt 1.

        Args:
            costs_json: metrics known before the trial is run, such as MAdds.
            rejected: how many proposals were turned down before this one.
            budget: fidelity granted; None for all.
            parent: the trial whose checkpoint it goes on from.
        """
        about = (study_id, trial_id, decisions_json, costs_json, rejected)
        self._run(_PROPOSE, (*about, self._now(), budget, parent))

    def retry(self, study_id: int, trial_id: int, attempt: int) -> int:
        """Give up an attempt that was lost, and return the number of the next one.

        Raises:
            UserError: when that attempt is not the one that is running.
        """
        if not self._run(_RETRY, (study_id, trial_id, attempt)):
            raise UserError(f"trial {trial_id}: attempt {attempt} is not running")
        return attempt + 1

    def finish(
        self,
        study_id: int,
        trial_id: int,
        attempt: int,
        state: str,
        metrics_json: str = "{}",
        reason: str = "",
    ) -> bool:
        """Record how an attempt ended, and give the trial its place in the finishing order.

        Returns:
            False, with nothing written, when this attempt is not running (any more): a result
            that comes late, or comes twice.
        """
        now = self._now()
        values = (state, metrics_json, reason, now, study_id, study_id, trial_id, attempt)
        return self._run(_FINISH, values) == 1

    def judge_again(self, study_id: int, trial_id: int, metrics_json: str) -> None:
        """Replace the metrics of a finished trial, whose verdict other constraints have changed."""
        self._run(
            "UPDATE trials SET metrics = ? WHERE study = ? AND id = ?",
            (metrics_json, study_id, trial_id),
        )

    def report(
        self, study_id: int, trial_id: int, attempt: int, step: int, metrics_json: str
    ) -> None:
        """Record intermediate metrics. A step may be reported more than once."""
        self._run(
            "INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?)",
            (study_id, trial_id, attempt, step, metrics_json, time.time()),
        )

    def trials(
        self, study_id: int, *, after_order: int = 0, state: str | None = None
    ) -> list[TrialRow]:
        """Trials of a study: the finished ones in finishing order, then the running ones by id.

        Args:
            after_order: when not 0, only those that finished after that place.
            state: only those in that state.
        """
        where, values = "study = ?", [study_id]
        if after_order:
            where, values = f'{where} AND "order" > ?', [*values, after_order]
        return self._trials(where, [*values, state] if state else values, by_state=bool(state))

    def trial(self, study_id: int, trial_id: int) -> TrialRow | None:
        """One trial."""
        found = self._trials("study = ? AND id = ?", (study_id, trial_id))
        return found[0] if found else None

    def lineage(self, study_id: int, trial_id: int) -> list[TrialRow]:
        """A trial and those that it went on from, the first of them first."""
        found: list[TrialRow] = []
        following: int | None = trial_id
        while following is not None and (row := self.trial(study_id, following)) is not None:
            found.append(row)
            following = row.parent
        return found[::-1]

    def changed_since(self, study_id: int, order: int) -> list[TrialRow]:
        """Trials that finished after a place in the finishing order: what a projection follows."""
        return self._trials('study = ? AND "order" > ?', (study_id, order))

    def reports(self, study_id: int, trial_id: int) -> list[ReportRow]:
        """What the attempts at a trial reported, in the order of reporting."""
        return self._read(
            ReportRow._make,
            "SELECT attempt, step, metrics, time FROM reports"
            " WHERE study = ? AND trial = ? ORDER BY rowid",
            (study_id, trial_id),
        )

    # Supernets

    def supernet(self, study_id: int, row: SupernetRow) -> None:
        """Record where the training of a study's supernet stands; a step done again replaces."""
        self._run("INSERT OR REPLACE INTO supernets VALUES (?, ?, ?, ?, ?, ?, ?)", (study_id, *row))

    def supernets(self, study_id: int, after: int = 0) -> list[SupernetRow]:
        """The records of a study's supernet after a step, in order."""
        return self._read(
            SupernetRow._make,
            "SELECT step, steps, seconds, metrics, policy, time FROM supernets"
            " WHERE study = ? AND step > ? ORDER BY step",
            (study_id, after),
        )

    def close(self) -> None:
        """Close the file; the WAL is folded into it. Closing twice is fine."""
        with contextlib.suppress(sqlite3.ProgrammingError):  # it is closed
            if self._db.in_transaction:
                self._db.execute("COMMIT")
        self._db.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _now(self) -> float:
        """Seconds since 1970, and strictly later than every event before.

        Clocks stand still and step back; a resumed run replays proposals and results in the
        order of their times, so that these must tell.
        """
        self._latest = max(time.time(), self._latest + 1e-6)
        return self._latest

    def _trials(
        self, where: str, values: Sequence[Any], *, by_state: bool = False
    ) -> list[TrialRow]:
        condition = f"{where} AND state = ?" if by_state else where
        return self._read(
            TrialRow._make,
            f"SELECT {_TRIAL_COLUMNS} FROM trials WHERE {condition}"  # noqa: S608
            ' ORDER BY "order" IS NULL, "order", id',
            values,
        )

    def _run(self, statement: str, values: Sequence[Any] = ()) -> int:
        try:
            if self._grouped:
                self._group()
            return self._db.execute(statement, values).rowcount
        except sqlite3.Error as error:
            raise explain(self.path, error) from error

    def _group(self) -> None:
        """Begin the transaction that the next write belongs to, unless there is one already."""
        now = time.monotonic()
        if now - self._committed > _GROUP:
            if self._db.in_transaction:
                self._db.execute("COMMIT")
            self._committed = now
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")

    def _read(
        self, make: Callable[[Any], Row], statement: str, values: Sequence[Any] = ()
    ) -> list[Row]:
        try:
            return [make(row) for row in self._db.execute(statement, values)]
        except sqlite3.Error as error:
            raise explain(self.path, error) from error
