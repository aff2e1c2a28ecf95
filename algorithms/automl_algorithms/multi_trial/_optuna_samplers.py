"""Optuna's samplers, made to propose from what has finished and from nothing else.

Optuna keeps some of its state in attributes of the trials that it proposed itself, and finds
the search space by intersecting all past trials. A resumed search has no such attributes. Here
each sampler is told the space, and generations are formed by the order in which trials finish,
so that a proposal is a function of the finished trials, the running ones and a seed.

`joint` always maps the axes that every trial has (unconditional, more than one value) to their
distributions: these are modelled together; the others one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from automl_algorithms.multi_trial._axes import Axis

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

Joint = Mapping[str, BaseDistribution]


def distribution_of(axis: Axis) -> BaseDistribution:
    """The set of an axis's coordinates, in Optuna's terms."""
    if axis.kind == "category":
        return CategoricalDistribution(range(axis.size))
    if axis.kind == "grid":
        return IntDistribution(0, axis.size - 1)
    return FloatDistribution(0.0, 1.0)


class Attached:
    """A trial of the study, as Optuna has it."""

    def __init__(self, study: Study) -> None:
        self._trial = study.ask()

    def suggest(self, axis: Axis, distribution: BaseDistribution) -> int | float:
        """Ask Optuna for one coordinate."""
        if axis.kind == "category":
            return int(self._trial.suggest_categorical(axis.name, range(axis.size)))
        if axis.kind == "grid":
            return self._trial.suggest_int(axis.name, 0, axis.size - 1)
        return self._trial.suggest_float(axis.name, 0.0, 1.0)


class Detached:
    """A trial of no study, for a sampler that keeps nothing in it: there is nothing to undo.

    The coordinates are those of an `Attached` one.
    """

    def __init__(self, study: Study, storage: BaseStorage) -> None:
        # Opened anew, because a study remembers its trials from one `ask` to the next.
        self._study = optuna.load_study(
            study_name=study.study_name, storage=storage, sampler=study.sampler
        )
        self._sampler = study.sampler
        self._trial = optuna.trial.create_trial(state=TrialState.RUNNING)
        joint = self._sampler.infer_relative_search_space(self._study, self._trial)
        self._found = self._sampler.sample_relative(self._study, self._trial, joint)

    def suggest(self, axis: Axis, distribution: BaseDistribution) -> int | float:
        """The coordinate that was sampled with the others, or one by itself."""
        if axis.fixed:
            return 0
        if axis.name in self._found:
            found: int | float = self._found[axis.name]
            return found
        alone: int | float = self._sampler.sample_independent(
            self._study, self._trial, axis.name, distribution
        )
        return alone


def finished(study: Study) -> list[FrozenTrial]:
    """The completed trials, in the order in which they finished."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


class _Told(BaseSampler):
    """Mixin: the joint search space is told, O(1), and not inferred from all trials, O(n)."""

    joint: Joint

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return dict(self.joint)


class Tpe(_Told, TPESampler):
    """Tree-structured Parzen estimator, joint for one objective (Bergstra et al. 2011)."""

    def __init__(
        self, joint: Joint, *, seed: int, startup: int, objectives: int, liar: bool = True
    ) -> None:
        several = objectives > 1
        super().__init__(
            seed=seed, n_startup_trials=startup, multivariate=not several, constant_liar=liar
        )
        self.joint = {} if several else joint  # MOTPE models each axis by itself, as in Optuna


class Gp(_Told, GPSampler):
    """Gaussian process with log expected improvement; conditional axes by TPE."""

    def __init__(self, joint: Joint, *, seed: int, startup: int) -> None:
        conditional = Tpe({}, seed=seed, startup=startup, objectives=1)
        super().__init__(seed=seed, n_startup_trials=startup, independent_sampler=conditional)
        self.joint = joint


