"""What may go wrong while a search runs costs one trial, or nothing: never the search.

A ledger that was killed at any moment tells what has finished, and the same command goes on.
"""

from __future__ import annotations

import json
import os
import random
import shlex
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from automl_algorithms import catalogue
from automl_cli.ledger_schema import TrialRow
from tests.automl_cli.command_line import Project, decisions

SLOW = {
    "program": "!prog.slow {seconds: 0.03}",
    "space": "[{at: x, replace: !intv [0, 99]}, {at: y, replace: !intv [0, 99]}]",
}
EVOLUTION = "{name: evolution, population: 8, tournament: 3}"
FAULTS = {  # what the program does: its state, why, and after how many attempts
    "fine": ("completed", "", 1),
    "raises": ("failed", "ValueError: bad luck", 1),
    "quits": ("failed", "SystemExit: 4", 1),
    "nan": ("failed", "score is nan", 1),
    "inf": ("failed", "score is inf", 1),
    "text": ("failed", "returned a str", 1),
    "list": ("failed", "returned a list", 1),
    "none": ("failed", "returned None", 1),
    "hungry": ("failed", "out of memory", 1),
    "hangs": ("failed", "timeout (limit 1 s)", 1),
    "killed": ("failed", "SIGKILL", 2),
    "exits": ("failed", "exit code 3", 2),
}


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Project]:
    """A project folder, in which no process is left afterwards."""
    yield (made := Project(tmp_path, monkeypatch, capsys))
    for pid in made.processes():  # a failed test leaves no driver behind
        os.kill(pid, signal.SIGKILL)


# One trial -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A search that meets every fault once, each beside healthy trials."""
    with pytest.MonkeyPatch.context() as patch:
        project = Project(tmp_path_factory.mktemp("faulty"), patch)
        how = ", ".join(FAULTS)
        project.recipe(
            program="!prog.fault",
            space=f"[{{at: how, replace: !oneof [{how}]}}, {{at: x, replace: !oneof [0, 1]}}]",
            algorithm="grid",
            budget="{trials: 100}",
            run="{workers: 2, timeout: 1, memory: 0.3, retries: 1, max_failed: 1000}",
        )
        yield SimpleNamespace(outcome=project.run("run", "recipe.yaml"), project=project)


@pytest.mark.slow
@pytest.mark.parametrize("how", FAULTS)
def test_a_fault_costs_its_own_trial_alone(how: str, faulty: SimpleNamespace) -> None:
    """The ledger holds each fault's state, reason and number of attempts."""
    state, reason, attempts = FAULTS[how]
    rows = [r for r in faulty.project.trials() if json.loads(r.decisions)["how"] == how]
    assert len(rows) == 2
    for row in rows:
        assert (row.state, row.attempt) == (state, attempts)
        assert reason in row.reason
        assert row.order is not None


@pytest.mark.slow
def test_the_search_goes_on_after_every_fault(faulty: SimpleNamespace) -> None:
    """All of the space is searched, the counts are exact, and no process is left."""
    code, out, err = faulty.outcome
    assert code == 0
    rows = faulty.project.trials()
    assert sorted(row.order for row in rows) == list(range(1, 2 * len(FAULTS) + 1))
    assert f"2 completed, {2 * len(FAULTS) - 2} failed" in err
    assert "score" in out
    assert "Traceback" not in err
    assert faulty.project.processes() == []


def test_inline_trials_fail_alone_too(project: Project) -> None:
    """What the driver itself survives is told in the same way as by the pool."""
    how = [h for h in FAULTS if h not in ("killed", "exits", "hungry")]
    project.recipe(
        program="!prog.fault",
        space=f"[{{at: how, replace: !oneof [{', '.join(how)}]}}]",
        algorithm="grid",
        run="{executor: inline, timeout: 0.2}",
        budget="{trials: 50}",
    )
    assert project("run", "recipe.yaml").code == 0
    rows = project.trials()
    assert len(rows) == len(how)
    for row in rows:
        state, reason, _ = FAULTS[json.loads(row.decisions)["how"]]
        assert row.state == state
        assert reason.replace("limit 1 s", "limit 0.2 s") in row.reason


