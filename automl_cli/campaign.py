"""`automl run --seeds 500`: the same search from many seeds, each a study of its own.

Trials that run inline (tables, plain functions) leave the other cores idle, so then whole studies
run side by side, in processes of their own; where supernets are trained in the driver, they follow
each other. The ledger has one writer: each process records
its studies in a ledger of its own, a *part*, and the driver takes finished parts over. Parts that
a killed campaign left are taken over when the next one starts, and their studies are resumed.
"""

from __future__ import annotations

import copy
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from automl_cli import studies
from automl_cli.checks import shares_weights
from automl_cli.display import say
from automl_cli.errors import INTERRUPTED
from automl_cli.formats import duration, number
from automl_cli.ledger import Ledger
from automl_cli.ledger_lock import hold
from automl_cli.recipe import Recipe, load_recipe
from automl_cli.search import Search
from automl_cli.session import Session, make_executor
from automl_spaces.errors import UserError

_LONGEST: Final = 25  # studies in one part: what a kill makes the next start resume one by one


class Order(NamedTuple):
    """What `load_recipe` is given, as the command line gave it: plain data for other processes."""

    recipe: str
    algorithm: str | None
    space: Sequence[str]
    settings: Sequence[str]

    def load(self) -> Recipe:
        """Read and check the recipe."""
        name, algorithm, space, settings = self
        return load_recipe(name, algorithm=algorithm, space=space, settings=settings)


class Outcome(NamedTuple):
    """Of one study: its state, its number of trials, the best value of the first objective."""

    state: str
    trials: int
    best: float | None


def run_campaign(order: Order, seeds: Sequence[int], resume_line: str, *, as_json: bool) -> int:
    """Run a recipe from every seed; returns the exit code.

    Raises:
        UserError: a mistake in the recipe, or another campaign runs in this folder.
    """
    recipe = order.load()
    Search.of(recipe)
    side_by_side = recipe.run["executor"] == "inline" and not shares_weights(recipe)
    with Ledger(studies.ledger_path()) as ledger, _alone(ledger):
        _absorb(ledger)
        known = {s.name: s for s in ledger.studies()}
    again = [s for s in seeds if studies.default_name(_seeded(recipe, s)) in known]
    fresh = [s for s in seeds if s not in set(again)] if side_by_side else []
    code = 0
    for seed in again if side_by_side else seeds:
        each = _seeded(recipe, seed)
        study = known.get(studies.default_name(each))
        if study is not None and study.state == "completed" and study.recipe == studies.text(each):
            continue
        code = max(code, Session(each, as_json=as_json).run(resume_line))
        if code == INTERRUPTED:
            return code
    if fresh:
        code = max(code, _side_by_side(order, recipe, fresh, resume_line))
    return code


def _seeded(recipe: Recipe, seed: int) -> Recipe:
    other = copy.copy(recipe)
    other.seed = seed
    return other


# Side by side ---------------------------------------------------------------------------------