class Nsga2(_Told, NSGAIISampler):
    """NSGA-II (Deb et al. 2002): the g-th `population` trials to finish are generation g.

    `parents` is the memory between proposals: the parents chosen for each generation. They
    follow from the finished trials, so that losing it costs time and changes nothing.
    """

    def __init__(
        self, joint: Joint, *, seed: int, population: int, parents: list[list[FrozenTrial]]
    ) -> None:
        super().__init__(seed=seed, population_size=population)
        self.joint, self._size, self._parents = joint, population, parents

    def get_trial_generation(self, study: Study, trial: FrozenTrial) -> int:
        return len(finished(study)) // self._size

    def get_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        return finished(study)[generation * self._size : (generation + 1) * self._size]

    def get_parent_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        while len(self._parents) <= generation:  # generation 0 has no parents
            born = len(self._parents)
            self._parents.append(self.select_parent(study, born) if born else [])
        return self._parents[generation]


class _InTheCube(_Told):
    """Mixin: proposes points of the unit cube for the joint axes, the others independently."""

    def __init__(self, axes: Sequence[Axis], independent: BaseSampler) -> None:
        self.axes, self.independent = axes, independent
        self.joint = {axis.name: distribution_of(axis) for axis in axes}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution
    ) -> Any:
        return self.independent.sample_independent(study, trial, name, distribution)

    def _coordinates(self, point: Sequence[float]) -> dict[str, Any]:
        return {
            axis.name: axis.from_unit(min(max(float(u), 0.0), 1.0))
            for axis, u in zip(self.axes, point, strict=True)
        }


class Sobol(_InTheCube):
    """Scrambled Sobol sequence (Owen 1998): trial number `index` is its point number `index`."""

    def __init__(self, axes: Sequence[Axis], *, seed: int, index: int, scramble: int) -> None:
        super().__init__(axes, RandomSampler(seed=seed))
        self._index, self._scramble = index, scramble

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        from scipy.stats.qmc import Sobol as Sequence_  # type: ignore[import-untyped]

        if not self.axes:
            return {}
        sequence = Sequence_(len(self.axes), scramble=True, seed=self._scramble)
        if self._index:
            sequence.fast_forward(self._index)
        return self._coordinates(sequence.random(1)[0])


class CmaEs(_InTheCube):
    """CMA-ES (Hansen 2016, arXiv 1604.00772) over the ordered axes; the others by TPE.

    The g-th `population` trials to finish are generation g, whoever proposed them, so that a
    resumed search has the mean and the covariance that it was stopped with. Starts in the
    middle of the cube with a step of 1/6, as Optuna does.
    """

    def __init__(
        self, axes: Sequence[Axis], *, seed: int, population: int | None, startup: int
    ) -> None:
        import cmaes
        import numpy as np

        super().__init__(axes, RandomSampler(seed=seed))
        self._startup, self._generation = startup, 0
        self._cma = cmaes.CMA(
            mean=np.full(len(axes), 0.5),
            sigma=1 / 6,
            bounds=np.tile([0.0, 1.0], (len(axes), 1)),
            n_max_resampling=10 * len(axes),
            population_size=population,
            seed=seed,
        )

    def reseed(self, seed: int) -> None:
        """Seed the next proposal."""
        self._cma.reseed_rng(seed)
        self.independent = Tpe({}, seed=seed, startup=self._startup, objectives=1)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self._learn(finished(study))
        return self._coordinates(self._cma.ask())

    def _learn(self, trials: list[FrozenTrial]) -> None:
        import numpy as np

        size = self._cma.population_size
        while (self._generation + 1) * size <= len(trials):
            born = trials[self._generation * size : (self._generation + 1) * size]
            self._cma.tell([(np.array(self._place(t)), -float(t.values[0])) for t in born])
            self._generation += 1

    def _place(self, trial: FrozenTrial) -> list[float]:
        return [axis.to_unit(trial.params[axis.name]) for axis in self.axes]
