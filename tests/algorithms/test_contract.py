"""The laws that every algorithm of the catalogue keeps. A new algorithm is tested unasked."""

from __future__ import annotations

import functools
import math
from typing import Any

import pytest

from automl_algorithms import catalogue
from automl_algorithms.contract import Algorithm, Exhausted, Observation, Plan, check_capabilities
from automl_algorithms.proposer import Proposer, attempt_rng, planned
from automl_algorithms.sampling import sample
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from automl_spaces.space import Space
from tests.algorithms.driving import ONE, TWO, Event, Make, drive, replay, seeded, variants
from tests.algorithms.spaces import SPACES, reward_of, space_of

VARIANTS = dict(variants())
GP = "bayesian-sampler=gp"  # 0.3 s a proposal: fewer trials, and only in the slow tests


def _marked(*values: str) -> Any:
    return pytest.param(*values, marks=[pytest.mark.slow] if GP in values else [])


NAMES = [_marked(name) for name in VARIANTS]
CASES = [_marked(name, space) for name in VARIANTS for space in SPACES]


def _trials(name: str) -> int:
    return 9 if name == GP else 18


@functools.cache
def _space(name: str) -> Space:
    return space_of(name)


def _usable(name: str, space_name: str) -> tuple[Make, Space]:
    """The variant and the space, or skip a pair that is refused with a message."""
    make, space = VARIANTS[name], _space(space_name)
    try:
        algorithm = make()
        check_capabilities(name, algorithm.capabilities, space, ONE)
        algorithm.setup(space, ONE, 0)
    except UserError as refusal:
        assert str(refusal)
        pytest.skip(str(refusal))
    return make, space


@functools.cache
def _run(name: str, space_name: str, seed: int = 7) -> list[Event]:
    return drive(VARIANTS[name], _space(space_name), trials=_trials(name), seed=seed)


def _proposals(events: list[Event]) -> list[Event]:
    return [e for e in events if e.observation is None]


@pytest.mark.parametrize(("name", "space_name"), CASES)
def test_every_proposal_is_a_record_of_the_space(name: str, space_name: str) -> None:
    """What is proposed is valid, and survives being written down and read back."""
    _, space = _usable(name, space_name)
    proposals = _proposals(_run(name, space_name))
    trials = _trials(name)
    assert len(proposals) == (min(trials, space.size) if name == "grid" else trials)
    for event in proposals:
        space.check(event.decisions.values)
        assert space.decode(event.decisions.to_json()) == event.decisions


@pytest.mark.parametrize(("name", "space_name"), CASES)
def test_the_same_seed_gives_the_same_search(name: str, space_name: str) -> None:
    """Two instances that see the same events propose the same."""
    make, space = _usable(name, space_name)
    assert drive(make, space, trials=_trials(name)) == _run(name, space_name)


@pytest.mark.parametrize(("name", "space_name"), CASES)
def test_another_seed_gives_another_search(name: str, space_name: str) -> None:
    """The seed reaches the proposals of every algorithm that is not an enumeration."""
    _usable(name, space_name)
    if name == "grid":
        pytest.skip("a grid has no randomness")
    assert _run(name, space_name) != _run(name, space_name, seed=8)


