"""Optuna's samplers behind our contract: they learn, they resume, they stay quiet."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from typing import Any

import pytest

from automl_algorithms.contract import Algorithm, Observation, Plan
from automl_algorithms.multi_trial.bayesian import PATIENCE, Bayesian
from automl_algorithms.multi_trial.random import Random
from automl_algorithms.proposer import Proposer, attempt_rng
from automl_algorithms.sampling import sample
from automl_spaces.choices import floatv, intv, manyof, oneof
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from automl_spaces.space import Space
from tests.algorithms.driving import ONE, TWO, drive, replay, seeded
from tests.algorithms.spaces import mixed, reward_of, space_of

BOWL = Space.compile(
    {"x": floatv(0.0, 1.0), "y": floatv(0.0, 1.0), "lr": floatv(1e-4, 1.0, scale="log")}
)


def _bayesian(space: Space, **options: Any) -> Bayesian:
    made = Bayesian(**options)
    made.setup(space, ONE, 0)
    return made


def _median_best(space: Space, make: Any, trials: int, seeds: int) -> float:
    best = []
    for seed in range(seeds):
        search = sample(space, make(), trials, seed=seed)
        for _, feedback in search:
            feedback(reward_of(feedback.decisions))
        assert search.best is not None
        best.append(search.best.values[0])
    return statistics.median(best)


@pytest.mark.parametrize(
    ("options", "trials", "seeds"),
    [
        ({"sampler": "tpe"}, 50, 5),
        ({"sampler": "cmaes"}, 80, 5),
        pytest.param({"sampler": "gp", "startup": 5}, 18, 3, marks=pytest.mark.slow),
        ({"sampler": "nsga2", "population": 10}, 150, 5),
    ],
    ids=lambda p: p.get("sampler") if isinstance(p, dict) else "",
)
def test_it_beats_random_search(options: dict[str, Any], trials: int, seeds: int) -> None:
    """On a bowl of three dimensions the median best is nearer to the optimum, 0."""
    ours = _median_best(BOWL, lambda: Bayesian(**options), trials, seeds)
    assert ours > 0.7 * _median_best(BOWL, Random, trials, seeds)


def test_tpe_learns_conditional_points_and_subsets() -> None:
    """Its median regret is less than half of random search's, and no kind of point hinders it."""
    conditional = mixed()["optimizer"]
    augment = manyof(2, ["flip", "crop", "cutout", "jitter"], sorted=True)
    space = Space.compile({"optimizer": conditional, "augment": augment, "w": floatv(0.0, 1.0)})
    best = max(map(reward_of, space.enumerate(11)))
    ours, theirs = (_median_best(space, make, 60, 5) for make in (Bayesian, Random))
    assert best - ours < 0.5 * (best - theirs)


def test_qmc_covers_the_space_more_evenly_than_chance() -> None:
    """Of 64 Sobol points every cell of an 8 x 8 grid of two axes holds one (chance: 63 %)."""
    space = Space.compile({"x": floatv(0.0, 1.0), "y": floatv(0.0, 1.0)})
    bayesian = _bayesian(space, sampler="qmc")
    cells = set()
    for trial_id in range(64):
        drawn = bayesian.propose(trial_id, attempt_rng(0, trial_id, 0))
        cells.add((int(drawn["x"] * 8), int(drawn["y"] * 8)))
    assert len(cells) == 64


def test_qmc_gives_another_point_for_a_rejected_one() -> None:
    """A second ask for the same trial is answered anew."""
    bayesian = _bayesian(BOWL, sampler="qmc")
    first = bayesian.propose(3, attempt_rng(0, 3, 0))
    assert bayesian.propose(3, attempt_rng(0, 3, 1)) != first