def _side_by_side(order: Order, recipe: Recipe, seeds: Sequence[int], resume_line: str) -> int:
    from pebble import ProcessPool

    workers = min(recipe.run["workers"] or len(os.sched_getaffinity(0)), len(seeds))
    size = max(1, min(_LONGEST, len(seeds) // (4 * workers)))
    chunks = [seeds[i : i + size] for i in range(0, len(seeds), size)]
    tally = _Tally(recipe, len(seeds))
    pool = ProcessPool(
        workers,
        initializer=_start_worker,
        initargs=(os.getpid(),),
        context=multiprocessing.get_context("spawn"),
    )
    with Ledger(studies.ledger_path()) as ledger, _alone(ledger):
        try:
            waiting: deque[Future[list[Outcome]]] = deque(
                pool.schedule(run_part, args=(order, chunk, str(_part(ledger, chunk[0]))))
                for chunk in chunks
            )
            while waiting:
                outcomes = waiting.popleft().result()
                _absorb(ledger, finished_only=True)
                tally.add(outcomes)
            pool.close()  # type: ignore[no-untyped-call]
        except KeyboardInterrupt:
            return tally.interrupted(resume_line)
        finally:
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()
            _absorb(ledger)
    return tally.close()


def run_part(order: Order, seeds: Sequence[int], path: str) -> list[Outcome]:
    """Run some seeds after each other, recorded in a part; called in a worker process."""
    recipe = order.load()
    space = Search.of(recipe).space
    outcomes = []
    unfinished = Path(path)
    with Ledger(unfinished, grouped=True) as ledger:
        record = studies.record_of(recipe, space)
        for seed in seeds:
            each = _seeded(recipe, seed)
            search = Search.of(each, space)
            study = ledger.create_study(**studies.reseeded(record, each))
            executor = make_executor(each)
            with ledger.lock(study.id):
                runner = search.runner(ledger, study, executor)
                runner.run()
                progress = search.progress
                state = "completed" if progress.counts["completed"] else "failed"
                ledger.set_study_state(study.id, state)
            best, metric = progress.best, recipe.objectives[0].metric
            value = None if best is None or not best.feasible else best.metrics[metric]
            outcomes.append(Outcome(state, progress.finished, value))
    unfinished.rename(unfinished.with_suffix(".done"))
    return outcomes


def _start_worker(driver: int) -> None:
    """Die with the driver; Ctrl-C passes by."""
    from automl_cli.worker import watch

    os.setpgid(0, 0)
    watch(driver)


# Parts ----------------------------------------------------------------------------------------


def _parts(ledger: Ledger) -> Path:
    return ledger.path.parent / "parts"


def _part(ledger: Ledger, seed: int) -> Path:
    folder = _parts(ledger)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{seed}.db"


@contextmanager
def _alone(ledger: Ledger) -> Iterator[None]:
    """Only one campaign at a time may hold the parts of a folder."""
    with hold(_parts(ledger).with_name("parts.lock"), "a campaign in this folder"):
        yield


def _absorb(ledger: Ledger, *, finished_only: bool = False) -> None:
    """Take parts over into the ledger, each whole or not at all, and remove them."""
    for pattern in ("*.done",) if finished_only else ("*.done", "*.db"):
        for part in sorted(_parts(ledger).glob(pattern)):
            ledger.absorb(part)
            for path in part.parent.glob(f"{part.stem}.*"):
                path.unlink()


# What people see ------------------------------------------------------------------------------


class _Tally:
    """Counts seeds and says how they go."""

    def __init__(self, recipe: Recipe, seeds: int) -> None:
        self.recipe, self.seeds, self.done = recipe, seeds, 0
        self.trials = self.failed = 0
        self.values: list[float] = []
        self._start = time.monotonic()
        self._live: Any = None
        goal = recipe.objectives[0]
        say(f"{recipe.name}: {recipe.algorithm} from {seeds} seeds; {goal.direction} {goal.metric}")

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Count studies that have finished."""
        self.done += len(outcomes)
        self.trials += sum(o.trials for o in outcomes)
        self.failed += sum(o.state == "failed" for o in outcomes)
        self.values += [o.best for o in outcomes if o.best is not None]
        spent = time.monotonic() - self._start
        left = spent / self.done * (self.seeds - self.done)
        say(f"  {self.done}/{self.seeds} seeds, {duration(left)} left; {self._best()}")

    def _best(self) -> str:
        import statistics

        if not self.values:
            return "no result yet"
        spread = statistics.pstdev(self.values)
        metric = self.recipe.objectives[0].metric
        return f"best {metric} {number(statistics.fmean(self.values))} ± {spread:.2g}"

    def interrupted(self, resume_line: str) -> int:
        """Say how to go on."""
        say(f"{self.done} of {self.seeds} seeds; interrupted\nresume: {resume_line}")
        return INTERRUPTED

    def close(self) -> int:
        """The last lines; the exit code."""
        spent = time.monotonic() - self._start
        say(
            f"{self.done} seeds, {self.trials:,} trials in {duration(spent)} "
            f"({self.trials / spent:,.0f} a second)"
        )
        if self.failed:
            say(f"{self.failed} studies failed")
        name = f"{self.recipe.name}{self.recipe.variant}-{self.recipe.algorithm}-"
        say(f"next: automl report {name}")
        return 1 if self.failed == self.seeds else 0


def seeds_of(text: str, first: int) -> list[int]:
    """The seeds that `--seeds` means: a number of them from the recipe's on, or `3:10`, `1,5,7`.

    Raises:
        UserError: for anything else.
    """
    try:
        if ":" in text:
            low, high = map(int, text.split(":"))
            found = list(range(low, high))
        elif "," in text:
            found = [int(part) for part in text.split(",")]
        else:
            found = list(range(first, first + int(text)))
    except ValueError:
        found = []
    if not found:
        raise UserError(f"--seeds {text}: expected a number, a range 0:100, or a list 1,5,7")
    return found
