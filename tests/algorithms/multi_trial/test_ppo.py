"""PPO: when it updates, what it clips, and that it finds what it should."""

from __future__ import annotations

import math
import random
import statistics
from typing import Any, Literal

import numpy as np
import pytest

from automl_algorithms.contract import Observation, Plan
from automl_algorithms.multi_trial._policies_heads import Array, Distributions
from automl_algorithms.multi_trial.ppo import PPO
from automl_algorithms.multi_trial.random import Random
from automl_algorithms.proposer import attempt_rng
from automl_algorithms.sampling import sample
from automl_spaces.choices import floatv
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError
from automl_spaces.space import Space
from tests.algorithms.driving import ONE
from tests.algorithms.spaces import reward_of, space_of

CELLS = space_of("cells")


def _made(space: Space = CELLS, **options: Any) -> PPO:
    made = PPO(**options)
    made.setup(space, ONE, 0)
    return made


def _tell(algorithm: PPO, trial_id: int, decisions: Decisions, *rewards: float) -> None:
    state: Literal["completed", "failed"] = "completed" if rewards else "failed"
    algorithm.feedback(Observation(trial_id, Plan(decisions), state, rewards))


def _log_prob(algorithm: PPO, decisions: list[Decisions]) -> Array:
    batch = algorithm._policy.heads.read([d.values for d in decisions])
    outputs, _ = algorithm._policy.forward(batch)
    return Distributions(algorithm._policy.heads, outputs, batch).log_prob()


def test_it_learns_once_per_batch_of_trials_with_a_reward() -> None:
    """Failed and diverged trials do not count; nothing of an old batch is kept."""
    algorithm = _made(batch=3)
    start = algorithm._policy.parameters.copy()
    decisions = [CELLS.sample(random.Random(i)) for i in range(3)]
    _tell(algorithm, 0, decisions[0], 1.0)
    _tell(algorithm, 1, decisions[1], 2.0)
    _tell(algorithm, 2, decisions[2])
    _tell(algorithm, 3, decisions[2], math.inf)
    assert np.array_equal(algorithm._policy.parameters, start)
    _tell(algorithm, 4, decisions[2], 3.0)
    assert not np.array_equal(algorithm._policy.parameters, start)
    assert algorithm._records == algorithm._rewards == []


def test_the_first_step_is_the_plain_policy_gradient() -> None:
    """While the policy is the old one, all ratios are 1: the mean of A grad log p."""
    algorithm = _made(batch=4, epochs=1, entropy=0.0)
    decisions = [CELLS.sample(random.Random(i)) for i in range(4)]
    batch = algorithm._policy.heads.read([d.values for d in decisions])
    outputs, pull = algorithm._policy.forward(batch)
    slope = Distributions(algorithm._policy.heads, outputs, batch).log_prob_slope()
    advantages = np.array([-1.0, 1.0, 1.0, -1.0])[:, None]  # of 1, 3, 3, 1
    expected = pull(advantages * slope / 4)
    seen: list[Array] = []
    algorithm._adam.ascend = lambda parameters, gradient: seen.append(gradient)  # type: ignore[method-assign]
    for i, (each, reward) in enumerate(zip(decisions, [1.0, 3.0, 3.0, 1.0], strict=True)):
        _tell(algorithm, i, each, reward)
    assert seen == [pytest.approx(expected)]


def test_clipping_limits_what_a_batch_can_do() -> None:
    """However many epochs, ratios stay near 1 +- clip, but for one step beyond it."""
    far, near = (_made(batch=2, epochs=60, clip=clip, lr=0.02, entropy=0) for clip in (9.0, 0.2))
    good, bad = Decisions(CELLS, (4,) * 6), Decisions(CELLS, (1,) * 6)
    ratios = []
    for algorithm in (far, near):
        before = _log_prob(algorithm, [good, bad])
        _tell(algorithm, 0, good, 1.0)
        _tell(algorithm, 1, bad, 0.0)
        ratios.append(np.exp(_log_prob(algorithm, [good, bad]) - before))
    assert ratios[0].max() > 2.0
    assert 1.2 < ratios[1].max() < 1.5  # momentum carries it a little further
    assert 0.5 < ratios[1].min() < 0.8


