"""Phases: what is open when, what the rest is frozen at, and that a resumed search is the same."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

from automl_algorithms import catalogue
from automl_algorithms.contract import Exhausted, Observation, Plan, Waiting
from automl_algorithms.multi_trial.evolution import Evolution
from automl_algorithms.phased import Phase, Phased, never, opened
from automl_algorithms.proposer import Proposer, attempt_rng
from automl_algorithms.sampling import sample
from automl_spaces.choices import floatv, oneof
from automl_spaces.decisions import Decisions
from automl_spaces.errors import Mark, UserError
from automl_spaces.space import Space
from tests.algorithms.driving import ONE, SHORT, drive, replay, seeded
from tests.algorithms.spaces import space_of

ABLE = [
    name
    for name in catalogue.names(family="multi_trial")
    if not catalogue.capabilities(name).multi_fidelity
]


def _made(name: str, phases: list[Phase], **options: Any) -> Callable[[], Phased]:
    short = {k: v for k, v in SHORT.items() if k in catalogue.signature(name).params}
    return lambda: Phased(lambda: catalogue.create(name, short), phases, **options)


def _two(size: int = 4) -> Space:
    """A network and an accelerator of `size` values each; both are at first 0."""
    values = list(range(size))
    return Space.compile({"net": {"x": oneof(values, default=0)}, "hw": oneof(values, default=0)})


def _search(
    space: Space, phases: list[Phase], reward: Callable[[dict[str, Any]], float], **about: Any
) -> list[tuple[dict[str, Any], float]]:
    """All trials of an exhaustive search in phases, with their rewards."""
    phased = Phased(lambda: catalogue.create(about.pop("name", "grid")), phases)
    proposer = Proposer(phased, space, ONE, 0, baseline=True, **about)
    found = []
    for trial_id in itertools.count():
        try:
            proposal = proposer.next(trial_id)
        except Exhausted:
            return found
        value = reward(proposal.program)
        found.append((proposal.program, value))
        proposer.feedback(Observation(trial_id, proposal.plan, "completed", (value,)))
    raise AssertionError


def test_phases_equal_joint_search_when_the_reward_is_separable() -> None:
    """A sum of a network and a hardware term is solved one part after the other."""

    def separable(program: dict[str, Any]) -> float:
        return float(-((program["net"]["x"] - 2) ** 2) - (program["hw"] - 3) ** 2)

    trials = _search(_two(), [Phase(("hw",), 9), Phase(("net",), 9)], separable)
    best = max(trials, key=lambda t: t[1])
    assert best == ({"net": {"x": 2}, "hw": 3}, 0.0)
    assert len(trials) == 4 + 3  # the best of the first phase is known to the second


def test_phases_are_worse_when_the_reward_is_coupled() -> None:
    """Only the pair of 3 and 3 is good, and no single decision leads there."""

    def coupled(program: dict[str, Any]) -> float:
        return float(program["net"]["x"] == program["hw"] == 3)

    phases = [Phase(("net",), 9), Phase(("hw",), 9)]
    assert max(value for _, value in _search(_two(), phases, coupled)) == 0.0
    joint = [Phase(("net", "hw"), 99)]
    assert max(value for _, value in _search(_two(), joint, coupled)) == 1.0


def test_the_rest_is_frozen_at_the_best_so_far() -> None:
    """At first the static program, then the best of all earlier phases."""
    trials = _search(
        _two(), [Phase(("hw",), 2), Phase(("net.x",), 9)], lambda p: p["hw"] + p["net"]["x"]
    )
    programs = [program for program, _ in trials]
    assert [p["net"]["x"] for p in programs[:2]] == [0, 0]
    assert {p["hw"] for p in programs[2:]} == {max(p["hw"] for p in programs[:2])}


def test_alternating_phases_go_on_from_each_other() -> None:
    """A ridge that one pass cannot climb is climbed by three."""
    once = [Phase(("net",), 9), Phase(("hw",), 9)]

    def ridge(program: dict[str, Any]) -> float:
        x, y = program["net"]["x"], program["hw"]
        return float(x + y - 5 * max(abs(x - y) - 1, 0))

    heights = [max(v for _, v in _search(_two(6), once * n, ridge)) for n in (1, 2, 3)]
    assert heights == [3, 7, 10]


def test_an_infeasible_record_is_not_gone_on_from() -> None:
    """However high its reward, while there is a feasible one."""
    phased = seeded(_made("random", [Phase(("hw",), 2), Phase(("net",), 9)]), _two())
    records = [_two().decode({"net.x": 0, "hw": hw}) for hw in (1, 2)]
    for trial_id, (record, fits) in enumerate(zip(records, (True, False), strict=True)):
        plan = Plan(record)
        phased.restore(trial_id, plan)
        phased.feedback(Observation(trial_id, plan, "completed", (float(trial_id),), fits))
    proposal = phased.propose(2, random.Random(0))
    assert isinstance(proposal, Plan)
    assert proposal.decisions["hw"] == 1


def test_a_phase_waits_for_the_trials_of_the_one_before() -> None:
    """Its slice depends on all of their results, whoever is quicker."""
    phased = seeded(_made("random", [Phase(("hw",), 2), Phase(("net",), 9)]), _two())
    plans = [phased.propose(trial_id, random.Random(trial_id)) for trial_id in range(2)]
    assert all(isinstance(plan, Plan) for plan in plans)
    for trial_id in (1, 0):
        with pytest.raises(Waiting):
            phased.propose(2, random.Random(2))
        plan = plans[trial_id]
        assert isinstance(plan, Plan)
        phased.feedback(Observation(trial_id, plan, "completed", (1.0,)))
    phased.propose(2, random.Random(2))


def test_after_the_last_phase_nothing_is_proposed() -> None:
    """Trials count, failed ones too, and whatever their number."""
    events = drive(_made("random", [Phase(("edges[0]",), 3), Phase(("edges",), 4)]),
                   space_of("cells"), trials=50, workers=1)  # fmt: skip
    assert len([e for e in events if e.observation is None]) == 7


CASES = [
    ("cells", [Phase(("edges[:3]",), 7), Phase(("edges[3:]",), 40)]),
    ("mixed", [Phase(("optimizer", "width"), 6), Phase(("augment", "order", "kernel", "fixed"), 6),
               Phase(("**",), 30)]),
    ("finite", [Phase(("op",), 5), Phase(("kernel",), 5), Phase(("**",), 9)]),
]  # fmt: skip


@pytest.mark.parametrize("restores_first", [True, False], ids=["restores first", "as it was"])
@pytest.mark.parametrize(("space", "phases"), CASES, ids=[c[0] for c in CASES])
@pytest.mark.parametrize("name", ABLE)
def test_resume_law(name: str, space: str, phases: list[Phase], restores_first: bool) -> None:
    """A fresh instance told what the ledger holds goes on as the undisturbed one did."""
    made, compiled = _made(name, phases), space_of(space)
    try:
        events = drive(made, compiled, trials=18)
    except UserError as refusal:
        pytest.skip(str(refusal))
    cuts = [i for i, e in enumerate(events) if e.observation is None][1:]
    for cut in cuts:
        fresh = seeded(made, compiled)
        replay(fresh, events[:cut], restores_first=restores_first)
        expected = events[cut]
        rng = attempt_rng(7, expected.trial_id, 0)
        assert fresh.propose(expected.trial_id, rng) == expected.plan


def _constrained(name: str, **options: Any) -> Proposer:
    """Phases of a space in which a third of all programs is refused."""

    def accept(_: Decisions, program: Any) -> str | None:
        return "odd" if (program["net"]["x"] + program["hw"]) % 3 == 2 else None

    phases = [Phase(("hw",), 5), Phase(("net",), 3), Phase(("**",), 9)]
    return Proposer(_made(name, phases)(), _two(6), ONE, 3, accept=accept, **options)


@pytest.mark.parametrize("name", ["random", "evolution", "local_search", "grid", "reinforce"])
def test_resume_with_refusals_and_exhausted_phases(name: str) -> None:
    """The slices hold fewer programs than trials, and some of these are turned down unrecorded."""

    def value(plan: Plan) -> float:
        record = plan.decisions.as_dict()
        return float(record["hw"] * 7 % 5 + record["net.x"])

    undisturbed = _constrained(name)
    plans: list[Plan] = []
    for trial_id in range(16):
        resumed = _constrained(name)
        for i, plan in enumerate(plans):
            resumed.restore(i, plan)
        for i, plan in enumerate(plans):
            resumed.feedback(Observation(i, plan, "completed", (value(plan),)))
        try:
            plan = undisturbed.next(trial_id).plan
        except Exhausted:
            with pytest.raises(Exhausted):
                resumed.next(trial_id)
            break
        assert resumed.next(trial_id).plan == plan
        undisturbed.feedback(Observation(trial_id, plan, "completed", (value(plan),)))
        plans.append(plan)
    assert len(plans) == len({plan.decisions for plan in plans}) > 12


def test_all_phases_refused_says_why() -> None:
    """Not a silent end without a trial."""
    phased = _made("random", [Phase(("hw",), 5), Phase(("net",), 3)])
    proposer = Proposer(phased(), _two(), ONE, 3, accept=lambda d, p: "too large")
    with pytest.raises(UserError, match=r"turned down every proposal.*Lately: too large"):
        proposer.next(0)


def test_from_python() -> None:
    """Phases are an algorithm like any other, for `sample` too."""
    phases = [Phase(("hw",), 9), Phase(("net",), 9)]
    search = sample(_two(), Phased(Evolution, phases), baseline=True)
    for program, feedback in search:
        feedback(float(program["hw"] - abs(program["net"]["x"] - 2)))
    assert search.best is not None
    assert search.best.program == {"net": {"x": 2}, "hw": 3}
    assert len(search.results) == 7


def test_a_pattern_without_a_point_is_an_error() -> None:
    """It stands where it was written, with the nearest place."""
    mark = Mark("r.yaml", 3, 12)
    with pytest.raises(UserError, match=r"r.yaml:3:12: phases: no .* is at nett .*mean net"):
        opened(_two(), [Phase(("nett",), 3, mark)])


def test_points_in_no_phase() -> None:
    """They are named; without a static value there is nothing to keep them at."""
    space = _two()
    assert never(space, opened(space, [Phase(("hw",), 3)])) == ["net.x"]
    bare = Space.compile({"lr": floatv(0.0, 1.0), "hw": oneof([1, 2])})
    with pytest.raises(UserError, match="lr is in no phase"):
        opened(bare, [Phase(("hw",), 3)])


def test_what_does_not_suit_a_later_phase_is_said_at_once() -> None:
    """Not after a thousand trials of the first."""
    op = oneof(["a", "b"], default="a")
    space = Space.compile({"lr": floatv(0.0, 1.0, default=0.5), "op": op})
    phases = [Phase(("lr",), 3), Phase(("op",), 3)]
    phased = Phased(lambda: catalogue.create("bayesian", {"sampler": "cmaes"}), phases)
    with pytest.raises(UserError, match="cmaes"):
        phased.setup(space, ONE, 0)


@pytest.mark.parametrize("name", ["hyperband", "asha", "bohb", "pbt"])
def test_algorithms_with_a_schedule_are_refused(name: str) -> None:
    """Brackets and populations know no end of a phase; the hint says what does."""
    with pytest.raises(UserError, match=rf"{name} cannot be run in phases.*evolution"):
        _made(name, [Phase(("hw",), 3)])()
