"""The contract between a search algorithm and whoever runs it: propose, feedback, restore.

An algorithm owns choices and nothing else. It is an in-memory state machine: its randomness is
an argument (`rng`, seeded by the caller from seed, trial id and attempt), feedback names its
trial, and rewards are always maximised. So a proposal depends only on (seed, trial id, attempt,
what is known so far), and a search is resumed by telling a fresh instance what the ledger holds.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, TypeVar

from automl_spaces.errors import Mark, Problem, UserError

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Sequence

    from automl_spaces.decisions import Decisions
    from automl_spaces.objective import Objective
    from automl_spaces.points import Point
    from automl_spaces.space import Space

_Class = TypeVar("_Class", bound=type[Any])

DECISIONS: Final = ("learning_rate", "weight_decay", "augmentation", "dropout", "architecture")
"""Kinds of decisions by which algorithms are compared."""
_NAMED: Final = {
    "lr": "learning_rate",
    "learning_rate": "learning_rate",
    "weight_decay": "weight_decay",
    "label_smoothing": "augmentation",
}
_WITHIN: Final = {"model": "architecture", "augment": "augmentation"}


def kinds(points: Iterable[Point]) -> frozenset[str]:
    """Of `DECISIONS` the kinds that points belong to, by their names; a name may tell nothing."""
    found = set()
    for point in points:
        parts = re.sub(r"\(.*?\)|\[.*?\]", "", point.id).split(".")
        found.add(_NAMED.get(parts[-1]) or _WITHIN.get(parts[0]))
    return frozenset(kind for kind in found if kind is not None)


class Exhausted(Exception):  # noqa: N818 - it says that the space is done, it is not an error
    """There is nothing left to propose."""


class Waiting(Exception):  # noqa: N818 - as above
    """There is nothing to propose until a trial that is running has finished."""


class Plan(NamedTuple):
    """What a trial is to evaluate, and how thoroughly.

    Args:
        decisions: the record to evaluate.
        budget: fidelity to be reached, in the program's own steps (epochs, mostly), counted
            from the start of the training and not of this trial; None means full.
        parent: a finished trial whose checkpoint this one goes on from. A promotion has its
            parent's decisions; population-based training changes them on the way.
    """

    decisions: Decisions
    budget: float | None = None
    parent: int | None = None

    @property
    def fidelity(self) -> float:
        """The budget as a number to compare by; full is more than any."""
        return math.inf if self.budget is None else self.budget


class Capabilities(NamedTuple):
    """What an algorithm can search; data, so that it is checked before anything runs.

    Args:
        continuous: takes points with infinitely many values.
        conditional: takes points that exist only under some choice of another point.
        groups: takes `manyof` and `permutate`, whose slots are constrained jointly.
        max_objectives: how many metrics it can trade off; None: any number.
        multi_fidelity: evaluates at several budgets: its proposals are plans, and the program
            must ask for `trial.budget` or `trial.report` as it goes.
        fixed_architecture: changes decisions in mid-training, so that no point may change which
            weights there are.
        exact_resume: after restore and feedback it goes on as if it had never stopped.
        engine: the library whose version its proposals depend on; empty: none but our own.
        model: fits a model of the objective to the results of its trials.
    """

    continuous: bool = True
    conditional: bool = True
    groups: bool = True
    max_objectives: int | None = 1
    multi_fidelity: bool = False
    fixed_architecture: bool = False
    exact_resume: bool = True
    engine: str = ""
    model: bool = False

    @property
    def accepts(self) -> frozenset[str]:
        """The kinds of decisions that it searches by trials, which set no others apart."""
        kinds = frozenset(DECISIONS)
        return kinds - {"architecture"} if self.fixed_architecture else kinds

    def shortfalls(self, space: Space, objectives: Sequence[Objective]) -> Iterator[str]:
        """Say what of this search lies beyond these capabilities, one clause for each."""
        for asks, can in (
            ("continuous", self.continuous),
            ("conditional", self.conditional),
            ("groups", self.groups),
        ):
            if not can:
                yield from _first_point(space, asks)
        if self.max_objectives is not None and len(objectives) > self.max_objectives:
            names = ", ".join(o.metric for o in objectives)
            yield f"takes at most {self.max_objectives} objective(s), got {names}"


def _first_point(space: Space, asks: str) -> Iterator[str]:
    for point in space.points:
        if asks == "continuous" and point.cardinality is None:
            what = f"it is continuous ({point.min:g} to {point.max:g})"
        elif asks == "conditional" and point.conditions:
            what = "it exists only under another choice"
        elif asks == "groups" and point.group is not None:
            what = "it is one slot of a subset or permutation"
        else:
            continue
        where = f", at {point.mark}" if point.mark else ""
        yield f"cannot search {point.id}: {what}{where}"
        return


SHARING: Final = Capabilities(continuous=False)
"""Of an algorithm of weight sharing that does not say otherwise."""


class Observation(NamedTuple):
    """What became of a trial.

    Args:
        trial_id: the trial that was proposed under this id.
        plan: what was really evaluated.
        state: completed, pruned (stopped early) or failed.
        rewards: one per objective, to be maximised, never NaN; `()` when the trial failed, or
            was pruned before it had a value.
        feasible: whether the trial is within the constraints. One that is not was run all the
            same, and its rewards say so already; it is only never the answer of a search.
    """

    trial_id: int
    plan: Plan
    state: Literal["completed", "pruned", "failed"]
    rewards: tuple[float, ...] = ()
    feasible: bool = True

    @property
    def decisions(self) -> Decisions:
        """Those of the plan."""
        return self.plan.decisions


class Algorithm(ABC):
    """Base of every multi-trial algorithm. `__init__` takes its options and nothing else.

    The resume law, which `tests/algorithms/test_contract.py` holds every algorithm to: tell a
    fresh instance `restore` for every known proposal and `feedback` in the order in which
    trials finished, each trial's restore before its feedback but otherwise interleaved in any
    way, and it proposes what the undisturbed instance proposes.
    """

    name: ClassVar[str] = ""
    capabilities: Capabilities = Capabilities()  # an instance may narrow it, by its options
    space: Space
    objectives: Sequence[Objective]
    seed: int

    def setup(self, space: Space, objectives: Sequence[Objective], seed: int) -> None:
        """Called once, before anything else. Raises `UserError` when the space does not suit."""
        self.space, self.objectives, self.seed = space, objectives, seed

    @abstractmethod
    def propose(self, trial_id: int, rng: random.Random) -> Decisions | Plan:
        """Choose what trial `trial_id` evaluates; bare decisions mean all of the training.

        Called again with the same id when the proposal was rejected (a constraint, a repeat):
        the earlier proposal is then void and was never evaluated. A plan that goes on from a
        parent with its decisions is never rejected.

        Raises:
            Exhausted: nothing is left.
            Waiting: nothing is left until a running trial has finished.
        """

    def feedback(self, observation: Observation) -> None:  # noqa: B027 - random search is done
        """Learn what became of a trial: once for each, in the order in which they finish."""

    def restore(self, trial_id: int, plan: Plan) -> None:  # noqa: B027 - see feedback
        """Learn of a proposal that others made: the baseline, or one found in the ledger.

        When `propose` was called for the same trial, its proposal is void and this is what is
        evaluated instead.
        """

    def recommend(self) -> int | None:
        """The finished trial that the search would go with; None: the one of the best value.

        Called when a search ends. The best of many noisy values owes part of its value to luck;
        an algorithm with a model of them knows better.
        """
        return None


def algorithm(cls: _Class) -> _Class:
    """Mark the class that its module is about; recipes name it as the module is named."""
    cls.name = cls.__module__.rpartition(".")[2]
    return cls


def check_capabilities(
    name: str,
    capabilities: Capabilities,
    space: Space,
    objectives: Sequence[Objective],
    mark: Mark | None = None,
) -> None:
    """Raise `UserError`, once for all shortfalls, with the algorithms that would work."""
    faults = list(capabilities.shortfalls(space, objectives))
    if not faults:
        return
    hint = ", ".join(_able(name, space, objectives))
    problems = [Problem(f"{name} {fault}", mark, "algorithm") for fault in faults]
    problems[-1] = Problem(problems[-1].message, mark, "algorithm", f"these can: {hint}")
    raise UserError(problems)


def _able(name: str, space: Space, objectives: Sequence[Objective]) -> Iterator[str]:
    """The algorithms that can, those that share weights first if `name` is one of them.

    Otherwise they are left out: whether a program can be taken apart is not known here.
    """
    from automl_algorithms import catalogue

    sharing, wanted = catalogue.names(family="weight_sharing"), kinds(space.points)
    fit = [each for each in sharing if name in sharing and wanted <= catalogue.accepts(each)]
    for each in [*fit, *catalogue.names(family="multi_trial")]:
        if not any(True for _ in catalogue.capabilities(each).shortfalls(space, objectives)):
            yield each
