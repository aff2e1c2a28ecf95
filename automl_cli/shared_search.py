"""The first part of a search by weight sharing: the supernet is trained, records come out of it.

What these records are worth is found out by trials like any others, in the second part. The state
of the first is a file in the study's folder, written every few seconds and read without pickled
objects: so whatever is killed, and when, the same command goes on from there, bit for bit.
"""

from __future__ import annotations

import itertools
import json
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from automl_algorithms.weight_sharing.derived import Derived
from automl_algorithms.weight_sharing.loop import Loop, Record
from automl_algorithms.weight_sharing.search import Diverged, SupernetSearch, Task
from automl_algorithms.weight_sharing.supernet import lower
from automl_cli.cost_book import CostBook
from automl_cli.ledger_schema import SupernetRow
from automl_spaces.decisions import Decisions
from automl_spaces.errors import AutomlError, UserError

if TYPE_CHECKING:
    from automl_cli.ledger import Ledger
    from automl_cli.ledger_schema import StudyRow
    from automl_cli.recipe import Recipe
    from automl_spaces.space import Space

_SAVE_EVERY: Final = 10.0  # seconds
_MOST_LOOKED_AT: Final = 10_000  # records, for one that the constraints accept

Listener = Callable[[Record], None]


class SharedSearch:
    """The supernet of a recipe, and its training.

    Args:
        search: the recipe's algorithm, not yet set up.

    Attributes:
        trials: proposes the records of both kinds, when `run` is over.
        derived: records to be trained from scratch, the best first, when `run` is over.
        compared: further, random ones.
        shared: the value of the objective with shared weights, of each of these.

    Raises:
        UserError: the program cannot be taken apart, or the space cannot be shared.
    """

    def __init__(
        self, recipe: Recipe, space: Space, book: CostBook, search: SupernetSearch
    ) -> None:
        torch.set_num_threads(recipe.run["threads"])
        self.recipe, self.space, self.search = recipe, space, search
        self._book, self._costs = book, dict[Decisions, dict[str, float]]()
        task = Task(recipe.objectives[0], recipe.seed, self.costs, recipe.constraints)
        net = lower(space, seed=recipe.seed)
        sharing = recipe.sharing
        self.loop = Loop(net, search, task, epochs=sharing["epochs"], on_nan=sharing["on_nan"])
        self.trials = Derived()
        self.derived: list[Decisions] = []
        self.compared: list[Decisions] = []
        self.shared: dict[Decisions, float] = {}
        self.seconds = 0.0

    def costs(self, decisions: Decisions) -> dict[str, float]:
        """Of a record's program."""
        if decisions not in self._costs:
            self._costs[decisions] = self._book.of(self.space.materialise(decisions))
        return self._costs[decisions]

    def known(self, decisions: Decisions, program: Any) -> dict[str, float]:
        """What is known of a trial before it runs: its costs, and its value with shared weights."""
        known = self._book.of(program)
        if decisions in self.shared:
            name = f"shared_{self.recipe.objectives[0].metric}"
            known = {**known, name: self.shared[decisions]}
        return known

    def run(self, ledger: Ledger, study: StudyRow, folder: Path, listener: Listener) -> None:
        """Train to the end, or go on; then derive records.

        Raises:
            UserError: the weights diverged, or no record satisfies the constraints; the state is
                saved.
        """
        self._search(ledger, study, folder / "supernet.pt", listener)
        self.trials.records = self.derived + self.compared

    def _search(self, ledger: Ledger, study: StudyRow, path: Path, listener: Listener) -> None:
        state = _load(path)
        if state is not None:
            self.loop.load_state_dict(state["loop"])
            if state["records"] is not None:
                self._take(state["records"])
                return
        deadline = time.monotonic() + (self.recipe.budget["seconds"] or float("inf"))
        saved = time.monotonic()
        try:
            for record in self.loop:
                ledger.supernet(study.id, _row(record))
                self.seconds = record.seconds
                listener(record)
                now = time.monotonic()
                if now > deadline:
                    break
                if now > saved + _SAVE_EVERY:
                    self._save(path)
                    saved = time.monotonic()
        except Diverged as error:
            raise UserError(
                f"the training of the supernet diverged at {error}",
                hint="a smaller learning rate, or sharing: {on_nan: skip}; "
                "--new starts another study, the same command goes on with this one",
            ) from None
        self._save(path)
        began = time.perf_counter()
        self._derive()
        self.seconds += time.perf_counter() - began
        self._save(path)

    def _derive(self) -> None:
        wanted = self.recipe.sharing
        self.derived = list(itertools.islice(self._accepted(), wanted["derived"]))
        if not self.derived:
            raise UserError(
                f"none of the {_MOST_LOOKED_AT:,} records that {self.recipe.algorithm} prefers is "
                "within the constraints",
                self.recipe.marks.get("constraints"),
                path="constraints",
                hint="an algorithm that is told of costs (tunas), or wider constraints",
            )
        draws = (self.search.draw() for _ in range(100 * wanted["compare"]))
        fresh = dict.fromkeys(record for record in draws if record not in self.derived)
        self.compared = list(fresh)[: wanted["compare"]]
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

    def _save(self, path: Path) -> None:
        """Write beside the place and rename: a kill at any moment leaves a whole file."""
        records = None
        if self.derived:
            records = {
                "seconds": self.seconds,
                "derived": [d.to_json() for d in self.derived],
                "compared": [d.to_json() for d in self.compared],
                "shared": {d.to_json(): value for d, value in self.shared.items()},
            }
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        torch.save({"loop": self.loop.state_dict(), "records": records}, temporary)
        temporary.replace(path)

    def _take(self, records: dict[str, Any]) -> None:
        decode = self.space.decode
        self.seconds = records["seconds"]
        self.derived = [decode(text) for text in records["derived"]]
        self.compared = [decode(text) for text in records["compared"]]
        self.shared = {decode(text): value for text, value in records["shared"].items()}


def _row(record: Record) -> SupernetRow:
    policy = {str(i): [round(p, 6) for p in chances] for i, chances in record.policy.items()}
    return SupernetRow(
        record.at.step + 1,
        record.at.steps,
        record.seconds,
        json.dumps(record.metrics),
        json.dumps(policy),
        time.time(),
    )


def _load(path: Path) -> Any:
    """The state in a file; None when there is none.

    Raises:
        AutomlError: when it cannot be read.
    """
    if not path.exists():
        return None
    try:
        return torch.load(path, weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        first = str(error).partition("\n")[0]
        raise AutomlError(
            f"{path} cannot be read: {first}", hint="remove it to begin this search anew"
        ) from error