@pytest.mark.parametrize("restores_first", [True, False], ids=["restores first", "as it was"])
@pytest.mark.parametrize(("name", "space_name"), CASES)
def test_resume_law(name: str, space_name: str, restores_first: bool) -> None:
    """A fresh instance told what the ledger holds goes on as the undisturbed one did."""
    make, space = _usable(name, space_name)
    if not make().capabilities.exact_resume:
        pytest.skip("declared: does not resume exactly")
    events = _run(name, space_name)
    cuts = [i for i, e in enumerate(events) if e.observation is None][1:]
    for cut in {cuts[0], cuts[len(cuts) // 2], cuts[-1]}:
        fresh = seeded(make, space)
        replay(fresh, events[:cut], restores_first=restores_first)
        expected = events[cut]
        rng = attempt_rng(7, expected.trial_id, 0)
        assert planned(fresh.propose(expected.trial_id, rng)) == expected.plan


@pytest.mark.parametrize("name", NAMES)
def test_a_search_of_which_everything_fails_goes_on(name: str) -> None:
    """Thirty failures in a row leave an algorithm able to propose."""
    make, space = _usable(name, "cells")
    algorithm = seeded(make, space)
    for trial_id in range(30):  # no model is ever fitted
        plan = planned(algorithm.propose(trial_id, attempt_rng(0, trial_id, 0)))
        algorithm.feedback(Observation(trial_id, plan, "failed"))
    space.check(planned(algorithm.propose(30, attempt_rng(0, 30, 0))).decisions.values)


@pytest.mark.parametrize("name", NAMES)
def test_a_failed_trial_is_never_the_best(name: str) -> None:
    """Neither skipped trials nor NaN rewards win, even when they come first."""
    make, space = _usable(name, "cells")
    search = sample(space, make(), 12 if name == GP else 25)
    for i, (program, feedback) in enumerate(search):
        assert set(program) == {"edges"}
        if i % 3 == 0:
            feedback(math.nan)
        elif i % 3 == 1:
            feedback.skip("out of memory")
        else:
            feedback(reward_of(feedback.decisions))
    best = search.best
    assert best is not None
    assert best.state == "completed"
    done = [r for r in search.results if r.values]
    farthest = max(r.plan.fidelity for r in done)  # only these can be compared
    assert best.values[0] == max(
        reward_of(r.decisions) for r in done if r.plan.fidelity == farthest
    )


@pytest.mark.parametrize("name", NAMES)
def test_no_nan_ever_reaches_an_algorithm(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proposer turns a NaN into a failure before the algorithm hears of it."""
    make, space = _usable(name, "cells")
    algorithm, heard = make(), list[Observation]()
    monkeypatch.setattr(algorithm, "feedback", heard.append)
    proposer = Proposer(algorithm, space, ONE, 0, baseline=False)
    proposal = proposer.next(0)
    proposer.feedback(Observation(0, proposal.plan, "completed", (math.nan,)))
    assert [(o.state, o.rewards) for o in heard] == [("failed", ())]


@pytest.mark.parametrize("name", NAMES)
def test_a_finite_space_is_proposed_once_and_no_more(name: str) -> None:
    """With `unique`, six programs are six trials, whatever the algorithm would rather repeat."""
    make, space = _usable(name, "finite")
    if make().capabilities.multi_fidelity:
        pytest.skip("evaluates a program again at a larger budget")
    proposer = Proposer(make(), space, ONE, 0, baseline=False)
    proposed = []
    with pytest.raises(Exhausted):
        for trial_id in range(7):
            decisions = proposer.next(trial_id).decisions
            proposed.append(decisions)
            reward = (reward_of(decisions),)
            proposer.feedback(Observation(trial_id, Plan(decisions), "completed", reward))
    assert len(proposed) == len(set(proposed)) == space.size == 6


@pytest.mark.parametrize("objectives", [ONE, TWO], ids=["one", "two"])
@pytest.mark.parametrize(("name", "space_name"), CASES)
def test_capabilities_are_honoured(
    name: str, space_name: str, objectives: tuple[Objective, ...]
) -> None:
    """What an algorithm declares it can search, it searches; the rest is refused beforehand."""
    make, space = VARIANTS[name], _space(space_name)
    faults = list(make().capabilities.shortfalls(space, objectives))
    if faults:
        with pytest.raises(UserError, match=r"these can: .*random"):
            check_capabilities(name, make().capabilities, space, objectives)
        return
    try:
        events = drive(make, space, trials=9, objectives=objectives)
    except UserError as refusal:  # more than data can say, but said before the first trial
        assert "cmaes" in str(refusal)
        return
    assert len(_proposals(events)) == (min(9, space.size) if name == "grid" else 9)


@pytest.mark.parametrize("name", catalogue.names(family="multi_trial"))
def test_options_are_keywords_with_defaults(name: str) -> None:
    """A recipe may name any algorithm without options, and the text tells the options."""
    cls = catalogue.load(name)
    algorithm = cls()
    assert isinstance(algorithm, Algorithm)
    assert cls.name == name
    for param in catalogue.signature(name).params.values():
        assert not param.positional
        assert hasattr(algorithm, param.name) or param.name == "preset"
