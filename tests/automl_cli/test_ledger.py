"""The ledger: exact accounting, whatever is killed, cut or full."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automl_cli import ledger_schema
from automl_cli.ledger import Ledger
from automl_cli.ledger_lock import StudyBusy
from automl_cli.ledger_schema import StudyRow
from automl_spaces.errors import UserError

FIELDS: dict[str, Any] = {
    "recipe": "program: x\n",
    "space": "{}",
    "space_hash": "s",
    "program_hash": "p",
    "algorithm": "random",
    "options": "{}",
    "objectives": '[{"metric":"reward","direction":"maximize"}]',
    "seed": 7,
    "environment": "{}",
}

WRITER = """
import json, os, sys, time
from pathlib import Path
from automl_cli.ledger import Ledger

ledger = Ledger(Path(sys.argv[1]))
study = ledger.study("s")
with ledger.lock(study.id):
    def finish(number, attempt):
        assert ledger.finish(study.id, number, attempt, "completed", json.dumps({"r": number}))
        os.write(1, b"%d\\n" % number)
    rows = ledger.trials(study.id)
    for row in rows:
        if row.state == "running":
            finish(row.id, ledger.retry(study.id, row.id, row.attempt))
    os.write(1, b"go\\n")
    for number in range(len(rows) + 1, 1_000_000):
        ledger.propose(study.id, number, json.dumps({"x": number}))
        ledger.report(study.id, number, 1, 0, "{}")
        finish(number, 1)
"""

HOLDER = """
import sys, time
from pathlib import Path
from automl_cli.ledger import Ledger

ledger = Ledger(Path(sys.argv[1]))
with ledger.lock(1):
    print("held", flush=True)
    time.sleep(60)
"""


FILLER = """
import json, sys
from pathlib import Path
from automl_cli.ledger import Ledger
from automl_spaces.errors import UserError

ledger = Ledger(Path(sys.argv[1]))
study = ledger.create_study("s", **FIELDS)
acknowledged = 0
try:
    while True:
        ledger.propose(study.id, acknowledged + 1, "x" * 500)
        assert ledger.finish(study.id, acknowledged + 1, 1, "completed")
        acknowledged += 1
