"""The first part of a search by weight sharing: the supernet is trained, records come out of it.

What these records are worth is found out by trials like any others, in the second part. The state
of the first is a file in the study's folder, written every few seconds and read without pickled
objects: so whatever is killed, and when, the same command goes on from there, bit for bit.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from automl_algorithms.weight_sharing.derived import Derived
from automl_algorithms.weight_sharing.loop import Loop, Record
from automl_algorithms.weight_sharing.search import Diverged, SupernetSearch, Task
from automl_cli.cost_book import CostBook
from automl_cli.costs import Infeasible
from automl_cli.ledger_schema import SupernetRow
from automl_cli.limits import SUPERNET_SHARE
from automl_cli.peak_memory import PEAK, PeakMemory
from automl_cli.shared_checks import checked_supernet
from automl_cli.shared_results import SHARED
from automl_cli.shared_state import Pace, SharedState
from automl_spaces.decisions import Decisions
from automl_spaces.errors import AutomlError

if TYPE_CHECKING:
    from automl_cli.ledger import Ledger
    from automl_cli.ledger_schema import StudyRow
    from automl_cli.recipe import Recipe
    from automl_spaces.space import Space

_MOST_LOOKED_AT: Final = 10_000  # records, for one that the constraints accept

Listener = Callable[[Record], None]


class SharedSearch:
    """The supernet of a recipe, and its training.

    Args:
        search: the recipe's algorithm, not yet set up.

    Attributes:
        trials: proposes the records of both kinds, when `run` is over.
        derived: records to be trained from scratch, the best first, when `run` is over.
        compared: further, random ones; the same ones for every algorithm.
        shared: the value of the objective with shared weights, of each of these.
        seconds: of the training and of the derivation, over all runs.

    Raises:
        UserError: the program cannot be taken apart, or the space cannot be shared.
    """

    def __init__(
        self, recipe: Recipe, space: Space, book: CostBook, search: SupernetSearch
    ) -> None:
        torch.set_num_threads(recipe.run["threads"])
        self.recipe, self.space, self.search = recipe, space, search
        self._peak = PeakMemory()
        self._book, self._costs = book, dict[Decisions, dict[str, float]]()
        goal, sharing = recipe.objectives[0], recipe.sharing
        task = Task(goal, recipe.seed, self.costs, recipe.bounds)
        net = checked_supernet(space, recipe.seed, goal, recipe.marks.get("objective"))
        self.loop = Loop(net, search, task, epochs=sharing["epochs"], on_nan=sharing["on_nan"])
        self.trials = Derived()
        self.derived: list[Decisions] = []
        self.compared: list[Decisions] = []
        self.shared: dict[Decisions, float] = {}
        self.seconds = 0.0

    @property
    def step(self) -> int:
        """Steps of the supernet's training that are done."""
        return self.loop.feed.epoch * self.loop.epoch_steps + self.loop.feed.steps

    def count(self, *, baseline: bool) -> int:
        """Trials of the second part: each record once, the static program before them."""
        first = self.space.default() if baseline else None
        return len({*self.derived, *self.compared, *([] if first is None else [first])})

    def costs(self, decisions: Decisions) -> dict[str, float]:
        """Of a record's program; of one that cannot be run, infinite and outside of all bounds."""
        if decisions not in self._costs:
            program = self.space.materialise(decisions)
            try:
                self._costs[decisions] = self._book.of(program)
            except Infeasible:
                self._costs[decisions] = {name: self._beyond(name) for name in self.recipe.costs}
        return self._costs[decisions]

    def _beyond(self, name: str) -> float:
        """What no bounds on this cost accept."""
        _, high = self.recipe.bounds.get(name, (-math.inf, 0.0))
        return math.inf if math.isfinite(high) else -math.inf

    def known(self, decisions: Decisions, program: Any) -> dict[str, float]:
        """What is known of a trial before it runs: its costs, and its value with shared weights."""
        known = self._book.of(program)
        if decisions in self.shared:
            name = f"{SHARED}{self.recipe.objectives[0].metric}"
            known = {**known, name: self.shared[decisions]}
        return known

    def run(self, ledger: Ledger, study: StudyRow, folder: Path, listener: Listener) -> None:
        """Train to the end, or go on; then derive records.

        Raises:
            AutomlError: the weights diverged, the program failed, or no record satisfies the
                constraints; the state is saved.
        """
        state = SharedState(folder / "supernet.pt", study, self.loop, self._peak)
        wanted = self.recipe.sharing["derived"], self.recipe.sharing["compare"]
        records = state.restore(wanted)
        if records is not None:
            self._take(records)
        else:
            try:
                self._train(ledger, study, state, listener)
                after = state.save()
                began = time.perf_counter()
                self._derive()
            except Diverged as error:
                state.save()
                raise self._diverged(error) from None
            except AutomlError:
                raise
            except Exception as error:
                raise state.blamed(self.step, error) from error
            self.seconds = after["seconds"] + time.perf_counter() - began
            last = ledger.supernets(study.id)[-1]
            ledger.supernet(study.id, last._replace(seconds=self.seconds))
            state.save(after, wanted, self._records())
        self.trials.found, self.trials.compared = self.derived, self.compared

    def _train(
        self, ledger: Ledger, study: StudyRow, state: SharedState, listener: Listener
    ) -> None:
        """To the end, or until the time is over."""
        # What is done again after a kill is the same, and stays as others have read it.
        known = {row.step: (row.metrics, row.policy) for row in ledger.supernets(study.id)}
        seconds = self.recipe.budget["seconds"] or float("inf")
        deadline = time.monotonic() + SUPERNET_SHARE * seconds  # the trials have the rest
        pace = Pace(state.save)
        self.loop.after_step = pace.step
        for record in self.loop:
            late = time.monotonic() > deadline
            last = late or record.at.step + 1 == self.loop.steps
            row = _row(record, self._peak.mb() if last else None)
            if known.get(row.step) != (row.metrics, row.policy):
                ledger.supernet(study.id, row)
            listener(_brief(record))
            pace.step()
            if late:
                break

    def _diverged(self, error: Diverged) -> AutomlError:
        skip = "the same command with --set sharing.on_nan=skip goes on without such steps; or "
        return AutomlError(
            f"the training of the supernet diverged at {error}",
            self.recipe.marks.get("program"),
            path="program",
            hint=skip * (self.recipe.sharing["on_nan"] == "stop")
            + "a smaller learning rate, as a study of its own: --new",
        )

    def _derive(self) -> None:
        wanted = self.recipe.sharing
        self.derived = list(itertools.islice(self._accepted(), wanted["derived"]))
        if not self.derived:
            raise AutomlError(
                f"none of the {_MOST_LOOKED_AT:,} records that {self.recipe.algorithm} prefers is "
                "within the constraints",
                self.recipe.marks.get("constraints"),
                path="constraints",
                hint="an algorithm that is told of costs (tunas), or wider constraints",
            )
        self.compared = list(itertools.islice(self._random(), wanted["compare"]))
        default = self.space.default()
        goal = self.recipe.objectives[0]
        for record in dict.fromkeys((*self.derived, *self.compared, default)):
            if record is not None:
                self.shared[record] = goal.value(self.search.score(record))

    def _accepted(self) -> Iterator[Decisions]:
        seen: set[Decisions] = set()
        offered = self.search.derive(self.loop.feed.valid)
        for record in itertools.islice(offered, _MOST_LOOKED_AT):
            if record not in seen and self.loop.task.accepts(record):
                yield record
            seen.add(record)

    def _random(self) -> Iterator[Decisions]:
        """Records to compare with: within the constraints, each new, drawn by the seed alone."""
        rng = random.Random(f"{self.recipe.seed}/compare")
        seen = {*self.derived, self.space.default()}
        for _ in range(_MOST_LOOKED_AT):
            record = self.space.sample(rng)
            if record not in seen and self.loop.task.accepts(record):
                seen.add(record)
                yield record

    def _records(self) -> dict[str, Any]:
        return {
            "seconds": self.seconds,
            "derived": [d.to_json() for d in self.derived],
            "compared": [d.to_json() for d in self.compared],
            "shared": {d.to_json(): value for d, value in self.shared.items()},
        }

    def _take(self, records: dict[str, Any]) -> None:
        decode = self.space.decode
        self.seconds = records["seconds"]
        self.derived = [decode(text) for text in records["derived"]]
        self.compared = [decode(text) for text in records["compared"]]
        self.shared = {decode(text): value for text, value in records["shared"].items()}


def _brief(record: Record) -> Record:
    """Without what is told decision by decision (`evidence/3`)."""
    brief = {name: value for name, value in record.metrics.items() if "/" not in name}
    return record._replace(metrics=brief)


def _row(record: Record, peak: float | None) -> SupernetRow:
    metrics = record.metrics if peak is None else {**record.metrics, PEAK: peak}
    policy = {str(i): [round(p, 6) for p in chances] for i, chances in record.policy.items()}
    return SupernetRow(
        record.at.step + 1,
        record.at.steps,
        record.seconds,
        json.dumps(metrics),
        json.dumps(policy),
        time.time(),
    )