def test_hopeless_searches_stop(project: Project) -> None:
    """Ten failures and nothing completed, or `max_failed`, end the search with exit code 1."""
    hopeless = {
        "program": "!prog.fault {how: raises}",
        "space": "[{at: x, replace: !intv [0, 999]}]",
        "budget": "{trials: 100}",
    }
    for run, failed in (("{executor: inline}", 10), ("{executor: inline, max_failed: 3}", 3)):
        project.recipe(f"{failed}.yaml", **hopeless, run=run)
        code, out, err = project("run", f"{failed}.yaml")
        assert code == 1
        assert out == ""
        assert f"{failed} failed" in err
        assert "too many trials failed" in err
        assert "ValueError: bad luck" in err
        assert "--new" in err
        assert project.states()[f"{failed}-random-0"] == "failed"
    assert Counter(row.state for row in project.trials()) == {"failed": 13}


def test_a_few_failures_do_not_stop_a_search(project: Project) -> None:
    """Ten failures are no reason to stop when other trials complete."""
    project.recipe(
        program="!prog.fault",
        space="[{at: how, replace: !oneof [fine, raises]}, {at: x, replace: !intv [0, 19]}]",
        algorithm="grid",
        budget="{trials: 100}",
    )
    assert project("run", "recipe.yaml").code == 0
    assert Counter(row.state for row in project.trials()) == {"completed": 20, "failed": 20}


def test_a_metric_that_is_never_returned_is_named(project: Project) -> None:
    """The search stops, and says what was returned instead."""
    project.recipe(
        program="!prog.noise",
        space="[{at: x, replace: !intv [0, 999]}]",
        objective="{maximize: accuracy}",
        budget="{trials: 100}",
    )
    code, _, err = project("run", "recipe.yaml")
    assert code == 1
    assert "did not return accuracy; it returned score, more" in err
    assert len(project.trials()) == 10


