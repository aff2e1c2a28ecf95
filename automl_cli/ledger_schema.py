"""The ledger's tables, its rows, and how a file becomes a ledger.

Statements are plain SQL of SQLite 3.35 and newer. A file carries `application_id`, so that
another program's database is never written to, and `user_version`, the version of this schema.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

from automl_spaces.errors import UserError

APPLICATION_ID = 0x4155544F  # "AUTO"
VERSION = 3

TABLES = """
CREATE TABLE studies (
    id           INTEGER PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    uid          TEXT NOT NULL UNIQUE,
    created      REAL NOT NULL,
    recipe       TEXT NOT NULL,
    space        TEXT NOT NULL,
    space_hash   TEXT NOT NULL,
    program_hash TEXT NOT NULL,
    algorithm    TEXT NOT NULL,
    options      TEXT NOT NULL,
    objectives   TEXT NOT NULL,
    seed         INTEGER NOT NULL,
    environment  TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('running', 'completed', 'interrupted', 'failed')),
    recommended  INTEGER
);
CREATE TABLE trials (
    study     INTEGER NOT NULL REFERENCES studies (id),
    id        INTEGER NOT NULL,
    state     TEXT NOT NULL CHECK (state IN ('running', 'completed', 'pruned', 'failed')),
    attempt   INTEGER NOT NULL,
    decisions TEXT NOT NULL,
    costs     TEXT NOT NULL,
    rejected  INTEGER NOT NULL,
    proposed  REAL NOT NULL,
    finished  REAL,
    "order"   INTEGER,
    metrics   TEXT NOT NULL,
    reason    TEXT NOT NULL,
    budget    REAL,
    parent    INTEGER,
    PRIMARY KEY (study, id)
);
CREATE UNIQUE INDEX trials_in_order ON trials (study, "order") WHERE "order" IS NOT NULL;
CREATE TABLE reports (
    study   INTEGER NOT NULL,
    trial   INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    step    INTEGER NOT NULL,
    metrics TEXT NOT NULL,
    time    REAL NOT NULL
);
CREATE INDEX reports_of_trial ON reports (study, trial);
"""
SUPERNETS = """
CREATE TABLE supernets (
    study   INTEGER NOT NULL,
    step    INTEGER NOT NULL,
    steps   INTEGER NOT NULL,
    seconds REAL NOT NULL,
    metrics TEXT NOT NULL,
    policy  TEXT NOT NULL,
    time    REAL NOT NULL,
    PRIMARY KEY (study, step)
)
"""
TABLES += SUPERNETS

# How a ledger of an older version becomes one of the next.
UPGRADES = {
    1: (
        "ALTER TABLE trials ADD COLUMN budget REAL",
        "ALTER TABLE trials ADD COLUMN parent INTEGER",
    ),
    2: (SUPERNETS, "ALTER TABLE studies ADD COLUMN recommended INTEGER"),
}


class StudyRow(NamedTuple):
    """One study. `recipe` is YAML; `space`, `options`, `objectives`, `environment` are JSON.

    `recommended` is the trial that the algorithm went with, when that need not be the one of the
    best value.
    """

    id: int
    name: str
    uid: str
    created: float
    recipe: str
    space: str
    space_hash: str
    program_hash: str
    algorithm: str
    options: str
    objectives: str
    seed: int
    environment: str
    state: str
    recommended: int | None = None


class TrialRow(NamedTuple):
    """One trial: `decisions`, `costs` and `metrics` are JSON, times are seconds since 1970.

    `order` is the place in the order of finishing, 1..n within the study; None while it runs.
    `budget` is the fidelity granted, None for all; `parent` the trial that it goes on from.
    """

    id: int
    state: str
    attempt: int
    decisions: str
    costs: str
    rejected: int
    proposed: float
    finished: float | None
    order: int | None
    metrics: str
    reason: str
    budget: float | None = None
    parent: int | None = None


class ReportRow(NamedTuple):
    """Metrics (JSON) that an attempt told at a step; in the order in which they were told."""

    attempt: int
    step: int
    metrics: str
    time: float


class SupernetRow(NamedTuple):
    """Where the training of a supernet stood after `step` steps of `steps` in all.

    `metrics` (JSON) are means over the steps since the row before, `policy` (JSON) gives the
    probabilities of each decision point's candidates by its index, `seconds` were spent so far.
    """

    step: int
    steps: int
    seconds: float
    metrics: str
    policy: str
    time: float


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """An autocommit connection to a ledger, which is made when it is new.

    Raises:
        UserError: when the file cannot be opened, is no ledger, or is of a newer version.
    """
    connection: sqlite3.Connection | None = None
    try:
        connection = _open(path, read_only=read_only)
        _check(connection, path, read_only=read_only)
    except (OSError, sqlite3.Error, UserError) as error:
        if connection is not None:
            connection.close()
        raise error if isinstance(error, UserError) else explain(path, error) from error
    return connection


def explain(path: Path, error: Exception) -> UserError:
    """A database error in the user's words."""
    text = str(error)
    hint = ""
    if "not a database" in text:
        return UserError(f"{path} is not a ledger", hint="move it away; a new one is made")
    if "malformed" in text:
        hint = "the file is damaged: restore a copy, or start a new ledger"
    elif "full" in text or "disk I/O" in text:
        hint = "what was recorded before is safe: free some space, then run the same command again"
    elif "readonly" in text or "unable to open" in text or isinstance(error, PermissionError):
        hint = "is the folder there, and may you write to it?"
    elif "locked" in text:
        hint = "another program holds the file"
    return UserError(f"cannot use the ledger {path}: {text}", hint=hint)


