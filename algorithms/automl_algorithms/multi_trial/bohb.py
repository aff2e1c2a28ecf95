"""BOHB: Hyperband whose new configurations come from a model of the good and the bad ones.

Falkner, Klein, Hutter, "BOHB: Robust and efficient hyperparameter optimization at scale", ICML
2018 (arXiv 1807.01774). Brackets, promotions and checkpoints are Hyperband's: a promotion goes
on from the checkpoint of the same configuration's trial on the rung below. In place of a random
configuration (Algorithm 2):

    take the largest budget on which more than d + 1 configurations have finished, d dimensions
    l, g <- kernel densities of the best 15 % and of the others
    of 64 candidates, drawn near good ones with the bandwidth widened by 3: the largest l / g

and every third one is random all the same. Settings are those of HpBandSter, the authors' code.
"""

from __future__ import annotations

import math
import random
from bisect import insort
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from automl_algorithms.contract import Capabilities, Observation, algorithm
from automl_algorithms.multi_trial import _axes, _brackets, _fidelity
from automl_algorithms.multi_trial.hyperband import Hyperband
from automl_spaces.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from automl_algorithms.multi_trial._brackets import Rung
    from automl_algorithms.multi_trial._kde import Kde
    from automl_spaces.decisions import Decisions
    from automl_spaces.objective import Objective
    from automl_spaces.space import Space


class Preset(NamedTuple):
    """A named setting."""

    samples: int
    random_fraction: float
    min_bandwidth: float
    sparse: bool  # HpBandSter's brackets, which begin with fewer configurations


PRESETS: Final = {
    "default": Preset(64, 1 / 3, 1e-3, sparse=False),
    "nats": Preset(4, 0.0, 0.3, sparse=True),  # Dong et al. 2021, NATS-Bench
}
GOOD: Final = 0.15
WIDENING: Final = 3.0
FLOOR: Final = math.log(1e-32)  # below it densities are not told apart
PATIENCE: Final = 20  # rejections of one trial after which it is drawn at random

Row = tuple[bool, float, int, list[float]]  # whether it failed, -reward, trial, point


