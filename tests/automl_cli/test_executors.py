"""Executors: one dying trial costs nobody else anything, and nothing is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automl_cli.executors import Executor, create, names
from automl_cli.executors.inline import InlineExecutor
from automl_cli.executors.pool import PoolExecutor
from automl_cli.trials import Report, TrialResult
from automl_cli.worker import Setting
from automl_spaces.errors import AutomlError, UserError
from automl_spaces.registry import symbolize
from tests.automl_cli import faults
from tests.automl_cli.faults import alive, request, wait_until

QUICK = [
    name for name in names() if name != "ray"
]  # which takes seconds to start: a file of its own
SETTING = Setting(metrics=("reward",), imports=(faults.NAME,), sys_path=(faults.ROOT,))

DRIVER = """
import sys
from pathlib import Path
from automl_cli.executors import create
from automl_cli.worker import Setting
from tests.automl_cli import faults

pool = create("pool", Setting(("reward",), (faults.NAME,)), slots=2)
pool.warm()
folder = Path(sys.argv[1])
for number in (1, 2):
    pool.submit(faults.request(faults.parent(file=str(folder / f"pids{number}")), folder, number))
print(*pool._roster.pids, flush=True)
pool.completed(None)
"""


def make_pool(**options: Any) -> PoolExecutor:
    """A pool that knows the programs of `faults`."""
    pool = create("pool", SETTING, **{"slots": 2, **options})
    assert isinstance(pool, PoolExecutor)
    return pool


@pytest.fixture(scope="module")
def pool() -> Iterator[PoolExecutor]:
    """A pool that all tests of this module mistreat."""
    pool = make_pool()
    yield pool
    pool.close()


@pytest.fixture
def inline() -> InlineExecutor:
    """An inline executor."""
    return InlineExecutor(SETTING)


def collect(executor: Executor, results: int, seconds: float = 30.0) -> list[TrialResult | Report]:
    """Everything up to a number of results."""
    happened: list[TrialResult | Report] = []
    deadline = time.monotonic() + seconds
    while sum(isinstance(event, TrialResult) for event in happened) < results:
        assert time.monotonic() < deadline, f"only {happened}"
        happened += executor.completed(1.0)
    return happened


def run(executor: Executor, folder: Path, *programs: Any) -> list[TrialResult]:
    """The results of programs that are submitted at once, by trial id."""
    for number, program in enumerate(programs, 1):
        executor.submit(request(program, folder, number))
    events = collect(executor, len(programs))
    return sorted(event for event in events if isinstance(event, TrialResult))


def pids(file: Path) -> list[int]:
    """What `faults.parent` wrote."""
    assert wait_until(file.exists)
    return [int(pid) for pid in file.read_text().split()]


# Both


@pytest.mark.parametrize("name", QUICK)
def test_reports_come_before_the_result(name: str, tmp_path: Path) -> None:
    """In order, and every one of them."""
    executor = create(name, SETTING)
    executor.submit(request(faults.reporter(steps=50), tmp_path, 4))
    *reports, result = collect(executor, 1)
    assert [r.step for r in reports if isinstance(r, Report)] == [*range(50)]
    assert reports[1] == Report(4, 1, 1, {"reward": 1.0, "loss": 0.5})
    assert isinstance(result, TrialResult)
    assert (result.state, result.metrics["reward"]) == ("completed", 50.0)
    assert executor.completed(None) == []
    assert executor.completed(0) == []
    executor.close()
    executor.close()
    assert not (tmp_path / "4").exists()


@pytest.mark.parametrize("name", QUICK)
def test_a_pruned_trial_is_worth_what_it_reported_last(name: str, tmp_path: Path) -> None:
    """It is no failure."""
    executor = create(name, SETTING)
    (result,) = run(executor, tmp_path, faults.reporter(prune_at=1))
    assert (result.state, result.reason) == ("pruned", "the median is better")
    assert result.metrics == {"reward": 1.0, "loss": 0.5}
    executor.close()


@pytest.mark.parametrize("name", QUICK)
def test_the_same_seed_gives_the_same_trial_everywhere(name: str, tmp_path: Path) -> None:
    """A trial knows its seed, its budget and its decisions, whoever runs it."""
    executor = create(name, SETTING)
    fields = {"seed": 11, "budget": 0.5, "decisions": {"rate": 0.125}}
    for number in (1, 2):
        executor.submit(request(faults.environment(), tmp_path, number, **fields))
    for event in collect(executor, 2):
        assert isinstance(event, TrialResult)
        metrics = event.metrics
        assert metrics["shipped"] or name == "inline"
        assert (metrics["seed"], metrics["budget"], metrics["rate"]) == (11.0, 0.5, 0.125)
        assert metrics["random"] == 0.4523795535098186  # random.Random(11).random()
        if name == "pool":
            assert (metrics["threads"], metrics["group"]) == (1.0, 1.0)
    executor.close()


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (faults.returner("nan"), "reward is nan"),
        (faults.returner("text"), "returned a str, expected a number or a dict with reward"),
        (faults.returner("none"), "returned None, expected a number or a dict with reward"),
        (faults.raiser(), "ValueError: bad luck"),
        (faults.quitter(), "SystemExit: 4"),
    ],
)
def test_a_bad_trial_fails_with_a_reason(
    name: str, program: Any, reason: str, tmp_path: Path, pool: PoolExecutor
) -> None:
    """The first line says it."""
    executor = pool if name == "pool" else create(name, SETTING)
    (result,) = run(executor, tmp_path, program)
    assert (result.state, result.metrics) == ("failed", {})
    assert result.reason.splitlines()[0] == reason


def test_unknown_names_and_options_are_refused() -> None:
    """With the nearest one."""
    assert {"inline", "pool"} <= set(names())
    with pytest.raises(UserError, match="did you mean pool"):
        create("pol", SETTING)
    with pytest.raises(UserError, match=r"no option timout.*did you mean timeout"):
        create("pool", SETTING, timout=3)
    with pytest.raises(UserError, match="inline has no option memory"):
        create("inline", SETTING, memory=1.0)
    for options in ({"slots": 0}, {"timeout": 0}, {"memory": -1.0}, {"lookahead": -1}):
        with pytest.raises(UserError, match="must be"):
            create("pool", SETTING, **options)


# Inline


def test_inline_adds_next_to_nothing(inline: InlineExecutor, tmp_path: Path) -> None:
    """About 10 microseconds a trial; the bound is wide because test machines are busy."""
    requests = [request(faults.constant(), tmp_path, number) for number in range(1, 1001)]
    start = time.process_time()
    for each in requests:
        inline.submit(each)
        inline.completed(None)
    assert (time.process_time() - start) / 1000 < 0.2e-3
    assert [*tmp_path.iterdir()] == []


def test_inline_timeout_ends_the_trial(tmp_path: Path) -> None:
    """And the next one has its full time again."""
    executor = create("inline", SETTING, timeout=0.2)
    start = time.monotonic()
    late, fine = run(executor, tmp_path, faults.nap(seconds=10.0), faults.nap(seconds=0.05))
    assert time.monotonic() - start < 2.0
    assert (late.state, late.reason) == ("failed", "timeout (limit 0.2 s)")
    assert (fine.state, fine.metrics) == ("completed", {"reward": 0.05})
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


def test_inline_timeout_needs_the_main_thread() -> None:
    """A promise that cannot be kept is not made."""
    caught: list[UserError] = []

    def make() -> None:
        try:
            create("inline", SETTING, timeout=1.0)
        except UserError as error:
            caught.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    assert "main thread" in str(caught[0])


def test_ctrl_c_passes_through_inline(inline: InlineExecutor, tmp_path: Path) -> None:
    """It is the driver's to handle, not the trial's fault."""
    inline.submit(request(faults.suicide(signal_number=int(signal.SIGINT)), tmp_path))
    with pytest.raises(KeyboardInterrupt):
        inline.completed(None)


# Pool: deaths


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (faults.suicide(), "the worker was killed by SIGKILL: out of memory, or killed by"),
        (faults.segfault(), "the worker was killed by SIGSEGV"),
        (faults.leaver(code=3), "the worker left with exit code 3"),
        (faults.leaver(code=0), "the worker left with exit code 0"),
    ],
)
def test_a_dead_worker_costs_one_trial(
    program: Any, reason: str, tmp_path: Path, pool: PoolExecutor
) -> None:
    """The trials beside and after it are unaffected."""
    beside = faults.nap(seconds=0.6)
    results = run(pool, tmp_path, program, beside, *[faults.nap(seconds=0.02)] * 6)
    assert [r.state for r in results] == ["lost", *["completed"] * 7]
    assert results[0].reason.startswith(reason)
    assert results[0].seconds < 3.0


def test_a_crash_leaves_its_log(tmp_path: Path, pool: PoolExecutor) -> None:
    """What it printed, and where it crashed."""
    run(pool, tmp_path, faults.segfault())
    log = (tmp_path / "1.log").read_text()
    assert "about to crash" in log
    assert "Segmentation fault" in log
    assert "faults.py" in log


def test_output_goes_to_the_log_and_not_to_the_terminal(
    tmp_path: Path, pool: PoolExecutor, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of Python, of standard error, of child processes; a silent trial leaves no folder."""
    run(pool, tmp_path, faults.talker(text="first"), faults.constant(), faults.talker(text="third"))
    assert capfd.readouterr() == ("", "")
    for number, text in ((1, "first"), (3, "third")):
        lines = (tmp_path / f"{number}.log").read_text().splitlines()
        assert sorted(lines) == sorted([text, text.upper(), f"{text} from a child"])
    assert not (tmp_path / "2").exists()