def test_the_study_holds_what_was_really_evaluated() -> None:
    """Not what was proposed: a repaired or foreign record is told with its own decisions."""
    space = space_of("mixed")
    bayesian = _bayesian(space)
    evaluated = space.sample(random.Random(5))
    bayesian.restore(0, Plan(evaluated))
    bayesian.feedback(Observation(0, Plan(evaluated), "completed", (1.0,)))
    (told,) = bayesian._study.get_trials()
    assert set(told.params) == set(evaluated.as_dict())
    axes = {a.name: a for a in bayesian._axes}
    for name, coordinate in told.params.items():
        value = evaluated.values[space.point(name).index]
        assert axes[name].decode(coordinate) == pytest.approx(value)


def test_running_trials_are_seen_while_proposing_and_only_then() -> None:
    """The constant liar sees what the other workers are at; scratch rows end as failed."""
    bayesian = _bayesian(BOWL, startup=2)
    for trial_id in range(3):
        decisions = bayesian.propose(trial_id, attempt_rng(0, trial_id, 0))
        bayesian.feedback(Observation(trial_id, Plan(decisions), "completed", (float(trial_id),)))
    study = bayesian._study
    for trial_id in range(3, 6):
        bayesian.propose(trial_id, attempt_rng(0, trial_id, 0))
    states = [t.state.name for t in study.get_trials()]
    # Nothing was running when 2 and 3 were proposed; 4 and 5 saw 1 and 2 trials running.
    assert states.count("COMPLETE") == 3
    assert states.count("FAIL") == (1 + 1) + (1 + 2)
    assert "RUNNING" not in states


def test_workers_are_not_sent_to_the_same_place() -> None:
    """With trials in flight, four proposals differ even on a small discrete space."""
    space = Space.compile({f"x{i}": oneof([0, 1, 2]) for i in range(3)})
    bayesian = _bayesian(space, startup=5)
    for trial_id in range(20):
        decisions = bayesian.propose(trial_id, attempt_rng(0, trial_id, 0))
        reward = (reward_of(decisions),)
        bayesian.feedback(Observation(trial_id, Plan(decisions), "completed", reward))
    together = [bayesian.propose(i, attempt_rng(0, i, 0)) for i in range(20, 24)]
    assert len(set(together)) >= 3


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_several_objectives_resume_too(sampler: Any) -> None:
    """The resume law holds for two objectives, far into the model's phase."""
    space = space_of("numbers")

    def make() -> Algorithm:
        return Bayesian(sampler=sampler, population=6, startup=4)

    events = drive(make, space, trials=40, workers=2, objectives=TWO)
    cut = max(i for i, e in enumerate(events) if e.observation is None)
    fresh = seeded(make, space, TWO)
    replay(fresh, events[:cut], restores_first=True)
    expected = events[cut]
    assert fresh.propose(39, attempt_rng(7, 39, 0)) == expected.decisions


@pytest.mark.parametrize("sampler", ["cmaes", "nsga2"])
def test_generations_resume_exactly(sampler: Any) -> None:
    """Mean, covariance and parents after six generations follow from the ledger alone."""
    space = space_of("numbers")

    def make() -> Algorithm:
        return Bayesian(sampler=sampler, population=6)

    events = drive(make, space, trials=60, workers=4)
    cut = max(i for i, e in enumerate(events) if e.observation is None)
    fresh = seeded(make, space)
    replay(fresh, events[:cut], restores_first=True)
    assert fresh.propose(59, attempt_rng(7, 59, 0)) == events[cut].decisions


def test_cmaes_on_a_space_without_numbers_is_refused() -> None:
    """With the point and the samplers that work; numeric candidates are numbers enough."""
    with pytest.raises(UserError, match=r"cmaes needs a number to optimise, edges\[0\]"):
        _bayesian(space_of("cells"), sampler="cmaes")
    kernels = Space.compile({"a": oneof([3, 5, 7]), "b": oneof(["x", "y"])})
    decisions = _bayesian(kernels, sampler="cmaes").propose(0, random.Random(0))
    kernels.check(decisions.values)
    with pytest.raises(UserError, match="cmaes needs a number"):
        _bayesian(kernels, sampler="cmaes", ordinal=False)