def test_a_cost_that_fails_is_not_blamed_on_the_algorithm(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told before anything is written."""

    def broken(_: object) -> float:
        raise ZeroDivisionError("no layers")

    monkeypatch.setattr("automl_cli.costs.load", lambda name: broken)
    project.recipe(costs="[params]")
    code, _, err = project("run", "recipe.yaml")
    assert code == 1
    assert "the cost params failed: ZeroDivisionError: no layers" in err
    assert not (project.folder / ".automl").exists()


# The driver is killed --------------------------------------------------------------------------


def _unchanged(before: dict[int, TrialRow], now: dict[int, TrialRow]) -> None:
    """What had finished is as it was."""
    assert {id: now.get(id) for id in before} == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("executor", "algorithm"),
    [("inline", "random"), ("inline", EVOLUTION), ("pool", "random")],
    ids=["inline-random", "inline-evolution", "pool-random"],
)
def test_killed_at_20_moments_nothing_is_lost_or_repeated(
    executor: str,
    algorithm: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """SIGKILL to the driver again and again, and the search is the one nobody disturbed."""
    n, rng = 360, random.Random(3)
    keys = {**SLOW, "algorithm": algorithm, "budget": f"{{trials: {n}}}"}
    calm = Project(tmp_path / "calm", monkeypatch, capsys)
    calm.recipe(**{**keys, "program": "!prog.slow {seconds: 0.0}"})
    assert calm("run", "recipe.yaml").code == 0

    project = Project(tmp_path / "killed", monkeypatch, capsys)
    project.recipe(**keys, run=f"{{executor: {executor}, workers: 2}}")
    seen: dict[int, TrialRow] = {}
    starts: Counter[str] = Counter()
    for kill in range(20):
        with project.start("run", "recipe.yaml") as driver:
            if kill % 4:  # else at any moment of the start
                project.wait_for(len(seen) + 1, driver)
            time.sleep(rng.uniform(0.0, 0.1 if kill % 4 else 1.0))
            driver.kill()
            driver.communicate()
        assert driver.returncode == -signal.SIGKILL, "it ended before it was killed"
        now = project.finished()
        _unchanged(seen, now)
        assert all(_starts(project)[id] == starts[id] for id in map(str, seen))
        seen, starts = now, _starts(project)
    assert project.run("run", "recipe.yaml").code == 0

    rows = project.trials()
    assert sorted(row.id for row in rows) == list(range(n))
    assert sorted(row.order or 0 for row in rows) == list(range(1, n + 1))
    assert {row.state for row in rows} == {"completed"}
    _unchanged(seen, project.finished())
    assert all(_starts(project)[id] == starts[id] for id in map(str, seen))
    assert all(_starts(project)[str(row.id)] <= row.attempt for row in rows)
    assert decisions(project.finished()) == decisions(calm.finished())
    assert set(project.states().values()) == {"completed"}
    assert project.processes() == []


def _starts(project: Project) -> Counter[str]:
    """How often each trial began."""
    file = project.folder / "started.txt"
    return Counter(file.read_text("utf-8").split()) if file.exists() else Counter()


def test_a_driver_that_was_killed_is_not_the_trials_fault(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attempts that ended with the driver do not count as attempts whose worker was lost."""
    from automl_cli.executors.inline import InlineExecutor

    project.recipe(budget="{trials: 1}", run="{executor: inline, retries: 1}")
    with monkeypatch.context() as patch:
        patch.setattr(InlineExecutor, "completed", _die)
        for _ in range(5):
            with pytest.raises(MemoryError):
                project("run", "recipe.yaml")
    calls: list[int] = []

    def completed(executor: InlineExecutor, timeout: float | None) -> list[object]:
        calls.append(1)
        request = executor._waiting[0]
        if len(calls) > 1:
            return original(executor, timeout)
        executor._waiting.popleft()
        from automl_cli.trials import TrialResult

        return [TrialResult(request.trial_id, request.attempt, "lost", {}, "the worker left", 0.0)]

    original = InlineExecutor.completed
    monkeypatch.setattr(InlineExecutor, "completed", completed)
    assert project("run", "recipe.yaml").code == 0
    (row,) = project.trials()
    assert (row.state, row.attempt) == ("completed", 7)


def _die(*_: object) -> None:
    raise MemoryError


# The driver is interrupted ----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "pool"])
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_search_says_how_to_go_on(
    sign: signal.Signals, executor: str, project: Project
) -> None:
    """Exit code 130, no process left, and the line that it prints finishes the search."""
    project.recipe(**SLOW, budget="{trials: 30}", run=f"{{executor: {executor}, workers: 2}}")
    with project.start("run", "recipe.yaml", "--seed", "7") as driver:
        project.wait_for(5, driver)
        if sign is signal.SIGINT:  # as a terminal does: to everything in the foreground
            os.killpg(driver.pid, sign)
        else:
            driver.send_signal(sign)
        _, err = driver.communicate(timeout=20)
    assert driver.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert project.states() == {"recipe-random-7": "interrupted"}
    seen = project.finished()
    assert 5 <= len(seen) < 30
    assert _gone(project)

    (line,) = [x for x in err.splitlines() if x.startswith("resume: ")]
    name, *arguments = shlex.split(line.removeprefix("resume: "))
    assert name == "automl"
    assert project.run(*arguments).code == 0
    _unchanged(seen, project.finished())
    assert [row.state for row in project.trials()] == ["completed"] * 30


def _gone(project: Project) -> bool:
    """Whether everything that worked in the folder ends within a second."""
    deadline = time.monotonic() + 1
    while project.processes() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not project.processes()


@pytest.mark.slow
def test_a_second_driver_is_refused(project: Project) -> None:
    """It is told which process runs the study, and changes nothing about it."""
    project.recipe(**SLOW, budget="{trials: 500}")
    with project.start("run", "recipe.yaml") as first:
        project.wait_for(2, first)
        for arguments in ([], ["--accept-changes", "-a", EVOLUTION, "--study", "recipe-random-0"]):
            code, out, err = project("run", "recipe.yaml", *arguments)
            assert code == 2
            assert f"process {first.pid} is running this study" in err
            assert out == ""
        assert project("run", "recipe.yaml", "--new", "-n", "2").code == 0
        assert project.states() == {"recipe-random-0": "running", "recipe-random-0-2": "completed"}
        first.terminate()
        first.communicate(timeout=20)
    assert first.returncode == 130


# Studies that change ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (["--set", "program.depth=3"], "program"),
        (["--set", "space=[{at: lr, replace: !floatv [0.01, 1.0, log]}]"], "space"),
        (["--algorithm", "{name: evolution, population: 10}"], "algorithm"),
        (["--set", "objective={minimize: score}"], "objective"),
        (["--seed", "1"], "seed"),
    ],
    ids=["program", "space", "algorithm", "objective", "seed"],
)
def test_a_changed_study_is_not_resumed_by_accident(
    change: list[str], word: str, project: Project
) -> None:
    """It is refused with the word for what changed; `--new` starts another one."""
    project.recipe()
    assert project("run", "recipe.yaml", "--study", "mine").code == 0
    before = project.trials()
    code, out, err = project("run", "recipe.yaml", "--study", "mine", *change)
    assert (code, out) == (2, "")
    assert f"with another {word}" in err or f", {word}" in err
    assert "--accept-changes" in err
    assert project.trials() == before
    assert project.states() == {"mine": "completed"}

    assert project("run", "recipe.yaml", "--study", "mine", "--new", *change).code == 0
    assert set(project.states()) == {"mine", "mine-2"}