def _open(path: Path, *, read_only: bool) -> sqlite3.Connection:
    if not read_only:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _connect(path, "mode=rwc")
    if not path.is_file():
        raise UserError(f"there is no ledger {path}", hint="has anything been run here?")
    connection = _connect(path, "mode=ro")
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError:
        # Reading a WAL file needs its side files; on read-only media they cannot be made, and
        # then nobody writes either.
        connection.close()
        connection = _connect(path, "mode=ro&immutable=1")
    return connection


def _connect(path: Path, options: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{options}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30.0)


def _check(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    connection.execute("BEGIN")  # both are read of one moment, while others may create the file
    ours = _pragma(connection, "application_id") == APPLICATION_ID
    filled = _pragma(connection, "schema_version") != 0
    connection.execute("COMMIT")
    if not ours:
        if filled:
            raise UserError(f"{path} is the database of another program")
        if read_only:
            raise UserError(f"{path} is an empty file, not a ledger")
        _create(connection)
    version = _pragma(connection, "user_version")
    if version > VERSION:
        raise UserError(
            f"{path} was written by a newer automl (ledger version {version}, "
            f"this one reads {VERSION})",
            hint="upgrade: pip install -U automl-cli",
        )
    if version < VERSION and read_only:
        connect(path, read_only=False).close()
    elif version < VERSION:
        _upgrade(connection)


def _upgrade(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")  # of two who open it one upgrades, the other waits
    for version in range(_pragma(connection, "user_version"), VERSION):
        for statement in UPGRADES[version]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version + 1}")
    connection.execute("COMMIT")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL, however many processes do so at once: SQLite does not wait for this lock."""
    deadline = time.monotonic() + 30.0
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _create(connection: sqlite3.Connection) -> None:
    _use_wal(connection)
    connection.execute("BEGIN IMMEDIATE")  # one of two starters makes the tables, the other waits
    if _pragma(connection, "application_id") != APPLICATION_ID:
        for statement in TABLES.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("COMMIT")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    row: tuple[int] = connection.execute(f"PRAGMA {name}").fetchone()
    return row[0]
