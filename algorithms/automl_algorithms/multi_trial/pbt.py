"""Population-based training: hyper-parameters that change while the models train.

Jaderberg et al., "Population based training of neural networks", 2017 (arXiv 1711.09846),
with truncation selection:

    every interval: rank the population; each of the worst fifth
        exploits: copies the weights and hyper-parameters of one of the best fifth at random
        explores: perturbs each of the copied hyper-parameters, or draws it again

Every member is a trial in every generation, and its parent says whose checkpoint it goes on
from: its own of the generation before, or the winner's when it has exploited. A generation
begins when the one before has finished as a whole, which makes a search reproducible and
resumable; run it with as many workers as divide the population. The answer is the best trial at
the full budget; its schedule of hyper-parameters is the plans of its lineage.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from automl_algorithms.contract import (
    Algorithm,
    Capabilities,
    Exhausted,
    Observation,
    Plan,
    Waiting,
    algorithm,
)
from automl_algorithms.multi_trial import _axes, _fidelity
from automl_spaces import sampling
from automl_spaces.errors import UserError

if TYPE_CHECKING:
    from automl_spaces.decisions import Decisions
    from automl_spaces.objective import Objective
    from automl_spaces.points import Point
    from automl_spaces.space import Space

PATIENCE: Final = 20  # refused explorations of a member, which then copies a winner as it is


@algorithm
class Pbt(Algorithm):
    """A population that trains side by side; losers take over the winners' weights. O(1) per trial.

    A member that failed or was pruned exploits a winner, too. When nobody is left, the
    population begins anew. Where the constraints refuse what a loser would go on with, it is
    drawn again, and after `PATIENCE` times the winner is copied as it is.

    Args:
        population: how many train side by side.
        max_budget: to which they train; None: the program's own `epochs`.
        interval: steps of a generation; None: a tenth of the whole training.
        quantile: part of the population that exploits, and part that is exploited.
        perturb: by how much a number changes, up or down: 0.2 multiplies one on a log scale by
            1.2 or 0.8, and moves one on a linear scale by a fifth of its range. Candidates are
            replaced by a neighbour. 0: they are copied as they are.
        resample: probability with which a hyper-parameter is drawn again instead.
    """

    capabilities = Capabilities(multi_fidelity=True, fixed_architecture=True)

    def __init__(
        self,
        *,
        population: int = 20,
        max_budget: float | None = None,
        interval: float | None = None,
        quantile: float = 0.2,
        perturb: float = 0.2,
        resample: float = 0.25,
    ) -> None:
        _fidelity.check(max_budget)
        if population < 2:
            raise UserError(f"population must be at least 2, got {population}")
        if interval is not None and not 0 < interval < math.inf:
            raise UserError(f"interval must be above 0, got {interval:g}")
        if not 0 <= quantile <= 0.5:
            raise UserError(f"quantile must be in [0, 0.5], got {quantile:g}")
        if not 0 <= perturb < 1:
            raise UserError(f"perturb must be in [0, 1), got {perturb:g}")
        if not 0 <= resample <= 1:
            raise UserError(f"resample must be in [0, 1], got {resample:g}")
        self.population, self.max_budget, self.interval = population, max_budget, interval
        self.quantile, self.perturb, self.resample = quantile, perturb, resample

    def setup(self, space: Space, objectives: Sequence[Objective], seed: int) -> None:
        """Start with an empty population. Raises `UserError` when the budget is not known."""
        super().setup(space, objectives, seed)
        self._full = _fidelity.full_budget(space, self.max_budget)
        self._step = self._interval()
        self._last = math.ceil(self._full / self._step - 1e-9)  # generation
        self._axes = [_axes.axis_of(p, ordinal=True) for p in space.points]
        self._generation = 1  # since the population began: its trials train to this many steps
        self._first = 0  # how many trials there were before this generation
        self._number: dict[int, int] = {}  # of each trial, counted in the order of proposals
        self._finished: dict[int, Observation] = {}  # of this generation, by member
        self._parents: list[Observation] = []  # of the generation before, by member; or nobody
        self._winners: list[Observation] = []  # among the parents, the best first
        self._losers: set[int] = set()  # the members that exploit
        self._refusals = 0  # of what was proposed for the present trial

    def _interval(self) -> float:
        if self.interval is None:
            tenth = self._full / 10
            step = float(math.ceil(tenth)) if self._full.is_integer() else tenth
        else:
            step = float(self.interval)
        if step >= self._full:
            raise UserError(
                f"an interval of {step:g} leaves a training of {self._full:g} a single generation",
                hint="a smaller interval, or more epochs",
            )
        return step

    def propose(self, trial_id: int, rng: random.Random) -> Plan:
        """The next member's trial in this generation."""
        if trial_id in self._number:  # its proposal was rejected: draw again
            self._refusals += 1
        else:
            self._refusals = 0
            if len(self._number) - self._first == self.population:
                raise Waiting
            if self._generation > self._last:
                raise Exhausted
            self._number[trial_id] = len(self._number)
        budget = min(self._generation * self._step, self._full)
        if not self._parents:
            return Plan(self.space.sample(rng), budget)
        member = self._number[trial_id] - self._first
        if member not in self._losers:
            own = self._parents[member]
            return Plan(own.decisions, budget, own.trial_id)
        winner = rng.choice(self._winners)
        if self._refusals > PATIENCE:
            return Plan(winner.decisions, budget, winner.trial_id)
        return Plan(self._explore(winner.decisions, rng), budget, winner.trial_id)

    def _explore(self, decisions: Decisions, rng: random.Random) -> Decisions:
        """The hyper-parameters that a loser goes on with, near the winner's."""
        values: list[int | float | None] = []
        for point, axis, value in zip(self.space.points, self._axes, decisions.values, strict=True):
            if value is not None and rng.random() < self.resample:
                values.append(sampling.draw(point, rng))
            elif value is not None and self.perturb:
                values.append(perturbed(point, axis, value, self.perturb, up=rng.random() < 0.5))
            else:
                values.append(value)
        _axes.mend(self.space.points, values, rng)
        return self.space.complete(values, rng)

    def feedback(self, observation: Observation) -> None:
        """Note the result; the last one of a generation decides who exploits whom."""
        member = self._number[observation.trial_id] - self._first
        self._finished[member] = observation
        if len(self._finished) == self.population:
            self._select()

    def _select(self) -> None:
        """Rank the generation that has finished and enter the next."""
        everybody = range(self.population)
        finished = [self._finished.pop(member) for member in everybody]
        self._first += self.population
        alive = [member for member in everybody if _fidelity.reached(finished[member])]
        alive.sort(key=lambda member: -finished[member].rewards[0])
        if not alive:
            self._parents, self._generation = [], 1
            return
        self._parents, self._generation = finished, self._generation + 1
        # At most half, so that no winner is a loser. Rounded up: a small population has one each.
        count = min(math.ceil(self.quantile * self.population - 1e-9), self.population // 2)
        self._winners = [finished[member] for member in alive[: max(count, 1)]]
        self._losers = set(everybody).difference(alive[: self.population - count])

    def restore(self, trial_id: int, plan: Plan) -> None:
        """Count a proposal of others as the next member's."""
        self._number.setdefault(trial_id, len(self._number))


def perturbed(
    point: Point, axis: _axes.Axis, value: int | float, by: float, *, up: bool
) -> int | float:
    """A neighbour of a value within the point's bounds.

    On a log scale the factor is 1 + by or 1 - by, on a reversed one it is that of the mirror
    image (min + max - value); on a linear scale `by` is a part of the range. On a grid it is one
    place at least; candidates move one place, numbers among them in the order of their size.
    """
    if point.kind == "categorical":
        place = int(axis.encode(value)) + (1 if up else -1)
        return axis.decode(min(max(place, 0), axis.size - 1))
    if point.scale == "linear":
        moved = value + (by if up else -by) * (point.max - point.min)
    elif point.scale == "log":
        moved = value * (1 + by if up else 1 - by)
    else:
        ends = point.min + point.max
        moved = ends - (ends - value) * (1 - by if up else 1 + by)
    moved = min(max(moved, point.min), point.max)
    if point.cardinality is None:
        return moved
    here, place = point.place(value), point.place(moved)
    if place == here:
        place += 1 if up else -1
    return point.at(min(max(place, 0), point.cardinality - 1))