def test_an_idle_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    """Pebble gives up its pool then; the trials that follow get a new one."""
    pool = make_pool()
    pool.warm()
    for pid in pool._roster.pids:
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.5)
    results = run(pool, tmp_path, *[faults.constant()] * 4)
    states = [result.state for result in results]
    assert set(states) <= {"completed", "lost"}  # a trial may have been handed to the broken pool
    assert [r.state for r in run(pool, tmp_path, *[faults.constant()] * 4)] == ["completed"] * 4
    pool.close()


@pytest.mark.slow
def test_a_lock_taken_to_the_grave_is_noticed(tmp_path: Path) -> None:
    """A worker killed with the queue's lock in hand: nobody else could fetch a trial."""
    pool = make_pool()
    pool.warm()
    assert pool._pool is not None
    channel = pool._pool._pool_manager.worker_manager.workers_channel
    assert channel is not None
    assert channel.mutex.acquire(timeout=5)  # and never released, as by a worker that died
    results = run(pool, tmp_path, faults.constant(), faults.constant())
    assert [(r.state, r.reason) for r in results] == [
        ("lost", "the pool of workers broke down")
    ] * 2
    assert [r.state for r in run(pool, tmp_path, *[faults.constant()] * 4)] == ["completed"] * 4
    pool.close()