def test_accepted_changes_go_on(project: Project) -> None:
    """The trials that there are count, and the new space is searched; afterwards it is the old."""
    project.recipe()
    assert project("run", "recipe.yaml", "--study", "mine").code == 0
    before = project.finished()
    wider = "space=[{at: lr, replace: !floatv [0.001, 9.0]}, {at: depth, replace: !intv [1, 9]}]"
    change = ["--set", wider, "--study", "mine", "-n", "9"]
    assert project("run", "recipe.yaml", *change, "--accept-changes").code == 0
    _unchanged(before, project.finished())
    assert len(project.finished()) == 9
    assert project("run", "recipe.yaml", *change).code == 0, "it is accepted once and for all"


def test_changes_that_recorded_trials_do_not_fit_are_refused(project: Project) -> None:
    """And the study stays as it was, so that it can be read and gone on with."""
    project.recipe()
    assert project("run", "recipe.yaml", "--study", "mine").code == 0
    narrow = ["--set", "space=[{at: depth, replace: !intv [1, 4]}]", "--study", "mine"]
    code, _, err = project("run", "recipe.yaml", *narrow, "--accept-changes")
    assert code == 2
    assert "does not fit the space any more" in err
    assert "--new" in err
    assert project("best", "mine").code == 0
    assert project("run", "recipe.yaml", "--study", "mine", "-n", "6").code == 0


def test_more_trials_extend_a_study(project: Project) -> None:
    """`--trials` is the number in all; fewer than there are is nothing to do."""
    project.recipe()
    assert project("run", "recipe.yaml", "--trials", "10").code == 0
    ten = project.finished()
    assert len(ten) == 10
    assert project("run", "recipe.yaml", "--trials", "20").code == 0
    _unchanged(ten, project.finished())
    assert len(project.finished()) == 20
    assert project("run", "recipe.yaml", "--trials", "5").code == 0
    assert len(project.trials()) == 20


def test_study_names_share_no_folder(project: Project) -> None:
    """Whatever a study is called, its files lie in a folder of its own below `.automl`."""
    from automl_cli.studies import study_folder

    names = ["a/b", "a-b", "..", "../..", ".hidden", "x" * 300, "ünï", "a b", "recipe-random-0"]
    folders = [study_folder(name) for name in names]
    assert len({*folders}) == len(names)
    assert all(f.parent == project.folder / ".automl" / "studies" for f in folders)
    assert all(len(f.name) < 200 and not f.name.startswith(".") for f in folders)
    assert study_folder("recipe-random-0").name == "recipe-random-0"


# The algorithm fails ---------------------------------------------------------------------------

PLUGIN = '''"""An algorithm that fails."""

from automl_algorithms.contract import Algorithm


class Broken(Algorithm):
    """Fails at one thing."""

    def __init__(self, *, at: str) -> None:
        self.at = at
        self.fail("start")

    def fail(self, at: str, when: bool = True) -> None:
        if when and self.at == at:
            raise ZeroDivisionError("bad arithmetic")

    def setup(self, space, objectives, seed) -> None:
        super().setup(space, objectives, seed)
        self.fail("setup")

    def propose(self, trial_id, rng):
        self.fail("propose", trial_id == 3)
        return None if self.at == "nothing" and trial_id == 3 else self.space.sample(rng)

    def restore(self, trial_id, decisions) -> None:
        self.fail("restore", trial_id == 2)

    def feedback(self, observation) -> None:
        self.fail("feedback", observation.trial_id == 2)
'''


