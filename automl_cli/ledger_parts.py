"""Taking a ledger over into another one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from automl_cli.ledger_schema import (
    ReportRow,
    StudyRow,
    SupernetRow,
    TrialRow,
    connect,
    explain,
)
from automl_spaces.errors import UserError

_TABLES = (
    ("studies", "id", StudyRow._fields[1:]),
    ("trials", "study", TrialRow._fields),
    ("reports", "study", ("trial", *ReportRow._fields)),
    ("supernets", "study", SupernetRow._fields),
)


def absorb(ledger: sqlite3.Connection, path: Path) -> None:
    """Copy every study of the ledger at `path`, all of them or (when that fails) none.

    One whose studies are all there has been taken over before, by a process that was killed before
    it could remove the file: nothing is copied.

    Raises:
        UserError: when one has the name of a study that is there already.
    """
    connect(path, read_only=False).close()  # it is a ledger, and of this version
    try:
        ledger.execute("ATTACH ? AS part", (str(path),))
        try:
            ledger.execute("BEGIN IMMEDIATE")
            if _is_known(ledger):
                ledger.execute("COMMIT")
                return
            (base,) = ledger.execute("SELECT coalesce(max(id), 0) FROM main.studies").fetchone()
            for table, key, columns in _TABLES:
                names = ", ".join(f'"{column}"' for column in columns)
                ledger.execute(
                    f"INSERT INTO main.{table} ({key}, {names}) "  # noqa: S608
                    f"SELECT {key} + ?, {names} FROM part.{table} ORDER BY rowid",
                    (base,),
                )
            ledger.execute("COMMIT")
        except sqlite3.Error:
            ledger.execute("ROLLBACK")
            raise
        finally:
            ledger.execute("DETACH part")
    except sqlite3.IntegrityError as error:
        raise UserError(f"cannot take {path} over: {error}") from None
    except sqlite3.Error as error:
        raise explain(path, error) from error


def _is_known(ledger: sqlite3.Connection) -> bool:
    """Whether every study of the attached part is in the ledger."""
    (missing,) = ledger.execute(
        "SELECT count(*) FROM part.studies WHERE uid NOT IN (SELECT uid FROM main.studies)"
    ).fetchone()
    return not missing
