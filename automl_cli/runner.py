"""The search loop: propose, record, dispatch, record, feed back.

Every event is in the ledger before anything acts on it. So whatever is killed, and when, the
next run replays the ledger and goes on: what had finished is neither lost nor run again, what
was in flight is run again under the same id.
"""

from __future__ import annotations

import json
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from automl_algorithms.constraints import rewards
from automl_algorithms.contract import Exhausted, Observation, Plan, Waiting
from automl_algorithms.proposer import Proposer
from automl_cli.executors import Executor
from automl_cli.ledger import Ledger
from automl_cli.ledger_schema import StudyRow, TrialRow
from automl_cli.limits import Limits, Reason
from automl_cli.progress import MET, Finished, Progress, judged
from automl_cli.studies import recorded
from automl_cli.trials import Report, TrialRequest, TrialResult
from automl_spaces.decisions import Decisions
from automl_spaces.errors import AutomlError, UserError
from automl_spaces.space import Space

_DUMPS = json.JSONEncoder(separators=(",", ":")).encode

Listener = Callable[[Finished, bool], None]
"""Hears of each finished trial, and whether it is the best so far."""


class _Flight(NamedTuple):
    plan: Plan
    program: Any
    attempt: int
    costs: dict[str, float]
    lost: int = 0  # attempts whose worker was lost; a killed driver is not the trial's fault