except UserError as error:
    states = [row.state for row in ledger.trials(study.id)]
    print(json.dumps([acknowledged, len(states), states.count("completed"), str(error)]))
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger in a folder that did not exist."""
    with Ledger(tmp_path / "new" / "ledger.db") as ledger:
        yield ledger


@pytest.fixture
def study(ledger: Ledger) -> StudyRow:
    """A study in it."""
    return ledger.create_study("s", **FIELDS)


def spawn(script: str, path: Path) -> subprocess.Popen[str]:
    """A process that works on a ledger."""
    command = [sys.executable, "-c", script, str(path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_a_study_is_kept_as_it_was_given(ledger: Ledger, study: StudyRow) -> None:
    """Under a name of its own, with an id that is unique in the world."""
    assert study._asdict().items() >= FIELDS.items()
    assert (study.name, study.state, len(study.uid)) == ("s", "running", 32)
    other = ledger.create_study("t", **FIELDS)
    assert other.uid != study.uid
    ledger.set_study_state(study.id, "completed")
    assert [s.state for s in ledger.studies()] == ["completed", "running"]
    assert ledger.study("u") is None
    with pytest.raises(UserError, match="has a study s already"):
        ledger.create_study("s", **FIELDS)


def test_a_trial_from_proposal_to_result(ledger: Ledger, study: StudyRow) -> None:
    """Nothing is lost on the way."""
    ledger.propose(study.id, 1, '{"x":1}', '{"madds":5.0}', 3)
    row = ledger.trial(study.id, 1)
    assert row is not None
    assert (row.state, row.attempt, row.decisions, row.rejected) == ("running", 1, '{"x":1}', 3)
    assert (row.finished, row.order, row.costs) == (None, None, '{"madds":5.0}')
    assert ledger.finish(study.id, 1, 1, "completed", '{"reward":0.5}')
    row = ledger.trial(study.id, 1)
    assert row is not None
    assert row.finished is not None
    assert (row.state, row.order, row.metrics) == ("completed", 1, '{"reward":0.5}')
    assert row.finished > row.proposed
    assert ledger.trial(study.id, 2) is None


def test_the_finishing_order_counts_within_a_study(ledger: Ledger, study: StudyRow) -> None:
    """From 1 without gaps; running trials come last."""
    other = ledger.create_study("t", **FIELDS)
    for number in (1, 2, 3, 4):
        ledger.propose(study.id, number, "{}")
        ledger.propose(other.id, number, "{}")
    for number, state in ((3, "completed"), (1, "failed"), (4, "pruned")):
        assert ledger.finish(study.id, number, 1, state)
    assert ledger.finish(other.id, 2, 1, "completed")
    rows = ledger.trials(study.id)
    assert [(row.id, row.order) for row in rows] == [(3, 1), (1, 2), (4, 3), (2, None)]
    assert [row.id for row in ledger.trials(study.id, after_order=1)] == [1, 4]
    assert [row.id for row in ledger.changed_since(study.id, 0)] == [3, 1, 4]
    assert [row.id for row in ledger.trials(study.id, state="running")] == [2]
    assert [row.id for row in ledger.trials(study.id, after_order=1, state="pruned")] == [4]


def test_a_late_result_is_refused(ledger: Ledger, study: StudyRow) -> None:
    """Of an old attempt, of one that is to come, and the same one twice."""
    ledger.propose(study.id, 1, "{}")
    assert ledger.retry(study.id, 1, 1) == 2
    assert not ledger.finish(study.id, 1, 1, "completed", '{"reward":1}')
    assert not ledger.finish(study.id, 1, 3, "completed", '{"reward":1}')
    assert ledger.finish(study.id, 1, 2, "completed", '{"reward":2}')
    assert not ledger.finish(study.id, 1, 2, "failed")
    assert not ledger.finish(study.id, 9, 1, "completed")
    (row,) = ledger.trials(study.id)
    assert (row.metrics, row.order, row.attempt) == ('{"reward":2}', 1, 2)
    for attempt in (1, 2):
        with pytest.raises(UserError, match=f"attempt {attempt} is not running"):
            ledger.retry(study.id, 1, attempt)


def test_a_trial_is_proposed_once(ledger: Ledger, study: StudyRow) -> None:
    """Its number belongs to it."""
    ledger.propose(study.id, 1, "{}")
    with pytest.raises(UserError, match="UNIQUE"):
        ledger.propose(study.id, 1, "{}")


def test_reports_keep_their_order(ledger: Ledger, study: StudyRow) -> None:
    """Also those of an earlier attempt, and two of one step."""
    for attempt, step in ((1, 0), (1, 1), (2, 0), (2, 0)):
        ledger.report(study.id, 5, attempt, step, json.dumps({"loss": step}))
    found = ledger.reports(study.id, 5)
    assert [(row.attempt, row.step) for row in found] == [(1, 0), (1, 1), (2, 0), (2, 0)]
    assert found[1].metrics == '{"loss": 1}'
    assert ledger.reports(study.id, 6) == []


def test_times_tell_the_order_of_events(
    ledger: Ledger, study: StudyRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even while the clock stands still, and after a restart with the clock set back."""
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    for number in (1, 2):
        ledger.propose(study.id, number, "{}")
        ledger.finish(study.id, number, 1, "completed")
    monkeypatch.setattr(time, "time", lambda: 900.0)
    with Ledger(ledger.path) as again, again.lock(study.id):
        again.propose(study.id, 3, "{}")
    rows = ledger.trials(study.id)
    times = [t for row in rows for t in (row.proposed, row.finished) if t is not None]
    assert times == sorted(set(times))
    assert len(times) == 5


def test_readers_see_what_the_driver_wrote(ledger: Ledger, study: StudyRow) -> None:
    """While it holds the lock, and without being able to write."""
    with ledger.lock(study.id), Ledger(ledger.path, read_only=True) as reader:
        ledger.propose(study.id, 1, "{}")
        assert [row.id for row in reader.trials(study.id)] == [1]
        with pytest.raises(UserError, match="readonly"):
            reader.propose(study.id, 2, "{}")