@algorithm
class Bohb(Hyperband):
    """Hyperband with a kernel density model. About 2 ms per trial.

    Trials that failed or were pruned are as bad as can be for the model, never good.

    Args:
        preset: default, or nats: the constants of NATS-Bench, with HpBandSter's brackets; the
            last three options override it one by one.
        max_budget: of the last rung; None: the program's own `epochs`.
        min_budget: no rung has less; None: one step.
        eta: one in eta is promoted, to eta times the budget.
        samples: candidates of which the most promising one is proposed.
        random_fraction: part of the configurations that are drawn at random.
        min_bandwidth: of the kernels; numbers lie in [0, 1].
    """

    capabilities = Capabilities(multi_fidelity=True, model=True)

    def __init__(
        self,
        *,
        preset: Literal["default", "nats"] = "default",
        max_budget: float | None = None,
        min_budget: float | None = None,
        eta: int | float = 3,
        samples: int | None = None,
        random_fraction: float | None = None,
        min_bandwidth: float | None = None,
    ) -> None:
        super().__init__(max_budget=max_budget, min_budget=min_budget, eta=eta)
        if preset not in PRESETS:
            raise UserError(f"there is no preset {preset}", hint=did_you_mean(preset, PRESETS))
        chosen = PRESETS[preset]
        self.samples = chosen.samples if samples is None else samples
        self.random_fraction = (
            chosen.random_fraction if random_fraction is None else random_fraction
        )
        self.min_bandwidth = chosen.min_bandwidth if min_bandwidth is None else min_bandwidth
        self._sparse = chosen.sparse
        if self.samples < 1:
            raise UserError(f"samples must be at least 1, got {self.samples}")
        if not 0 <= self.random_fraction <= 1:
            raise UserError(f"random_fraction must be in [0, 1], got {self.random_fraction:g}")
        if not 0 < self.min_bandwidth < math.inf:
            raise UserError(f"min_bandwidth must be above 0, got {self.min_bandwidth:g}")

    def setup(self, space: Space, objectives: Sequence[Objective], seed: int) -> None:
        """Lay out the brackets; nothing is known yet."""
        super().setup(space, objectives, seed)
        axes = [_axes.axis_of(p, ordinal=True) for p in space.points]
        self._axes = [(i, axis) for i, axis in enumerate(axes) if not axis.fixed]
        self._levels = [a.size if a.kind == "category" else 0 for _, a in self._axes]
        self._rows: dict[float, list[Row]] = {b: [] for b in self.budgets}  # the best first
        self._reached = dict.fromkeys(self.budgets, 0)  # how many of them did not fail
        self._model: tuple[float, int, Kde, Kde] | None = None
        self._asked = -1, 0  # the trial at hand, and how often it was drawn

    def _layout(self) -> list[list[Rung]]:
        layout = _brackets.hpbandster if self._sparse else _brackets.hyperband
        return layout(self.budgets, self.eta)

    def _draw(self, trial_id: int, rng: random.Random) -> Decisions:
        """What the model promises most; at random while there is none, and now and then."""
        trial, times = self._asked
        self._asked = trial_id, times + 1 if trial == trial_id else 1
        if rng.random() < self.random_fraction or self._asked[1] > PATIENCE:
            return self.space.sample(rng)
        model = self._fitted()
        if model is None:
            return self.space.sample(rng)
        import numpy as np

        good, bad = model
        candidates = [good.draw(rng, WIDENING) for _ in range(self.samples)]
        points = np.array(candidates)
        promise = np.maximum(good.log_density(points), FLOOR) - np.maximum(
            bad.log_density(points), FLOOR
        )
        # Rounded: another CPU's last digit must not decide between candidates that are equal.
        return self._decode(candidates[int(promise.round(9).argmax())], rng)

    def _fitted(self) -> tuple[Kde, Kde] | None:
        """The densities of good and bad configurations; None while too few have finished."""
        least = len(self._levels) + 1
        budget = next((b for b in reversed(self.budgets) if self._reached[b] > least), None)
        if budget is None:
            return None
        rows = self._rows[budget]
        if self._model is None or self._model[:2] != (budget, len(rows)):
            import numpy as np

            from automl_algorithms.multi_trial._kde import Kde, impute

            # At least d + 1 in each, so that with few rows those in the middle are in both.
            count = min(max(least, int(GOOD * len(rows))), self._reached[budget])
            parts = rows[:count], rows[-max(least, len(rows) - count) :]
            good, bad = (
                Kde(
                    impute(np.array([row[-1] for row in part]), self._levels),
                    self._levels,
                    self.min_bandwidth,
                )
                for part in parts
            )
            self._model = budget, len(rows), good, bad
        return self._model[2:]

    def _encode(self, decisions: Decisions) -> list[float]:
        point = []
        for i, axis in self._axes:
            value = decisions.values[i]
            if value is None:
                point.append(math.nan)
            else:
                coordinate = axis.encode(value)
                unordered = axis.kind == "category"
                point.append(float(coordinate) if unordered else axis.to_unit(coordinate))
        return point

    def _decode(self, point: Sequence[float], rng: random.Random) -> Decisions:
        values: list[int | float | None] = [None] * len(self.space.points)
        for (i, axis), place in zip(self._axes, point, strict=True):
            values[i] = axis.decode(place if axis.kind == "category" else axis.from_unit(place))
        _axes.mend(self.space.points, values, rng)
        return self.space.complete(values, rng)

    def feedback(self, observation: Observation) -> None:
        """Add the result to the rows of its budget, then do as Hyperband does."""
        budget = self._rung(observation.trial_id).budget
        reached = _fidelity.reached(observation)
        loss = -observation.rewards[0] if reached else math.inf
        row = not reached, loss, observation.trial_id, self._encode(observation.decisions)
        insort(self._rows[budget], row)
        self._reached[budget] += reached
        super().feedback(observation)