class Runner:
    """Runs a study to the end of its budget.

    Args:
        study: its row in the ledger; the caller holds its lock.
        costs: what is known of a record and its program before it runs, by name; may raise
            `AutomlError`.
        folder: below it each trial finds a folder of its own.
    """

    def __init__(
        self,
        ledger: Ledger,
        study: StudyRow,
        space: Space,
        proposer: Proposer,
        executor: Executor,
        progress: Progress,
        *,
        limits: Limits,
        folder: Path,
        costs: Callable[[Decisions, Any], dict[str, float]] = lambda *_: {},
        listener: Listener | None = None,
    ) -> None:
        self.ledger, self.study, self.space = ledger, study, space
        self.proposer, self.executor, self.progress = proposer, executor, progress
        self.limits, self.folder, self.costs = limits, folder, costs
        self.listener = listener
        self.stopped_by: Reason = ""
        self._flights: dict[int, _Flight] = {}
        self._again: deque[int] = deque()  # trials whose next attempt is due
        self._roots: dict[int, int] = {}  # where the training began that a trial goes on with
        self._next_id = 0

    def run(self) -> None:
        """Search until the budget is used up or nothing is left to propose; then recommend.

        Raises:
            AutomlError: when the algorithm fails; everything recorded stays.
        """
        if self.study.recommended is not None:  # by an earlier run, which had seen less
            self.ledger.recommend(self.study.id, None)
        self._replay(self.ledger.trials(self.study.id))
        self.progress.started = time.monotonic()
        while True:
            self._fill()
            if not self._flights:
                break
            for event in self.executor.completed(None):
                if isinstance(event, Report):
                    self._report(event)
                else:
                    self._result(event)
        with self._blaming_algorithm("recommend a trial"):
            recommended = self.proposer.recommend()
        if recommended is not None and self.progress.may_answer(recommended):
            self.ledger.recommend(self.study.id, recommended)

    # Before -------------------------------------------------------------------------------------

    def _replay(self, rows: list[TrialRow]) -> None:
        """Bring proposer and progress to where the ledger says the search stands."""
        events: list[tuple[float, TrialRow, bool]] = []
        for row in rows:
            events.append((row.proposed, row, False))
            if row.finished is not None:
                events.append((row.finished, row, True))
        plans: dict[int, Plan] = {}
        for _, row, over in sorted(events, key=lambda e: e[0]):
            if over:
                finished = Finished.of(row)
                if row.state != "failed":
                    metrics = judged(self.progress.constraints, finished.metrics)
                    if metrics != finished.metrics:  # the constraints were changed since
                        self.ledger.judge_again(self.study.id, row.id, _DUMPS(metrics))
                    finished = finished._replace(metrics=metrics)
                self._feedback(row.id, plans[row.id], row.state, finished.metrics)
                self.progress.take(finished, live=False)
            else:
                decisions = recorded(row, self.space, self.study.name)
                plans[row.id] = Plan(decisions, row.budget, row.parent)
                self._root(row.id, row.parent)
                with self._blaming_algorithm("take a recorded trial"):
                    self.proposer.restore(row.id, plans[row.id])
        for row in rows:
            self._next_id = max(self._next_id, row.id + 1)
            if row.finished is None:  # it was in flight when the driver went away
                attempt = self.ledger.retry(self.study.id, row.id, row.attempt)
                program = self.space.materialise(plans[row.id].decisions)
                costs = json.loads(row.costs)
                self._flights[row.id] = _Flight(plans[row.id], program, attempt, costs)
                self._again.append(row.id)

    # Dispatch -----------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Keep every slot busy while the budget lasts."""
        while self._again and self._active() < self.executor.capacity:
            self._submit(self._again.popleft())
        while self._active() < self.executor.capacity and self._may_start():
            trial_id = self._next_id
            try:
                with self._blaming_algorithm("propose"):
                    proposal = self.proposer.next(trial_id)
            except Exhausted:
                self.stopped_by = "exhausted"
                return
            except Waiting:
                if self._flights:
                    return
                raise AutomlError(f"{self.study.algorithm} waits although no trial runs") from None
            plan = proposal.plan
            self.limits.check_plan(plan, self.progress)
            costs = self.costs(plan.decisions, proposal.program)
            self.ledger.propose(
                self.study.id,
                trial_id,
                plan.decisions.to_json(),
                _DUMPS(costs) if costs else "{}",
                proposal.rejected,
                plan.budget,
                plan.parent,
            )
            self._next_id += 1
            self._root(trial_id, plan.parent)
            self.progress.rejected += proposal.rejected
            self._flights[trial_id] = _Flight(plan, proposal.program, 1, costs)
            self._submit(trial_id)

    def _root(self, trial_id: int, parent: int | None) -> None:
        """Note which training a trial goes on with: it keeps that one's seed."""
        if parent is not None:
            self._roots[trial_id] = self._roots.get(parent, parent)

    def _active(self) -> int:
        return len(self._flights) - len(self._again)

    def _may_start(self) -> bool:
        progress = self.progress
        epochs = sum(progress.cost(f.plan.budget, f.plan.parent) for f in self._flights.values())
        self.stopped_by = self.limits.reached(progress, len(self._flights), epochs)
        return not self.stopped_by

    def _submit(self, trial_id: int) -> None:
        flight = self._flights[trial_id]
        plan, parent = flight.plan, flight.plan.parent
        self.progress.running[trial_id] = time.monotonic()
        self.executor.submit(
            TrialRequest(
                trial_id,
                flight.attempt,
                flight.program,
                plan.decisions.as_dict(),
                trial_seed(self.study.seed, self._roots.get(trial_id, trial_id)),
                plan.budget,
                self.folder / str(trial_id),
                None if parent is None else self.folder / str(parent),
            )
        )

    # Results ------------------------------------------------------------------------------------

    def _report(self, report: Report) -> None:
        flight = self._flights.get(report.trial_id)
        if flight is not None and flight.attempt == report.attempt:
            metrics = {k: _json_number(v) for k, v in report.metrics.items()}
            self.ledger.report(
                self.study.id, report.trial_id, report.attempt, report.step, _DUMPS(metrics)
            )

    def _result(self, result: TrialResult) -> None:
        flight = self._flights.get(result.trial_id)
        if flight is None or flight.attempt != result.attempt:
            return  # an attempt that was given up answers late
        if result.state == "lost":
            lost = flight.lost + 1
            if lost <= self.limits.retries:
                attempt = self.ledger.retry(self.study.id, result.trial_id, flight.attempt)
                self._flights[result.trial_id] = flight._replace(attempt=attempt, lost=lost)
                self.progress.running.pop(result.trial_id, None)
                self.progress.retried += 1
                self._again.append(result.trial_id)
                return
            times = f"{lost} times" if lost > 1 else "once"
            result = result._replace(state="failed", reason=f"{result.reason} ({times})")
        metrics = {"seconds": result.seconds, **flight.costs, **result.metrics}
        if result.state != "failed":
            metrics = judged(self.progress.constraints, metrics)
        if not self.ledger.finish(
            self.study.id,
            result.trial_id,
            result.attempt,
            result.state,
            _DUMPS(metrics),
            result.reason,
        ):
            return
        del self._flights[result.trial_id]
        plan = flight.plan
        self._feedback(result.trial_id, plan, result.state, metrics)
        finished = Finished(
            result.trial_id,
            result.state,
            plan.decisions.to_json(),
            metrics,
            result.reason,
            plan.budget,
            plan.parent,
        )
        best = self.progress.take(finished)
        if result.mistake and not self.progress.counts["completed"]:
            raise UserError(f"trial {result.trial_id}: {result.reason}", path="program")
        self.limits.check_result(finished, self.progress)
        if self.listener is not None:
            self.listener(finished, best)

    def _feedback(self, trial_id: int, plan: Plan, state: str, metrics: dict[str, float]) -> None:
        bounds, told = self.progress.constraints, tuple[float, ...]()
        if state != "failed":
            told = rewards(self.progress.objectives, bounds, metrics)
        known: Any = state
        fits = metrics.get(MET, 1.0) > 0
        with self._blaming_algorithm("take the result of a trial"):
            self.proposer.feedback(Observation(trial_id, plan, known, told, fits))

    @contextmanager
    def _blaming_algorithm(self, what: str) -> Iterator[None]:
        """When the algorithm itself fails, say so in a line and keep the traceback in a file."""
        try:
            yield
        except (AutomlError, Exhausted, Waiting):
            raise
        except Exception as error:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / "error.txt"
            path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
            raise AutomlError(
                f"the algorithm {self.study.algorithm} failed to {what}: "
                f"{type(error).__name__}: {error}",
                hint=f"details in {path}; what was recorded is kept",
            ) from error


def trial_seed(seed: int, trial_id: int) -> int:
    """The seed of one trial: the same whenever and wherever it is run.

    The seed of trial 0 is the study's own, so that a static recipe can repeat any trial.
    """
    return (seed + trial_id * 1_000_003) % 2**31


def _json_number(value: float) -> float | str:
    """JSON has no NaN: a diverging curve is recorded in words."""
    return value if abs(value) < float("inf") else repr(value)