def test_killed_at_random_moments_nothing_is_lost_or_counted_twice(
    ledger: Ledger, study: StudyRow
) -> None:
    """20 drivers in a row on one file; every acknowledged trial is there exactly once."""
    moments = random.Random(1)
    acknowledged: list[int] = []
    for _ in range(20):
        with spawn(WRITER, ledger.path) as driver:
            assert driver.stdout is not None
            first = driver.stdout.readline()  # a trial of the driver before, or the start
            time.sleep(moments.random() * 0.05)
            driver.kill()
            lines = (first + driver.stdout.read()).split("\n")[:-1]
        acknowledged += [int(line) for line in lines if line != "go"]
    rows = ledger.trials(study.id)
    finished = [row for row in rows if row.state == "completed"]
    assert len(acknowledged) == len(set(acknowledged)) > 100
    assert set(acknowledged) <= {row.id for row in finished}
    # At most one trial per kill was recorded and not yet acknowledged.
    assert len(finished) - len(acknowledged) <= 20
    assert sorted(row.id for row in rows) == [*range(1, len(rows) + 1)]
    assert [row.order for row in finished] == [*range(1, len(finished) + 1)]
    assert all(json.loads(row.metrics) == {"r": row.id} for row in finished)
    assert len(rows) - len(finished) <= 1  # in flight at the last kill, not stuck: it is retried
    times = [row.finished for row in finished if row.finished is not None]
    assert times == sorted(set(times))
    assert integrity(ledger.path) == "ok"