def test_checkpoints_outlive_the_process(tmp_path: Path, pool: PoolExecutor) -> None:
    """A second attempt finds what the first one kept."""
    for attempt in (1, 2):
        pool.submit(request(faults.keeper(), tmp_path, attempt=attempt))
        (event,) = collect(pool, 1)
        assert isinstance(event, TrialResult)
        assert (event.attempt, event.metrics) == (attempt, {"reward": float(attempt)})


# Pool: limits


def test_a_timeout_kills_the_worker_and_its_children(tmp_path: Path) -> None:
    """In time, also when the program ignores SIGTERM; the trial beside it goes on."""
    pool = make_pool(timeout=0.5)
    pool.warm()
    start = time.monotonic()
    hung, fine = run(pool, tmp_path, faults.parent(file=str(tmp_path / "p")), faults.nap(0.3))
    assert time.monotonic() - start < 2.0
    assert (hung.state, hung.reason) == ("failed", "timeout (limit 0.5 s)")
    assert 0.5 <= hung.seconds < 2.0
    assert fine.state == "completed"
    assert wait_until(lambda: not any(map(alive, pids(tmp_path / "p"))), 2.0)
    pool.close()


def test_leaving_before_the_timeout_is_no_timeout(tmp_path: Path) -> None:
    """Exit code 0 is what pebble does not notice, so that the time runs on."""
    pool = make_pool(timeout=0.5, slots=1)
    (result,) = run(pool, tmp_path, faults.leaver(code=0))
    assert (result.state, result.reason) == ("lost", "the worker left with exit code 0")
    pool.close()


def test_a_stubborn_trial_is_killed_too(tmp_path: Path) -> None:
    """SIGTERM is ignored, SIGKILL follows."""
    pool = make_pool(timeout=0.3, slots=1)
    program = faults.parent(file=str(tmp_path / "p"), stubborn=True)
    hung, fine = run(pool, tmp_path, program, faults.constant())
    assert (hung.state, fine.state) == ("failed", "completed")
    assert wait_until(lambda: not any(map(alive, pids(tmp_path / "p"))), 2.0)
    pool.close()


def test_too_much_memory_fails_the_trial_alone(tmp_path: Path) -> None:
    """With the limit in the reason; the worker lives on."""
    pool = make_pool(memory=0.5)
    hungry, fine = run(pool, tmp_path, faults.hungry(gigabytes=2.0), faults.hungry(gigabytes=0.1))
    assert (hungry.state, hungry.reason) == ("failed", "out of memory (limit 0.5 GB)")
    assert fine.state == "completed"
    pool.close()


def test_reports_stream_while_the_trial_runs(tmp_path: Path) -> None:
    """And `close(kill=True)` does not wait for it."""
    pool = make_pool(slots=1)
    pool.submit(request(faults.slow_reporter(), tmp_path))
    assert pool.completed(10.0) == [Report(1, 1, 1, {"reward": 0.25})]
    assert pool.completed(0.05) == []
    start = time.monotonic()
    pool.close(kill=True)
    assert time.monotonic() - start < 2.0
    assert pool.completed(None) == []


