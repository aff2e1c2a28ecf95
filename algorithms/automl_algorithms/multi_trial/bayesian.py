"""Bayesian optimisation and its relatives, by Optuna: TPE, Gaussian process, CMA-ES, NSGA-II, QMC.

Optuna (Akiba et al. 2019, arXiv 1907.10902) only proposes. Its study lives in memory and holds
exactly what is known: finished trials in the order in which they finished, with the decisions
that were really evaluated, and, while a proposal is made, those that are still running, so that
parallel workers are not sent to the same place ("constant liar").
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, Literal

from automl_algorithms.contract import Algorithm, Capabilities, Observation, Plan, algorithm
from automl_algorithms.multi_trial import _axes
from automl_spaces.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import random

    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, TrialState

    from automl_algorithms.multi_trial._optuna_samplers import CmaEs
    from automl_spaces.decisions import Decisions
    from automl_spaces.objective import Objective
    from automl_spaces.points import Point
    from automl_spaces.space import Space

SAMPLERS: Final = ("tpe", "gp", "cmaes", "nsga2", "qmc")
PATIENCE: Final = 20  # rejections of one trial after which it is drawn at random
SEES_RUNNING: Final = ("tpe", "gp")  # the others' proposals do not depend on running trials


@algorithm
class Bayesian(Algorithm):
    """Proposes what a model of the finished trials promises most.

    Args:
        sampler: tpe (Parzen estimators, the default), gp (Gaussian process: best for few, costly
            trials; 0.5 s a proposal after 100), cmaes (numbers only; candidates that are not are
            drawn by TPE), nsga2 (several objectives), qmc (Sobol sequence: no model).
        startup: random trials that come before the model of tpe and gp.
        population: size of a generation of nsga2 (50) and cmaes (4 + 3 ln d for d numbers).
        ordinal: candidates that are all numbers (kernel sizes, widths) are ordered by size.
    """

    capabilities = Capabilities(max_objectives=None, engine="optuna", model=True)

    def __init__(
        self,
        *,
        sampler: Literal["tpe", "gp", "cmaes", "nsga2", "qmc"] = "tpe",
        startup: int = 10,
        population: int | None = None,
        ordinal: bool = True,
    ) -> None:
        if sampler not in SAMPLERS:
            raise UserError(f"there is no sampler {sampler}", hint=did_you_mean(sampler, SAMPLERS))
        if startup < 1:
            raise UserError(f"startup must be at least 1, got {startup}")
        if population is not None and population < 2:
            raise UserError(f"population must be at least 2, got {population}")
        self.sampler, self.startup = sampler, startup
        self.population, self.ordinal = population, ordinal
        if sampler == "cmaes":
            self.capabilities = Capabilities(max_objectives=1, engine="optuna", model=True)

    def setup(self, space: Space, objectives: Sequence[Objective], seed: int) -> None:
        """Open an empty study. Raises `UserError` when cmaes finds no number to optimise."""
        import optuna

        from automl_algorithms.multi_trial import _optuna_samplers

        super().setup(space, objectives, seed)
        self._axes = [_axes.axis_of(p, ordinal=self.ordinal) for p in space.points]
        self._distributions = [_optuna_samplers.distribution_of(a) for a in self._axes]
        self._everywhere = [
            axis
            for axis, point in zip(self._axes, space.points, strict=True)
            if not point.conditions and not axis.fixed
        ]
        self._joint = {a.name: _optuna_samplers.distribution_of(a) for a in self._everywhere}
        self._running: dict[int, Decisions] = {}
        self._rejected: list[Decisions] = []  # earlier proposals for the trial at hand
        self._finished = 0
        self._parents: list[list[FrozenTrial]] = []  # memory of nsga2
        with _quietly():
            self._storage = optuna.storages.InMemoryStorage()
            self._study: Study = optuna.create_study(
                storage=self._storage,
                directions=["maximize"] * len(objectives),
                sampler=optuna.samplers.RandomSampler(),
            )
            self._rows = 0  # of the study, scratch rows included
            self._cmaes = self._open_cmaes() if self.sampler == "cmaes" else None

    def _open_cmaes(self) -> CmaEs:
        from automl_algorithms.multi_trial import _optuna_samplers

        numbers = [a for a in self._everywhere if a.kind != "category"]
        if not numbers:
            found = self.space.points[0].id if self.space.points else "the space"
            raise UserError(
                f"sampler: cmaes needs a number to optimise, {found} and all others are not",
                hint="these can: tpe, gp, nsga2, qmc",
            )
        return _optuna_samplers.CmaEs(
            numbers,
            seed=self.seed % 2**32,
            population=self.population,
            startup=self.startup,
        )

    def propose(self, trial_id: int, rng: random.Random) -> Decisions:
        """Random while the model has too little to go by, then what the sampler wants.

        The earlier proposals for a trial that come back as rejected are shown to the model as
        if they were running: it knows nothing of constraints, and would insist on them.
        """
        rejected = self._running.pop(trial_id, None)
        if rejected is None:
            self._rejected.clear()
        else:
            self._rejected.append(rejected)
        first = {"tpe": self.startup, "gp": self.startup, "nsga2": self._generation}
        if self._finished < first.get(self.sampler, 0) or len(self._rejected) > PATIENCE:
            decisions = self.space.sample(rng)
        else:
            with _quietly():
                self._study.sampler = self._seeded(trial_id, rng)
                decisions = self._ask(rng)
        self._running[trial_id] = decisions
        return decisions

    @property
    def _generation(self) -> int:
        return self.population or 50

    def _seeded(self, trial_id: int, rng: random.Random) -> BaseSampler:
        """A sampler that knows nothing but a seed: what it knows else, it reads in the study."""
        from automl_algorithms.multi_trial import _optuna_samplers as samplers

        seed = rng.getrandbits(32)
        if self._cmaes is not None:
            self._cmaes.reseed(seed)
            return self._cmaes
        if self.sampler == "gp":
            return samplers.Gp(self._joint, seed=seed, startup=self.startup)
        if self.sampler == "nsga2":
            size, parents = self._generation, self._parents
            return samplers.Nsga2(self._joint, seed=seed, population=size, parents=parents)
        if self.sampler == "qmc":
            # A rejected point is replaced by one of another sequence: the next index is taken.
            scramble = seed if self._rejected else self.seed % 2**32
            return samplers.Sobol(self._everywhere, seed=seed, index=trial_id, scramble=scramble)
        return samplers.Tpe(
            self._joint,
            seed=seed,
            startup=self.startup,
            objectives=len(self.objectives),
            liar=not self._is_alone,
        )

    def _ask(self, rng: random.Random) -> Decisions:
        """One proposal. The rows it needs in the study are scratch and end as failed."""
        from optuna.trial import TrialState

        from automl_algorithms.multi_trial._optuna_samplers import Attached, Detached

        before = self._rows
        if self.sampler in SEES_RUNNING:
            running = [decisions for _, decisions in sorted(self._running.items())]
            for decisions in running + self._rejected:
                self._add(TrialState.RUNNING, decisions)
        trial: Attached | Detached
        if self._is_alone:
            trial = Detached(self._study, self._storage)
        else:
            trial = Attached(self._study)
            self._rows += 1
        values: list[int | float | None] = [None] * len(self._axes)
        for i, (axis, point) in enumerate(zip(self._axes, self.space.points, strict=True)):
            if _is_active(point, values):
                values[i] = axis.decode(trial.suggest(axis, self._distributions[i]))
        for number in range(before, self._rows):
            self._study.tell(number, state=TrialState.FAIL)
        _axes.mend(self.space.points, values, rng)
        return self.space.complete(values, rng)

    @property
    def _is_alone(self) -> bool:
        """Whether TPE proposes and nothing is running: then no liar is needed."""
        return self.sampler == "tpe" and not self._running and not self._rejected

    def _add(
        self, state: TrialState, decisions: Decisions, rewards: tuple[float, ...] | None = None
    ) -> None:
        from optuna.trial import create_trial

        active = [
            (axis, distribution, value)
            for axis, distribution, value in zip(
                self._axes, self._distributions, decisions.values, strict=True
            )
            if value is not None
        ]
        self._study.add_trial(
            create_trial(
                state=state,
                values=rewards,
                params={axis.name: axis.encode(value) for axis, _, value in active},
                distributions={axis.name: distribution for axis, distribution, _ in active},
            )
        )
        self._rows += 1

    def feedback(self, observation: Observation) -> None:
        """Tell the study what was really evaluated; a trial without a reward teaches nothing."""
        from optuna.trial import TrialState

        self._running.pop(observation.trial_id, None)
        if observation.rewards:
            self._finished += 1
            with _quietly():
                self._add(TrialState.COMPLETE, observation.decisions, observation.rewards)

    def restore(self, trial_id: int, plan: Plan) -> None:
        """Take a proposal of others as running."""
        self._running[trial_id] = plan.decisions


def _is_active(point: Point, values: Sequence[int | float | None]) -> bool:
    return not point.conditions or any(values[p] == c for p, c in point.conditions)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep Optuna's talk off the terminal: what it warns of is chosen here on purpose."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(level)