@pytest.fixture
def plugin(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with an algorithm of another package, which fails when it is told to."""
    project.write("plugin.py", PLUGIN)
    entry = catalogue.Entry("broken", "plugin", "plugin", "Broken", None)
    monkeypatch.setattr(catalogue, "_plugins", lambda: {"broken": entry})
    monkeypatch.syspath_prepend(project.folder)
    return project


@pytest.mark.parametrize(
    ("at", "recorded"), [("propose", 3), ("nothing", 3), ("feedback", 3), ("restore", None)]
)
def test_an_algorithm_that_fails_stops_cleanly(
    at: str, recorded: int | None, plugin: Project
) -> None:
    """Exit code 1, one message, the traceback in a file, and every result is kept."""
    plugin.recipe(algorithm=f"{{name: broken, at: {at}}}", budget="{trials: 8}")
    code, out, err = plugin("run", "recipe.yaml")
    if at == "restore":  # it is only told so when the search goes on
        assert code == 0
        code, out, err = plugin("run", "recipe.yaml", "-n", "9")
        recorded = 8
    assert (code, out) == (1, "")
    (line,) = [x for x in err.splitlines() if "the algorithm broken failed" in x]
    assert at == "nothing" or "ZeroDivisionError: bad arithmetic" in line
    assert "Traceback" not in err
    details = Path(line.partition("details in ")[2].partition(";")[0])
    assert "Traceback" in details.read_text("utf-8")
    assert plugin.states() == {f"recipe-broken-at={at}-0": "failed"}
    assert len(plugin.finished()) == recorded


@pytest.mark.parametrize("at", ["start", "setup"])
def test_an_algorithm_that_does_not_start_writes_nothing(at: str, plugin: Project) -> None:
    """It fails before there is a study."""
    plugin.recipe(algorithm=f"{{name: broken, at: {at}}}")
    code, out, err = plugin("run", "recipe.yaml")
    assert (code, out) == (1, "")
    assert "the algorithm broken failed to start: ZeroDivisionError: bad arithmetic" in err
    assert "Traceback" not in err
    assert not (plugin.folder / ".automl").exists()


# The ledger is broken --------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["run", "recipe.yaml"], ["best"], ["list", "studies"]])
@pytest.mark.parametrize("damage", ["text", "zeros", "cut"])
def test_a_damaged_ledger_is_told(damage: str, command: list[str], project: Project) -> None:
    """A message with the file's name, exit code 2, and the file is left as it is."""
    project.recipe()
    assert project("run", "recipe.yaml").code == 0
    file = project.folder / ".automl" / "ledger.db"
    data = file.read_bytes()
    broken = {
        "text": b"not a ledger at all\n" * 500,
        "zeros": data[:4096] + bytes(len(data) - 4096),
        "cut": data[: len(data) // 2],
    }
    file.write_bytes(broken[damage])
    code, out, err = project(*command)
    assert (code, out) == (2, "")
    assert "ledger.db" in err
    assert "Traceback" not in err
    assert file.read_bytes() == broken[damage]


def test_the_database_of_another_program_is_not_touched(project: Project) -> None:
    """An SQLite file of somebody else in the ledger's place is refused."""
    import contextlib
    import sqlite3

    project.recipe()
    file = project.write(".automl/ledger.db", "")
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE mine (x)")
    before = file.read_bytes()
    code, _, err = project("run", "recipe.yaml")
    assert code == 2
    assert "another program" in err
    assert file.read_bytes() == before


def test_a_reader_that_goes_away_is_no_error(project: Project) -> None:
    """`automl list | head -1` ends without a word."""
    with project.start("list", "--json") as process:
        assert process.stdout is not None
        process.stdout.close()
        err = process.stderr.read() if process.stderr else ""
    assert (process.returncode, err) == (0, "")
