"""The Ray executor, on a real local cluster: what dies costs one trial, and nothing is left."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from automl_cli.executors import create
from automl_cli.executors.ray import RayExecutor
from automl_cli.trials import Report, TrialResult
from automl_spaces.errors import UserError
from tests.automl_cli import faults
from tests.automl_cli.faults import alive, request, wait_until
from tests.automl_cli.test_executors import SETTING, collect, pids, run

pytestmark = pytest.mark.slow  # Ray takes five seconds to start


@pytest.fixture(scope="module")
def ray() -> Iterator[RayExecutor]:
    """An executor that all tests of this module mistreat."""
    executor = create("ray", SETTING, slots=2, timeout=5.0, memory=1.0)
    assert isinstance(executor, RayExecutor)
    executor.warm()
    yield executor
    executor.close()


def test_reports_come_before_the_result(ray: RayExecutor, tmp_path: Path) -> None:
    """In order, and every one of them; a trial that writes nothing leaves no folder."""
    ray.submit(request(faults.reporter(steps=50), tmp_path, 4))
    *reports, result = collect(ray, 1)
    assert [r.step for r in reports if isinstance(r, Report)] == [*range(50)]
    assert reports[1] == Report(4, 1, 1, {"reward": 1.0, "loss": 0.5})
    assert isinstance(result, TrialResult)
    assert (result.state, result.metrics["reward"]) == ("completed", 50.0)
    assert ray.completed(None) == []
    assert ray.completed(0) == []
    assert not (tmp_path / "4").exists()


def test_a_trial_knows_what_it_knows_elsewhere(ray: RayExecutor, tmp_path: Path) -> None:
    """Seed, budget and decisions; it leads a process group and has its share of threads."""
    fields = {"seed": 11, "budget": 0.5, "decisions": {"rate": 0.125}}
    ray.submit(request(faults.environment(), tmp_path, 1, **fields))
    (event,) = collect(ray, 1)
    assert isinstance(event, TrialResult)
    metrics = event.metrics
    assert (metrics["seed"], metrics["budget"], metrics["rate"]) == (11.0, 0.5, 0.125)
    assert metrics["random"] == 0.4523795535098186  # random.Random(11).random()
    assert (metrics["threads"], metrics["group"], metrics["shipped"]) == (1.0, 1.0, 1.0)


def test_a_dead_worker_costs_one_trial(
    ray: RayExecutor, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The trials beside and after it are unaffected, and Ray says nothing of it."""
    programs = (faults.suicide(), faults.leaver(code=0), faults.segfault(), faults.raiser())
    fine = faults.nap(seconds=0.3), *[faults.constant()] * 4
    results = run(ray, tmp_path, *programs, *fine)
    assert [r.state for r in results] == [*["lost"] * 3, "failed", *["completed"] * 5]
    assert all(r.reason.startswith("the worker died") for r in results[:3])
    assert results[3].reason.startswith("ValueError: bad luck")
    time.sleep(0.5)  # Ray tells of deaths from a thread
    assert capfd.readouterr() == ("", "")


def test_pruned_and_hungry(ray: RayExecutor, tmp_path: Path) -> None:
    """What ends early is worth what it reported; too much memory is the trial's own fault."""
    pruned, hungry = run(ray, tmp_path, faults.reporter(prune_at=1), faults.hungry(gigabytes=8.0))
    assert (pruned.state, pruned.metrics) == ("pruned", {"reward": 1.0, "loss": 0.5})
    assert (hungry.state, hungry.reason) == ("failed", "out of memory (limit 1.0 GB)")


def test_a_timeout_kills_the_worker_and_its_children(ray: RayExecutor, tmp_path: Path) -> None:
    """Though the program ignores SIGTERM; the trial beside it goes on."""
    program = faults.parent(file=str(tmp_path / "p"), stubborn=True)
    hung, fine = run(ray, tmp_path, program, faults.nap(seconds=0.2))
    assert (hung.state, hung.reason) == ("failed", "timeout (limit 5 s)")
    assert 5.0 <= hung.seconds < 15.0
    assert fine.state == "completed"
    assert wait_until(lambda: not any(map(alive, pids(tmp_path / "p"))), 5.0)


def test_options_that_cannot_be() -> None:
    """Before Ray is started."""
    for options in ({"slots": 0}, {"timeout": 0}, {"memory": -1.0}, {"gpus": -1}, {"threads": 0}):
        with pytest.raises(UserError, match=r"executor ray: .* must"):
            create("ray", SETTING, **options)


KILLED = """
import sys
from pathlib import Path
from automl_cli.executors import create
from automl_cli.worker import Setting
from tests.automl_cli import faults

ray = create("ray", Setting(("reward",), (faults.NAME,), (faults.ROOT,)), slots=2)
folder = Path(sys.argv[1])
for number in (1, 2):
    ray.submit(faults.request(faults.parent(file=str(folder / f"pids{number}")), folder, number))
ray.completed({wait})
ray.close(kill=True)
"""


@pytest.mark.parametrize("kill", [False, True])
def test_nothing_is_left_behind(kill: bool, tmp_path: Path) -> None:
    """Of a driver that closes without waiting, and of one that is killed."""
    script = KILLED.replace("{wait}", "None" if kill else "2.0")
    line = [sys.executable, "-c", script, str(tmp_path)]
    environment = {"PYTHONPATH": faults.ROOT, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    with subprocess.Popen(line, env=environment) as driver:
        for number in (1, 2):
            assert wait_until((tmp_path / f"pids{number}").exists, 60.0)
        processes = {pid for number in (1, 2) for pid in pids(tmp_path / f"pids{number}")}
        if kill:
            driver.kill()
    assert len(processes) == 4
    assert wait_until(lambda: not any(map(alive, processes)), 20.0)


def test_a_search_by_the_command_line(tmp_path: Path) -> None:
    """All trials are in the ledger, once, and standard output is JSON."""
    line = [sys.executable, "-m", "automl_cli", "run", "function", "-a", "random", "--no-mlflow"]
    line += ["--executor", "ray", "--workers", "2", "--trials", "12", "--json", "--study", "s"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"]["completed"] == 12
    with sqlite3.connect(tmp_path / ".automl" / "ledger.db") as ledger:
        states = ledger.execute("select id, state, attempt from trials order by id").fetchall()
    ledger.close()
    assert states == [(number, "completed", 1) for number in range(12)]
