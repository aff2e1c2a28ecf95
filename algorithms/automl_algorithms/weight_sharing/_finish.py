"""The finish of a search: what it has not identified is left to a population of trainings.

Members differ in hyperparameters and, where the policy leaves decisions of the network open, in
networks, which are drawn from it: so that not all of them stand or fall with one. A policy that is
sure gives all of them the same.

Members fork from the shared weights, which spares them the beginning of a training. But where only
hyperparameters are searched, and it takes most of the search, they begin with the weights that the
search began with, for they have the time: what is best then is what a training will be best with,
and no decay with which nothing is ever learned.

Learning rates are compared only if it takes most of the search. Later, the weights are good
already, and the rate that learns least keeps them so, where a training would not even get there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from automl_algorithms.weight_sharing._contenders import contenders
from automl_algorithms.weight_sharing._halving import share
from automl_algorithms.weight_sharing._numbers import Number, is_number, part_of
from automl_algorithms.weight_sharing._population import Member, Population, tensors_of
from automl_algorithms.weight_sharing.derivation import Policy, one_hot, preferred
from automl_algorithms.weight_sharing.identified import is_identified
from automl_algorithms.weight_sharing.search import SupernetSearch
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError

EARLY: Final = 0.8
"""The share of a search from which on a finish is about learning rates, and may begin anew."""
CERTAIN: Final = 0.95  # a probability, from which on nearly all members would have the candidate
DRAWN: Final = 16  # networks for a member, until the constraints accept one, or one is new
SURE: Final = 4.0
"""Standard errors that spare a decision from the finish. The best of many candidates after a few
dozen rewards has 2.5 now and then by chance; and to compare what was clear costs a little, not to
compare what was not costs the search."""


class Finish:
    """When it begins, and between whom.

    Args:
        trainings: that it may cost at most, each as long as the search; 0: there is no finish.
        members: of the population, at most.

    Attributes:
        population: once it has begun, and something was left to it.
    """

    def __init__(self, trainings: float, members: int) -> None:
        if trainings < 0:
            raise UserError(f"finish must not be negative, got {trainings:g}")
        if members < 2:
            raise UserError(f"members must be at least 2, for a comparison, got {members}")
        self.trainings, self.members = trainings, members
        self.population: Population | None = None

    def setup(self, search: SupernetSearch, hyperparameters: frozenset[int]) -> None:
        """How much of the search it takes.

        Args:
            hyperparameters: indices of the points that act in trainings alone.
        """
        self.search, self.net = search, search.net
        self.beside = hyperparameters | self.net.inert
        self.about = sorted(hyperparameters)
        self.network = self.net.gates.keys() - self.beside
        self.share = self._share()
        if 0 < self.share < EARLY:
            self.about = [index for index in self.about if not self._is_rate(index)]
            self.share = self._share()
        anew = self.share >= EARLY and not self.network
        self.initial = [tensor.clone() for tensor in tensors_of(self.net)] if anew else None

    def begin(self, steps: int) -> int:
        """The step of a search that it begins with; `steps` if there is none."""
        return steps - round(self.share * steps)

    def compete(
        self, best: Decisions, evidence: Callable[[int, int], float | None], at: int
    ) -> None:
        """From here on members do that differ in what is not identified, if there is any.

        What else there is beside the network is the best record's.

        Args:
            best: the record that the search would end with.
            evidence: for a candidate of a decision, in standard errors.
            at: the step.
        """
        space, policy = self.net.space, self.search.policy()

        left: list[int] = []
        for index in self.about:
            chances, point = policy[index], space.points[index]
            place = preferred(chances)
            counts = best.values[index] is not None or any(p in left for p, _ in point.conditions)
            backing = evidence(index, place)
            if counts and not is_identified(chances[place], len(chances), backing, SURE):
                left.append(index)
        sizes = {index: len(policy[index]) for index in left}
        likely = {
            index: _only(best, index, chances) if index in self.beside else chances
            for index, chances in policy.items()
        }
        start = {index: preferred(likely[index]) for index in left}
        networks = any(max(policy[index]) < CERTAIN for index in self.network)
        rates = [index for index in left if self._is_rate(index)]
        most, rng = self.members, self.search.rng
        records = {best: None}
        for places in contenders(start, sizes, most, rng, networks=networks, rates=rates):
            certain = {i: one_hot(place, sizes[i]) for i, place in places.items()}
            records[self._drawn(likely | certain, records)] = None
        if len(records) > 1:
            columns = enumerate(zip(*(record.values for record in records), strict=True))
            differ = frozenset(index for index, column in columns if len(set(column)) > 1)
            members = [
                Member.anew(each, self.initial) if self.initial else Member.forked(each, self.net)
                for each in records
            ]
            self.population = Population(self.search, members, differ, at, self.trainings)

    def _drawn(self, policy: Policy, known: Collection[Decisions]) -> Decisions:
        """A record that is not known yet, if there seems to be one."""
        for _ in range(DRAWN):
            record = self.search.draw(policy, DRAWN)
            if record not in known:
                break
        return record

    def _share(self) -> float:
        combinations = math.prod(self.net.gates[index].size for index in self.about)
        most = self.members if self.network else min(self.members, combinations)
        return share(most, self.trainings) if most > 1 else 0.0

    def _is_rate(self, index: int) -> bool:
        point = self.net.space.points[index]
        live = index in self.net.live and is_number(point)
        return live and part_of(self.net, Number(point)).role == "rate"

    def policy(self) -> Policy:
        """Of the decisions that it is about: how many members that are left have each candidate."""
        return {} if self.population is None else self.population.policy()

    def found(self) -> dict[str, float]:
        """As a search's: the evidence for what is best now."""
        return {} if self.population is None else self.population.found()

    def state_dict(self) -> dict[str, Any] | None:
        """The population."""
        return None if self.population is None else self.population.state_dict()

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Go on from a state; called after `setup`."""
        if state is not None:
            self.population = Population.of_state(self.search, state)


def _only(record: Decisions, index: int, chances: Sequence[float]) -> Sequence[float]:
    """The record's candidate; the policy where it has none."""
    value = record.values[index]
    place = record.space.points[index].place
    return chances if value is None else one_hot(place(value), len(chances))
