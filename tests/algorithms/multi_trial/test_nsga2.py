"""NSGA-II: who stays, who breeds, and whether its front is worth the trouble."""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter
from typing import Any

import pytest

from automl_algorithms.contract import Observation, Plan
from automl_algorithms.multi_trial.nsga2 import NSGA2
from automl_algorithms.multi_trial.random import Random
from automl_algorithms.pareto import hypervolume, non_dominated
from automl_algorithms.proposer import attempt_rng
from automl_algorithms.sampling import sample
from automl_spaces.choices import floatv
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from automl_spaces.space import Space
from tests.algorithms.driving import TWO
from tests.algorithms.spaces import reward_of, space_of

CELLS = space_of("cells")


def _nsga2(**options: Any) -> NSGA2:
    made = NSGA2(**options)
    made.setup(CELLS, TWO, 0)
    return made


def _born(nsga2: NSGA2, trial_id: int, *rewards: float) -> Decisions:
    decisions = CELLS.sample(random.Random(trial_id))
    nsga2.restore(trial_id, Plan(decisions))
    nsga2.feedback(Observation(trial_id, Plan(decisions), "completed", rewards))
    return decisions


def _alive(nsga2: NSGA2) -> list[tuple[float, ...]]:
    return [m.rewards for m in nsga2._ranked]


def test_the_last_front_leaves_first() -> None:
    """Whoever is dominated most goes, young or old."""
    nsga2 = _nsga2(population=3)
    for i, rewards in enumerate([(1.0, 1.0), (5.0, 0.0), (0.0, 5.0), (3.0, 3.0), (2.0, 2.0)]):
        _born(nsga2, i, *rewards)
    assert set(_alive(nsga2)) == {(5.0, 0.0), (0.0, 5.0), (3.0, 3.0)}


def test_the_most_crowded_of_a_front_leaves() -> None:
    """The ends of the front stay, and of the others those with room."""
    nsga2 = _nsga2(population=4)
    for i, x in enumerate([0.0, 10.0, 5.0, 5.5, 2.5]):
        _born(nsga2, i, x, 10.0 - x)
    assert {x for x, _ in _alive(nsga2)} == {0.0, 10.0, 5.5, 2.5}


def test_nobody_without_rewards_joins() -> None:
    """A failure frees its place in the first generation and does nothing else."""
    nsga2 = _nsga2(population=2)
    states = ["failed", "completed", "failed", "completed"]
    for trial_id, state in enumerate(states):
        drawn = nsga2.propose(trial_id, attempt_rng(0, trial_id, 0))
        assert drawn == CELLS.sample(attempt_rng(0, trial_id, 0))
        rewards = (1.0, 1.0) if state == "completed" else ()
        nsga2.feedback(Observation(trial_id, Plan(drawn), state, rewards))  # type: ignore[arg-type]
    assert len(_alive(nsga2)) == 2
    assert nsga2.propose(4, attempt_rng(0, 4, 0)) != CELLS.sample(attempt_rng(0, 4, 0))


def test_binary_tournament() -> None:
    """Of n in order, the first is a parent with probability 1 - (1 - 1/n)^2: 0.36 of 5."""
    nsga2 = _nsga2(population=5)
    born = [_born(nsga2, i, float(i), float(i)) for i in range(5)]
    wins = Counter(nsga2._parent(random.Random(i)).values for i in range(4000))
    shares = [wins[b.values] / 4000 for b in born]
    assert shares == pytest.approx([0.04, 0.12, 0.20, 0.28, 0.36], abs=0.03)


def test_children_are_made_from_whatever_is_known() -> None:
    """More workers than places: nobody waits, and the one that lives is everybody's parent."""
    nsga2 = _nsga2(population=2)
    drawn = [nsga2.propose(i, attempt_rng(0, i, 0)) for i in range(6)]
    assert len(set(drawn)) == 6
    nsga2.feedback(Observation(3, Plan(drawn[3]), "completed", (1.0, 1.0)))
    child = nsga2.propose(6, attempt_rng(0, 6, 0))
    assert sum(a != b for a, b in zip(child.values, drawn[3].values, strict=True)) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": 1}, "population must be at least 2"),
        ({"crossover": -0.1}, "crossover must be"),
        ({"mutation_rate": 2.0}, "mutation_rate must be"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    """Each is refused with what it should have been."""
    with pytest.raises(UserError, match=message):
        NSGA2(**options)


def test_its_front_beats_that_of_random_search() -> None:
    """ZDT1 of ten numbers (Deb et al., table I): the median area of 5 seeds, 300 trials.

    The reference is (1.1, 7); an area of 7.36 is perfect. Random search reaches 5.0.
    """
    template = {f"x{i}": floatv(0.0, 1.0) for i in range(10)}
    space = Space.compile(template)

    def median(make: type[NSGA2] | type[Random]) -> float:
        areas = []
        for seed in range(5):
            objectives = [Objective("f1", "minimize"), Objective("f2", "minimize")]
            search = sample(space, make(), 300, objective=objectives, seed=seed)
            for program, feedback in search:
                x, *others = program.values()
                g = 1 + sum(others)
                feedback((x, g * (1 - math.sqrt(x / g))))
            rewards = [(-f1, -f2) for f1, f2 in (r.values for r in search.results)]
            areas.append(hypervolume(rewards, (-1.1, -7.0)))
        return statistics.median(areas)

    assert median(NSGA2) > median(Random) + 1.0


def test_one_objective_is_a_front_of_one_value() -> None:
    """It then is a steady-state genetic algorithm, and finds the best of 15,625 in 400 trials."""
    search = sample(CELLS, NSGA2(), 400)
    for _, feedback in search:
        feedback(reward_of(feedback.decisions))
    assert search.best is not None
    best = max(reward_of(CELLS.decode({f"edges[{i}]": op for i in range(6)}))
               for op in ["none", "skip", "conv1", "conv3", "pool"])  # fmt: skip
    assert search.best.values[0] == pytest.approx(best)
    assert len(non_dominated([r.values for r in search.front])) == len(search.front)


def test_the_population_does_not_grow() -> None:
    """After 500 trials of random rewards there are P members, and nothing is in flight."""
    nsga2, rng = _nsga2(population=20), random.Random(0)
    for trial_id in range(500):
        decisions = nsga2.propose(trial_id, attempt_rng(0, trial_id, 0))
        rewards = (rng.random(), rng.random())
        nsga2.feedback(Observation(trial_id, Plan(decisions), "completed", rewards))
    assert len(_alive(nsga2)) == 20
    assert nsga2._in_flight == set()
