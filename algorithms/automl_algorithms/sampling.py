"""A search from Python, one line: `for program, feedback in sample(space, "evolution", 100):`.

    search = sample(space, algorithm="evolution", trials=100, seed=0)
    for program, feedback in search:
        feedback(train(program))
    print(search.best)

The shape is PyGlove's `pg.sample` (Peng et al. 2020, arXiv 2101.08809). Feedback goes to the
trial it was handed out with, so the loop may run ahead of it: collect ten pairs, evaluate them
in parallel, feed back in any order. A trial whose feedback is dropped uncalled (the body raised,
or forgot) has failed, and the search goes on with another proposal.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from automl_algorithms import catalogue
from automl_algorithms.contract import (
    Algorithm,
    Exhausted,
    Observation,
    Plan,
    Waiting,
    check_capabilities,
)
from automl_algorithms.pareto import non_dominated
from automl_algorithms.proposer import Proposer
from automl_spaces.decisions import Decisions
from automl_spaces.objective import Objective
from automl_spaces.space import Space

Direction = Literal["maximize", "minimize"]
Objectives = Direction | Objective | Sequence[Objective]


@dataclass(frozen=True, slots=True)
class Result:
    """A trial that has finished.

    Args:
        trial_id: from 0.
        program: what was evaluated.
        plan: its place in the space, and the budget it was granted.
        state: completed or failed.
        values: one per objective as they were fed back; `()` when the trial failed.
        reason: why it failed, or was skipped.
    """

    trial_id: int
    program: Any
    plan: Plan
    state: Literal["completed", "failed"]
    values: tuple[float, ...] = ()
    reason: str = ""

    @property
    def decisions(self) -> Decisions:
        """Those of the plan."""
        return self.plan.decisions


class Feedback:
    """Takes what became of one trial, once: `feedback(reward)` or `feedback.skip(reason)`.

    Under an algorithm of several fidelities `plan` says to which `budget` the program is to be
    trained, and from which trial's (`parent`) state it goes on.
    """

    __slots__ = ("__weakref__", "_finalizer", "_sampling", "plan", "program", "trial_id")

    def __init__(self, sampling: Sampling, trial_id: int, program: Any, plan: Plan) -> None:
        self._sampling, self.trial_id = sampling, trial_id
        self.program, self.plan = program, plan
        # Runs when nobody can call this object any more; it must not touch the search itself,
        # because the collector may run it in the middle of another call.
        self._finalizer = weakref.finalize(self, sampling._dropped.append, trial_id)
        self._finalizer.atexit = False

    @property
    def decisions(self) -> Decisions:
        """Those of the plan."""
        return self.plan.decisions

    def __call__(self, reward: float | Sequence[float] | Mapping[str, float]) -> None:
        """Tell the objective's value; a sequence or a mapping by metric for several objectives.

        A value that is NaN makes the trial a failed one.

        Raises:
            ValueError: a number of values that does not fit the objectives.
            RuntimeError: this trial has had its feedback.
        """
        metrics = [o.metric for o in self._sampling.objectives]
        if isinstance(reward, Mapping):
            missing = [m for m in metrics if m not in reward]
            if missing:
                raise ValueError(f"trial {self.trial_id} lacks {', '.join(missing)}")
            values = tuple(float(reward[m]) for m in metrics)
        elif isinstance(reward, Sequence):
            values = tuple(map(float, reward))
        else:
            values = (float(reward),)
        if len(values) != len(metrics):
            raise ValueError(
                f"trial {self.trial_id}: {len(values)} values for {', '.join(metrics)}"
            )
        self._finish(values, "")

    def skip(self, reason: str = "skipped") -> None:
        """Give the trial up: it counts as failed."""
        self._finish((), reason)

    def _finish(self, values: tuple[float, ...], reason: str) -> None:
        if self._finalizer.detach() is None:
            raise RuntimeError(f"trial {self.trial_id} has had its feedback")
        with self._sampling._lock:
            self._sampling._give_up_dropped()
            self._sampling._finish(self.trial_id, values, reason)


class Sampling(Iterator[tuple[Any, Feedback]]):
    """An iterator over (program, feedback) that remembers what it was told. Made by `sample`.

    It may be left and entered again: a second `for` goes on where the first stopped.
    """

    def __init__(
        self, proposer: Proposer, objectives: Sequence[Objective], trials: int | None
    ) -> None:
        self.objectives = tuple(objectives)
        self._proposer, self._trials, self._next_id = proposer, trials, 0
        self._open: dict[int, tuple[Any, Plan]] = {}
        self._results: list[Result] = []
        self._rewards: list[tuple[float, ...]] = []
        self._dropped: deque[int] = deque()
        self._lock = threading.RLock()  # programs may run, and feed back, in threads

    def __next__(self) -> tuple[Any, Feedback]:
        """Propose the next program; stops after `trials`, or when the space is exhausted."""
        with self._lock:
            return self._propose()

    def _propose(self) -> tuple[Any, Feedback]:
        self._give_up_dropped()
        if self._trials is not None and self._next_id >= self._trials:
            raise StopIteration
        trial_id = self._next_id
        try:
            proposal = self._proposer.next(trial_id)
        except Exhausted:
            raise StopIteration from None
        except Waiting:
            raise RuntimeError(
                f"trials {', '.join(map(str, self._open))} need their feedback first"
            ) from None
        self._next_id += 1
        self._open[trial_id] = proposal.program, proposal.plan
        return proposal.program, Feedback(self, trial_id, proposal.program, proposal.plan)

    def _give_up_dropped(self) -> None:
        while self._dropped:
            self._finish(self._dropped.popleft(), (), "no feedback")

    def _finish(self, trial_id: int, values: tuple[float, ...], reason: str) -> None:
        program, plan = self._open.pop(trial_id)
        rewards = tuple(o.reward(v) for o, v in zip(self.objectives, values, strict=False))
        state: Literal["completed", "failed"] = "completed" if values else "failed"
        heard = self._proposer.feedback(Observation(trial_id, plan, state, rewards))
        if values and not heard.rewards:
            state, values, reason = "failed", (), f"not a number: {values}"
        self._results.append(Result(trial_id, program, plan, state, values, reason))
        self._rewards.append(heard.rewards)

    @property
    def results(self) -> list[Result]:
        """The trials that have finished, in the order in which they did."""
        with self._lock:
            self._give_up_dropped()
            return list(self._results)

    @property
    def front(self) -> list[Result]:
        """The trials that no other one beats in every objective."""
        results = self.results
        return [results[i] for i in non_dominated(self._rewards)]

    @property
    def best(self) -> Result | None:
        """The best by the first objective, then the next; of equals the first. None: no result.

        Of several fidelities only the highest that was reached counts.
        """
        results = self.results
        done = [i for i, rewards in enumerate(self._rewards) if rewards]
        if not done:
            return None
        return results[max(done, key=lambda i: (results[i].plan.fidelity, self._rewards[i]))]


def sample(
    space: Any,
    algorithm: str | Algorithm = "random",
    trials: int | None = None,
    *,
    objective: Objectives = "maximize",
    seed: int = 0,
    where: Callable[[Any], bool] | None = None,
    unique: bool = False,
    baseline: bool = False,
) -> Sampling:
    """Search a space: iterate over (program, feedback).

    Args:
        space: a `Space`, or a program with choices.
        algorithm: a name of the catalogue, or an instance: `Evolution(population=20)`.
        trials: how many; None: until the space is exhausted or you stop.
        objective: `maximize`, `minimize`, an `Objective`, or several of them.
        seed: of every proposal.
        where: programs for which it is false are not proposed and not counted.
        unique: propose nothing twice.
        baseline: begin with the program as it was before choices replaced its values.

    Raises:
        UserError: an unknown algorithm, or one that cannot search this space.
    """
    compiled = space if isinstance(space, Space) else Space.compile(space)
    chosen: Algorithm = catalogue.create(algorithm) if isinstance(algorithm, str) else algorithm
    if isinstance(objective, str):
        objective = Objective("reward", objective)
    objectives = [objective] if isinstance(objective, Objective) else list(objective)
    name = chosen.name or type(chosen).__name__
    check_capabilities(name, chosen.capabilities, compiled, objectives)
    proposer = Proposer(
        chosen,
        compiled,
        objectives,
        seed,
        accept=_reject_unless(where) if where else None,
        unique=unique,
        baseline=baseline,
    )
    return Sampling(proposer, objectives, trials)


def _reject_unless(where: Callable[[Any], bool]) -> Callable[[Decisions, Any], str | None]:
    def accept(decisions: Decisions, program: Any) -> str | None:
        return None if where(program) else f"where() refused {decisions.to_json()}"

    return accept