def test_equal_rewards_teach_nothing() -> None:
    """A batch of equals has no advantages, and no division by zero."""
    algorithm = _made(batch=2, entropy=0.0)
    start = algorithm._policy.parameters.copy()
    for i in range(4):
        _tell(algorithm, i, CELLS.sample(random.Random(i)), 0.5)
    assert np.array_equal(algorithm._policy.parameters, start)


def test_the_scale_of_rewards_does_not_matter() -> None:
    """Percent and fraction give the same search."""
    searches = []
    for scale in (1.0, 100.0):
        algorithm, proposed = _made(), []
        for i in range(150):
            proposed.append(algorithm.propose(i, attempt_rng(0, i, 0)))
            _tell(algorithm, i, proposed[-1], scale * reward_of(proposed[-1]))
        searches.append(proposed)
    assert searches[0] == searches[1]


def test_entropy_keeps_the_search_broad() -> None:
    """The more it weighs, the more different programs are among the last hundred trials."""
    different = []
    for entropy in (0.0, 0.5):
        algorithm, proposed = _made(entropy=entropy), []
        for i in range(800):
            proposed.append(algorithm.propose(i, attempt_rng(0, i, 0)))
            _tell(algorithm, i, proposed[-1], reward_of(proposed[-1]))
        different.append(len(set(proposed[-100:])))
    assert different[1] > 2 * different[0]


@pytest.mark.parametrize("policy", ["independent", "autoregressive"])
def test_it_beats_random_search(policy: str) -> None:
    """On a separable reward its median best of 5 seeds after 300 trials is clearly better."""

    def median(make: type[PPO] | type[Random], **options: Any) -> float:
        best = []
        for seed in range(5):
            search = sample(CELLS, make(**options), 300, seed=seed)
            for _, feedback in search:
                feedback(reward_of(feedback.decisions))
            assert search.best is not None
            best.append(search.best.values[0])
        return statistics.median(best)

    assert median(PPO, policy=policy) > 0.5 * median(Random)


@pytest.mark.parametrize("continuous", ["gaussian", "bins"])
def test_numbers_converge_to_the_optimum_of_a_quadratic(continuous: str) -> None:
    """The last proposals lie near the best place, on a log scale too."""
    space = Space.compile({"lr": floatv(1e-5, 1e-1, scale="log"), "drop": floatv(0.0, 1.0)})
    algorithm, last = _made(space, continuous=continuous), []
    for i in range(1500):
        decisions = algorithm.propose(i, attempt_rng(0, i, 0))
        _tell(algorithm, i, decisions, reward_of(decisions))
        last.append(
            [p.to_unit(v or 0) for p, v in zip(space.points, decisions.values, strict=True)]
        )
    assert np.mean(last[-200:], axis=0) == pytest.approx([0.7] * 2, abs=0.06)
    assert np.std(last[-200:], axis=0).max() < 0.15


@pytest.mark.parametrize("policy", ["independent", "autoregressive"])
def test_it_learns_on_a_space_with_everything(policy: str) -> None:
    """Conditional points, a subset and a permutation: it comes near the best, which is -0.129."""
    space = space_of("mixed")
    algorithm, rewards = _made(space, policy=policy), []
    for i in range(600):
        decisions = algorithm.propose(i, attempt_rng(0, i, 0))
        space.check(decisions.values)
        rewards.append(reward_of(decisions))
        _tell(algorithm, i, decisions, rewards[-1])
    assert statistics.mean(rewards[:30]) < -0.18  # as random ones: -0.22
    assert statistics.mean(rewards[-50:]) > -0.15


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 1}, "batch must be at least 2"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"clip": 0.0}, "clip must be above 0"),
        ({"lr": -1.0}, "lr must be above 0"),
        ({"entropy": -0.1}, "entropy must be at least 0"),
        ({"policy": "autoregresive"}, "did you mean autoregressive?"),
        ({"bins": 0}, "bins must be at least 2"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    """Each is refused with what it should have been."""
    with pytest.raises(UserError, match=message):
        PPO(**options)