def integrity(path: Path) -> str:
    """SQLite's own verdict."""
    connection = sqlite3.connect(path)
    (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    return str(verdict)


def test_a_truncated_wal_keeps_the_earlier_rows(ledger: Ledger, study: StudyRow) -> None:
    """Cut anywhere: the file is intact, and holds a beginning of what was written."""
    for number in range(1, 101):
        ledger.propose(study.id, number, '{"x":0.5}')
        ledger.finish(study.id, number, 1, "completed", '{"reward":0.5}')
    wal = ledger.path.with_name("ledger.db-wal")
    size, cuts, kept = wal.stat().st_size, random.Random(2), set()
    for index in range(25):
        copy = ledger.path.parent / f"copy{index}.db"
        shutil.copy(ledger.path, copy)
        shutil.copy(wal, copy.with_name(f"{copy.name}-wal"))
        with copy.with_name(f"{copy.name}-wal").open("r+b") as file:
            file.truncate(cuts.randrange(size // 10, size))
        assert integrity(copy) == "ok"
        with Ledger(copy) as cut:
            rows = cut.trials(study.id)
            assert [row.id for row in rows] == [*range(1, len(rows) + 1)]
            assert [row.order for row in rows if row.order] == [
                *range(1, sum(row.state == "completed" for row in rows) + 1)
            ]
            kept.add(len(rows))
    assert len(kept) > 10  # the cuts were felt


def test_a_second_driver_is_refused_until_the_first_is_dead(
    ledger: Ledger, study: StudyRow
) -> None:
    """The message names the process; SIGKILL releases the lock at once."""
    with spawn(HOLDER, ledger.path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StudyBusy, match=f"process {holder.pid} is running this study"):
            ledger.lock(study.id).__enter__()
        other = ledger.create_study("t", **FIELDS)
        with ledger.lock(other.id):
            pass  # another study is another lock
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with ledger.lock(study.id):
            assert ledger.path.with_name("ledger.db.1.lock").read_text() == f"{os.getpid()}\n"


def test_the_lock_is_released_and_not_shared_within_a_process(
    ledger: Ledger, study: StudyRow
) -> None:
    """Two connections of one process are two drivers; an exception releases it."""
    with Ledger(ledger.path) as second:
        with pytest.raises(ZeroDivisionError), ledger.lock(study.id):
            with pytest.raises(StudyBusy, match=str(os.getpid())):
                second.lock(study.id).__enter__()
            raise ZeroDivisionError
        with second.lock(study.id):
            pass


def test_two_starters_make_one_ledger(tmp_path: Path) -> None:
    """Six processes create the same new file at once."""
    script = (
        "import sys; from pathlib import Path; from automl_cli.ledger import Ledger\n"
        "Ledger(Path(sys.argv[1])).studies()"
    )
    starters = [spawn(script, tmp_path / "ledger.db") for _ in range(6)]
    for starter in starters:
        starter.communicate(timeout=30)
    assert [starter.returncode for starter in starters] == [0] * 6


def test_what_is_no_ledger_is_refused_untouched(tmp_path: Path) -> None:
    """Text, another program's database, an empty file to read, a newer version, a folder."""
    text = tmp_path / "notes.txt"
    text.write_text("hello, I am no database\n" * 100)
    with pytest.raises(UserError, match="is not a ledger"):
        Ledger(text)
    assert text.read_text().startswith("hello")

    foreign = tmp_path / "mlflow.db"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE runs (id)")
    connection.close()
    before = foreign.read_bytes()
    with pytest.raises(UserError, match="is the database of another program"):
        Ledger(foreign)
    assert foreign.read_bytes() == before

    (tmp_path / "empty.db").touch()
    with pytest.raises(UserError, match="is an empty file"):
        Ledger(tmp_path / "empty.db", read_only=True)
    with pytest.raises(UserError, match="there is no ledger"):
        Ledger(tmp_path / "nowhere.db", read_only=True)
    assert not (tmp_path / "nowhere.db").exists()
    with pytest.raises(UserError, match="cannot use the ledger"):
        Ledger(tmp_path)
    with pytest.raises(UserError, match="cannot use the ledger"):
        Ledger(text / "ledger.db")


def test_a_newer_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the way out."""
    path = tmp_path / "ledger.db"
    with monkeypatch.context() as newer:
        newer.setattr(ledger_schema, "VERSION", 9)
        Ledger(path).close()
    with pytest.raises(UserError, match=r"version 9, this one reads 3.*upgrade"):
        Ledger(path)


def test_a_damaged_file_is_one_clear_error(ledger: Ledger, study: StudyRow) -> None:
    """Not a traceback of the database."""
    for number in range(1, 200):
        ledger.propose(study.id, number, "{}" * 100)
    ledger.close()
    data = bytearray(ledger.path.read_bytes())
    data[4096 * 2 : 4096 * 8] = b"\xff" * (4096 * 6)
    ledger.path.write_bytes(data)
    with pytest.raises(UserError, match="malformed"), Ledger(ledger.path) as damaged:
        damaged.trials(study.id)


def test_a_full_disk_is_one_clear_error_and_loses_nothing(ledger: Ledger, study: StudyRow) -> None:
    """The file may not grow any further; what was written can still be read, and goes on later."""
    ledger.propose(study.id, 1, "{}")
    (pages,) = ledger._db.execute("PRAGMA page_count").fetchone()
    ledger._db.execute(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(UserError, match=r"full.*free some space"):
        for number in range(2, 1000):
            ledger.propose(study.id, number, "x" * 1000)
    rows = ledger.trials(study.id)
    assert [row.id for row in rows] == [*range(1, len(rows) + 1)]
    ledger._db.execute("PRAGMA max_page_count = 100000")
    ledger.propose(study.id, len(rows) + 1, "x" * 1000)
    assert ledger.finish(study.id, len(rows) + 1, 1, "completed")


def test_a_full_file_system_is_one_clear_error_and_loses_nothing(tmp_path: Path) -> None:
    """The same on a real file system of 300 kB, mounted in a namespace of its own."""
    disk = f'mount -t tmpfs -o size=300k tmpfs "{tmp_path}" && exec "$0" -c "$1" "{tmp_path}/l.db"'
    isolated = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*isolated, "true"], check=False).returncode
    ):
        pytest.skip("needs user namespaces")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [*isolated, disk, sys.executable, FILLER.replace("FIELDS", repr(FIELDS))],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    acknowledged, recorded, completed, message = json.loads(done.stdout)
    assert acknowledged > 0
    assert completed == acknowledged
    assert recorded - completed <= 1
    assert "full" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_can_be_read(ledger: Ledger, study: StudyRow) -> None:
    """And refuses writers."""
    ledger.close()
    ledger.path.parent.chmod(0o500)
    try:
        with Ledger(ledger.path, read_only=True) as reader:
            assert reader.study("s") == study
        with pytest.raises(UserError, match="cannot use the ledger"), Ledger(ledger.path) as again:
            again.propose(study.id, 1, "{}")
    finally:
        ledger.path.parent.chmod(0o700)


def test_durable_syncs_every_write(tmp_path: Path) -> None:
    """FULL against NORMAL, in WAL mode."""
    for durable, level in ((False, 1), (True, 2)):
        with Ledger(tmp_path / f"{durable}.db", durable=durable) as ledger:
            assert ledger._db.execute("PRAGMA synchronous").fetchone() == (level,)
            assert ledger._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_trial_costs_the_driver_little(ledger: Ledger, study: StudyRow) -> None:
    """Processor time of one proposal and one result; far below 1 ms."""
    decisions = json.dumps({f"model.blocks[{i}].kernel_size": 0.1 * i for i in range(20)})
    start = time.process_time()
    for number in range(1, 501):
        ledger.propose(study.id, number, decisions)
        ledger.finish(study.id, number, 1, "completed", '{"reward":0.5}')
    assert (time.process_time() - start) / 500 < 0.3e-3