def test_a_program_that_cannot_be_written_down_is_refused(
    pool: PoolExecutor, tmp_path: Path
) -> None:
    """In the driver, before anything is queued."""

    def constant() -> float:
        """Has the name of another program, and lies where nobody can import it from."""
        return 1.0

    with pytest.raises(UserError, match="cannot be written down"):
        pool.submit(request(symbolize(constant)(), tmp_path))
    assert pool.completed(0) == []


def test_a_module_that_cannot_be_imported_fails_the_trial(tmp_path: Path) -> None:
    """The reason names it."""
    module = tmp_path / "broken_programs.py"
    module.write_text("def train() -> float:\n    return 1.0\n")
    sys.path.insert(0, str(tmp_path))
    import broken_programs  # type: ignore[import-not-found]

    program = symbolize(broken_programs.train)()
    sys.path.remove(str(tmp_path))
    module.write_text("raise RuntimeError('no luck')\n")
    setting = Setting(("reward",), ("broken_programs",), (str(tmp_path),))
    pool = create("pool", setting, slots=1)
    (result,) = run(pool, tmp_path, program)
    assert result.state == "failed"
    assert "cannot import broken_programs: RuntimeError: no luck" in result.reason
    pool.close()


def test_workers_that_cannot_start_are_one_clear_error(tmp_path: Path) -> None:
    """A module that takes the process down with it when it is imported."""
    (tmp_path / "deadly.py").write_text("import os\nos._exit(5)\n")
    pool = create("pool", Setting(("reward",), ("deadly",), (str(tmp_path),)), slots=1)
    with pytest.raises(AutomlError, match=r"do not start.*does python -c 'import deadly' work"):
        pool.warm()


# Pool: nothing is left


def test_close_waits_for_trials_and_keeps_their_results(tmp_path: Path) -> None:
    """All processes are gone then, children of finished trials too."""
    pool = make_pool()
    for number in (1, 2):
        program = faults.parent(file=str(tmp_path / f"p{number}"), seconds=0.2)
        pool.submit(request(program, tmp_path, number))
    pool.submit(request(faults.constant(), tmp_path, 3))
    workers = {pid for number in (1, 2) for pid in pids(tmp_path / f"p{number}")}
    pool.close()
    results = [event for event in pool.completed(0) if isinstance(event, TrialResult)]
    assert sorted(result.trial_id for result in results) == [1, 2, 3]
    assert {result.state for result in results} == {"completed"}
    assert wait_until(lambda: not any(map(alive, workers)), 2.0)
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit(request(faults.constant(), tmp_path))


def test_close_kill_leaves_no_process(tmp_path: Path) -> None:
    """Neither workers nor their children; at once."""
    pool = make_pool()
    for number in (1, 2):
        pool.submit(request(faults.parent(file=str(tmp_path / f"p{number}")), tmp_path, number))
    processes = {pid for number in (1, 2) for pid in pids(tmp_path / f"p{number}")}
    assert all(map(alive, processes))
    start = time.monotonic()
    pool.close(kill=True)
    assert time.monotonic() - start < 2.0
    assert wait_until(lambda: not any(map(alive, processes)), 2.0)


def test_a_killed_driver_leaves_no_process(tmp_path: Path) -> None:
    """SIGKILL gives it no chance to clean up: the workers notice by themselves."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([faults.ROOT, *sys.path])}
    command = [sys.executable, "-c", DRIVER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as driver:
        assert driver.stdout is not None
        workers = {int(pid) for pid in driver.stdout.readline().split()}
        processes = {pid for number in (1, 2) for pid in pids(tmp_path / f"pids{number}")}
        assert len(workers) == 2
        assert workers < processes
        assert all(map(alive, processes))
        driver.kill()
    assert wait_until(lambda: not any(map(alive, processes)), 3.0)


def test_short_trials_keep_the_workers_busy(tmp_path: Path) -> None:
    """One more trial than there are workers waits in the queue, and needs no word of the driver."""
    pool = make_pool()
    pool.warm()
    run(pool, tmp_path, faults.constant())
    assert pool.capacity == 3  # trials are short
    written = [tmp_path / f"written{number}" for number in range(pool.capacity)]
    for number, file in enumerate(written, 2):
        pool.submit(request(faults.writer(file=str(file)), tmp_path, number))
    assert wait_until(lambda: all(file.exists() for file in written))
    assert len(collect(pool, len(written))) == len(written)
    pool.close()
