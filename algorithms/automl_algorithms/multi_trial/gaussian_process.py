"""Gaussian process over decisions, searched by mutation: strong where trials are few.

What is BANANAS (White, Neiswanger, Savani, AAAI 2021, arXiv 1910.11858) but for the predictor,
which is not an ensemble of networks but a Gaussian process with a Hamming kernel, as in NAS-BOWL
(Ru et al., ICLR 2021): exact, and fitted in milliseconds.

    D <- a Latin hypercube of T0 records, evaluated
    while budget: fit the predictor to D
                  candidates <- mutations of the best records of D, and random records
                  evaluate the candidate with the best acquisition that is not in D

Every `STRAY`-th trial is a random record instead. A model whose scales are learned can be sure of
the wrong one of two distant optima for ever; with these it is not: Bull, "Convergence rates of
efficient global optimization algorithms", JMLR 2011 (epsilon-greedy).

The cost of a proposal is bounded: beyond `CAPACITY` trials the model keeps the better half of
its capacity by reward and the other by age, and its length scales are learned anew only when
the number of trials has grown by `GROWTH`.

The search ends with the record of the highest posterior mean among the best that were evaluated:
what its neighbours say of it takes the luck out of a noisy value.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Literal

from automl_algorithms.contract import Algorithm, Capabilities, Observation, Plan, algorithm
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from automl_algorithms.multi_trial._batch import Array
    from automl_algorithms.multi_trial._surrogate import Posterior
    from automl_spaces.objective import Objective
    from automl_spaces.space import Space

ACQUISITIONS: Final = ("ei", "its")
CAPACITY: Final = 160  # trials in the model
GROWTH: Final = 1.15
PARENTS: Final = 10
MUTANTS: Final = 300
STRANGERS: Final = 600  # random candidates: what is far from all parents
PEAKS: Final = 5  # candidates whose own neighbourhood is looked at
STRAY: Final = 5
PATIENCE: Final = 20  # rejections of one trial after which it is drawn at random
ELITE: Final = 0.15  # of the trials, by reward: one of them is recommended


@algorithm
class GaussianProcess(Algorithm):
    """Proposes what an exact model of the finished trials promises most. 5 ms per proposal.

    Args:
        acquisition: ei (expected improvement) or its (independent Thompson sampling, the choice
            of BANANAS: explores more).
        startup: trials of a Latin hypercube that come before the model.
    """

    capabilities = Capabilities(model=True)

    def __init__(self, *, acquisition: Literal["ei", "its"] = "ei", startup: int = 20) -> None:
        if acquisition not in ACQUISITIONS:
            hint = did_you_mean(acquisition, ACQUISITIONS)
            raise UserError(f"there is no acquisition {acquisition}", hint=hint)
        if startup < 2:
            raise UserError(f"startup must be at least 2, got {startup}")
        self.acquisition, self.startup = acquisition, startup

    def setup(self, space: Space, objectives: Sequence[Objective], seed: int) -> None:
        """Lay out the Latin hypercube."""
        import numpy as np

        from automl_algorithms.multi_trial._batch import Batch

        super().setup(space, objectives, seed)
        self._batch = Batch(space)
        self._design = self._batch.spread(self.startup, np.random.default_rng(seed % 2**32))
        self._evaluated: list[Array] = []  # rows of what has a reward, in the order of finishing
        self._rewards: list[float] = []
        self._ids: list[int | None] = []  # None: was pruned, is not to be recommended
        self._finished: set[Decisions] = set()
        self._running: dict[int, Decisions] = {}
        self._rejected: list[Decisions] = []  # earlier proposals for the trial at hand
        self._fitted = 0  # how many trials the length scales were learned from

    def propose(self, trial_id: int, rng: random.Random) -> Decisions:
        """A record of the hypercube, later the best candidate that is neither known nor running."""
        rejected = self._running.pop(trial_id, None)
        if rejected is None:
            self._rejected.clear()
        else:
            self._rejected.append(rejected)
        self._running[trial_id] = decisions = self._choose(trial_id, rng)
        return decisions

    def _choose(self, trial_id: int, rng: random.Random) -> Decisions:
        early = len(self._rewards) < self.startup
        if early or len(self._rejected) > PATIENCE or not self.space.points:
            if trial_id < self.startup and not self._rejected:
                return self._decisions(self._design[trial_id])
            return self.space.sample(rng)
        if trial_id % STRAY == 0 and not self._rejected:
            stray = self.space.sample(rng)
            if not self._is_known(stray):
                return stray
        for row in self._ranked(rng):
            decisions = self._decisions(row)
            if not self._is_known(decisions):
                return decisions
        return self.space.sample(rng)

    def _decisions(self, row: Array) -> Decisions:
        return Decisions(self.space, self._batch.values(row))

    def _is_known(self, decisions: Decisions) -> bool:
        return (
            decisions in self._finished
            or decisions in self._rejected
            or decisions in self._running.values()
        )

    def _ranked(self, rng: random.Random) -> Array:
        """Candidates, (m, d), the most promising first."""
        import numpy as np

        generator = np.random.default_rng(rng.getrandbits(64))
        rewards = np.array(self._rewards)
        model = self._model(rewards)
        best = self._rows(np.argsort(-rewards, kind="stable")[:PARENTS])
        ceiling = model.predict(self._batch.features(best))[0].max()
        candidates = np.concatenate(
            [self._mutants(best, MUTANTS, generator), self._batch.sample(STRANGERS, generator)]
        )
        scores = self._scores(model, candidates, ceiling, generator)
        peaks = candidates[np.argsort(-scores, kind="stable")[:PEAKS]]
        near = self._mutants(peaks, MUTANTS // 3, generator)
        candidates = np.concatenate([candidates, near])
        scores = np.append(scores, self._scores(model, near, ceiling, generator))
        return candidates[np.argsort(-scores, kind="stable")]

    def _rows(self, which: Iterable[int]) -> Array:
        import numpy as np

        return np.stack([self._evaluated[i] for i in which])

    def _model(self, rewards: Array) -> Posterior:
        """The posterior of what is known and running, with the length scales that are due."""
        from automl_algorithms.multi_trial._surrogate import Posterior, fit_scales

        due = _last_fit(self.startup, len(rewards))
        if due != self._fitted:
            self._scales = fit_scales(*self._data(rewards[:due]), self._batch.owner)
            self._fitted = due
        posterior = Posterior(*self._data(rewards), self._batch.owner, self._scales)
        running = [decisions.values for _, decisions in sorted(self._running.items())]
        if not running:
            return posterior
        return posterior.believing(self._batch.features(self._batch.rows(running)))

    def _data(self, rewards: Array) -> tuple[Array, Array]:
        """Features and targets of the trials that the model holds."""
        from automl_algorithms.multi_trial._surrogate import tamed

        held = _held(rewards)
        return self._batch.features(self._rows(held)), tamed(rewards[held])

    def _mutants(self, parents: Array, m: int, generator: np.random.Generator) -> Array:
        """(m, d): half have one decision changed, half about two; earlier parents have more."""
        import numpy as np

        share = 1.0 / np.arange(1, len(parents) + 1)
        chosen = generator.choice(len(parents), m, p=share / share.sum())
        rates = np.where(generator.random(m) < 0.5, 0.0, 1.5 / parents.shape[1])
        steps = 10.0 ** generator.uniform(-2.0, -0.5, m)
        return self._batch.mutate(parents[chosen], rates, steps, generator)

    def _scores(
        self, model: Posterior, rows: Array, best: float, generator: np.random.Generator
    ) -> Array:
        import numpy as np

        from automl_algorithms.multi_trial._surrogate import log_expected_improvement

        means, deviations = model.predict(self._batch.features(rows))
        if self.acquisition == "its":
            drawn: Array = means + deviations * generator.standard_normal(len(means))
            return drawn
        # Rounded, so that records which are equally good stay so on every machine.
        return np.round(log_expected_improvement(means, deviations, best), 9)

    def feedback(self, observation: Observation) -> None:
        """Learn the reward; a trial without one is known, and not proposed again."""
        self._running.pop(observation.trial_id, None)
        self._finished.add(observation.decisions)
        if observation.rewards:
            self._evaluated.extend(self._batch.rows([observation.decisions.values]))
            self._rewards.append(observation.rewards[0])
            pruned = observation.state == "pruned"
            self._ids.append(None if pruned else observation.trial_id)

    def restore(self, trial_id: int, plan: Plan) -> None:
        """Take a proposal of others as running."""
        self._running[trial_id] = plan.decisions

    def recommend(self) -> int | None:
        """The best trial by a model that doubts the values more, among the best by their values.

        A search that noise misleads goes on and corrects itself, but nothing follows its end; and
        most rewards stand for something else: for a longer training, or another one.
        """
        import numpy as np

        from automl_algorithms.multi_trial._surrogate import (
            DOUBT,
            Posterior,
            Scales,
            fit_scales,
            tamed,
        )

        if len(self._rewards) < self.startup or not self.space.points:
            return None
        rewards = np.array(self._rewards)
        held, owner = _held(rewards), self._batch.owner
        features, targets = self._batch.features(self._rows(held)), tamed(rewards[held])
        scales = Scales(fit_scales(features, targets, owner, DOUBT).weights, DOUBT)
        means, _ = Posterior(features, targets, owner, scales).predict(features)
        order = held[np.argsort(-np.round(means, 9), kind="stable")]
        unpruned = [i for i, trial in enumerate(self._ids) if trial is not None]
        unpruned.sort(key=self._rewards.__getitem__, reverse=True)
        elite = set(unpruned[: 1 + int(ELITE * len(unpruned))])
        return next((self._ids[i] for i in order if i in elite), None)


def _last_fit(startup: int, n: int) -> int:
    """The largest number of trials, at most n, at which the length scales are learned.

    It depends on n alone, so that a resumed search learns from the trials that the undisturbed
    one learned from.
    """
    due = startup
    while (later := max(due + 1, int(due * GROWTH))) <= n:
        due = later
    return due


def _held(rewards: Array) -> NDArray[np.intp]:
    """Indices, increasing, of the trials in the model: the best ones and the latest others."""
    import numpy as np

    n = len(rewards)
    if n <= CAPACITY:
        return np.arange(n)
    order = np.argsort(-rewards, kind="stable")
    best, others = np.split(order, [CAPACITY // 2])
    latest = np.sort(others)[CAPACITY // 2 - CAPACITY :]
    return np.sort(np.concatenate([best, latest]))