def test_cmaes_takes_one_objective() -> None:
    """It cannot trade off, and says so before the run."""
    with pytest.raises(UserError, match="takes at most 1 objective"):
        sample(BOWL, Bayesian(sampler="cmaes"), objective=TWO)


def test_a_model_does_not_insist_on_what_constraints_forbid() -> None:
    """TPE would propose the forbidden half for ever (10,000 times in a row): it is steered away."""
    rejected = []
    bayesian = Bayesian(startup=2)
    proposer = Proposer(
        bayesian, BOWL, ONE, 0, baseline=False,
        accept=lambda d, p: None if p["x"] > 0.5 else "x is too small",
    )  # fmt: skip
    for trial_id in range(12):
        proposal = proposer.next(trial_id)
        rejected.append(proposal.rejected)
        proposer.feedback(Observation(trial_id, Plan(proposal.decisions), "completed", (1.0,)))
    assert max(rejected) < PATIENCE + 10


def test_constraints_and_rejections_leave_no_trace() -> None:
    """A rejected proposal is neither running nor finished for the model."""
    bayesian = Bayesian(startup=2)
    proposer = Proposer(
        bayesian, BOWL, ONE, 0, baseline=False,
        accept=lambda d, p: None if p["x"] > 0.5 else "x is too small",
    )  # fmt: skip
    for trial_id in range(8):
        proposal = proposer.next(trial_id)
        assert bayesian._running == {trial_id: proposal.decisions}
        proposer.feedback(Observation(trial_id, Plan(proposal.decisions), "completed", (1.0,)))
    assert bayesian._running == {}
    told = [t for t in bayesian._study.get_trials() if t.state.name == "COMPLETE"]
    assert len(told) == 8
    assert all(t.params["x"] > 0.5 for t in told)


def test_it_talks_to_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """No log line, no warning (warnings are errors here), and Optuna's level is left alone."""
    import optuna

    level = optuna.logging.get_verbosity()
    search = sample(space_of("mixed"), Bayesian(startup=2), 8)
    for i, (_, feedback) in enumerate(search):
        feedback(math.inf if i == 3 else float(i))
    assert capsys.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == level


def test_a_space_in_which_nothing_is_to_choose() -> None:
    """One program: every sampler proposes it."""
    space = Space.compile({"a": oneof([1]), "b": intv(2, 2)})
    for sampler in ("tpe", "nsga2", "qmc"):
        bayesian = _bayesian(space, sampler=sampler, startup=1, population=2)
        for trial_id in range(4):
            decisions = bayesian.propose(trial_id, attempt_rng(0, trial_id, 0))
            assert decisions.as_dict() == {"a": 1, "b": 2}
            bayesian.feedback(Observation(trial_id, Plan(decisions), "completed", (1.0,)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": "tp"}, "did you mean tpe?"),
        ({"startup": 0}, "startup must be at least 1"),
        ({"population": 1}, "population must be at least 2"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    """Each is refused with what it should have been."""
    with pytest.raises(UserError, match=message):
        Bayesian(**options)


@pytest.mark.parametrize("objectives", [ONE, TWO], ids=["one", "two"])
def test_a_lone_proposal_is_as_any_other(
    objectives: Sequence[Objective], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing running, TPE is asked past the study: the same decisions."""

    def proposals() -> list[Decisions]:
        made = Bayesian(startup=5)
        made.setup(Space.compile(mixed()), objectives, 0)
        found = []
        for i in range(25):
            found.append(made.propose(i, attempt_rng(0, i, 0)))
            reward = (reward_of(found[-1]),) * len(objectives)
            made.feedback(Observation(i, Plan(found[-1]), "completed", reward))
        return found

    lone = proposals()
    monkeypatch.setattr(Bayesian, "_is_alone", False)
    assert proposals() == lone
