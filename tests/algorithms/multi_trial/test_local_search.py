"""Local search: the way up, the restarts, several workers, and what it does not depend on."""

from __future__ import annotations

import random
import statistics
from typing import Any

import pytest

from automl_algorithms.contract import Observation, Plan
from automl_algorithms.multi_trial import local_search
from automl_algorithms.multi_trial.local_search import OPEN, LocalSearch
from automl_algorithms.multi_trial.random import Random
from automl_algorithms.proposer import Proposer, attempt_rng, planned
from automl_algorithms.sampling import sample
from automl_spaces.choices import oneof
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError
from automl_spaces.space import Space
from tests.algorithms.driving import ONE, Event, drive
from tests.algorithms.spaces import SPACES, mobilenet_like, reward_of, space_of

CELLS = space_of("cells")
RING = 24  # neighbours of a record of CELLS


def _search(space: Space = CELLS, **options: Any) -> LocalSearch:
    made = LocalSearch(**options)
    made.setup(space, ONE, 0)
    return made


def _ask(search: LocalSearch, trial_id: int) -> Decisions:
    return search.propose(trial_id, attempt_rng(0, trial_id, 0))


def _tell(search: LocalSearch, trial_id: int, decisions: Decisions, *rewards: float) -> None:
    state = "completed" if rewards else "failed"
    search.feedback(Observation(trial_id, Plan(decisions), state, rewards))  # type: ignore[arg-type]


def _distance(a: Decisions, b: Decisions) -> int:
    return sum(x != y for x, y in zip(a.values, b.values, strict=True))


def test_the_first_better_neighbour_is_the_next_centre() -> None:
    """Its neighbours follow at once, and those of the old centre never."""
    search = _search()
    centre = _ask(search, 0)
    _tell(search, 0, centre, 1.0)
    for trial_id in range(1, 5):
        neighbour = _ask(search, trial_id)
        assert _distance(neighbour, centre) == 1
        _tell(search, trial_id, neighbour, 0.5 if trial_id < 4 else 1.5)
    for trial_id in range(5, 15):
        proposed = _ask(search, trial_id)
        assert _distance(proposed, neighbour) == 1
        _tell(search, trial_id, proposed, 0.0)


def test_the_best_neighbour_is_the_next_centre() -> None:
    """All 24 are evaluated before the best of them is climbed, not the first or last better."""
    search = _search(improvement="best")
    centre = _ask(search, 0)
    _tell(search, 0, centre, 1.0)
    tried = []
    for trial_id in range(1, RING + 1):
        tried.append(_ask(search, trial_id))
        assert _distance(tried[-1], centre) == 1
        _tell(search, trial_id, tried[-1], {5: 2.0, 9: 3.0, 20: 2.5}.get(trial_id, 0.0))
    around = [_ask(search, i) for i in range(100, 110)]
    assert {_distance(d, tried[8]) for d in around} == {1}


def test_the_best_neighbour_is_climbed_even_if_some_are_forbidden() -> None:
    """A neighbour that the constraints turn down is not waited for."""
    space = Space.compile({"x": oneof(list(range(9))), "y": oneof(list(range(9)))})
    found = sample(
        space, LocalSearch(improvement="best"), 60, where=lambda p: p["x"] % 4 != 1, unique=True
    )
    for program, feedback in found:
        feedback(-abs(program["x"] - 6) - abs(program["y"] - 6))
    assert found.best is not None
    assert found.best.values == (0.0,)


def test_a_local_optimum_ends_the_climb_at_random() -> None:
    """Once all neighbours are known to be worse, the next trial is a fresh draw."""
    search = _search()
    centre = _ask(search, 0)
    _tell(search, 0, centre, 1.0)
    for trial_id in range(1, RING + 1):
        _tell(search, trial_id, _ask(search, trial_id), *([] if trial_id % 3 == 0 else [0.0]))
    assert search._climbs == []
    assert _ask(search, 99) == CELLS.sample(attempt_rng(0, 99, 0))


def test_a_perturbed_restart_begins_near_the_best() -> None:
    """`kick` decisions away at most, and further where everything near is known."""
    search = _search(restart="perturb", kick=2)
    centre = _ask(search, 0)
    _tell(search, 0, centre, 1.0)
    for trial_id in range(1, RING + 1):
        _tell(search, trial_id, _ask(search, trial_id), 0.0)
    starts = [_ask(search, i) for i in range(100, 150)]
    assert len(set(starts)) == 50
    assert {_distance(start, centre) for start in starts} <= {2, 3}
    assert sum(_distance(start, centre) == 2 for start in starts) > 40


def test_workers_are_never_kept_waiting_and_never_do_the_same() -> None:
    """With 60 workers all neighbours are taken; the others begin climbs of their own."""
    search = _search()
    centre = _ask(search, 0)
    _tell(search, 0, centre, 1.0)
    proposed = [_ask(search, i) for i in range(1, 61)]
    assert len({centre, *proposed}) == 61
    distances = [_distance(d, centre) for d in proposed]
    assert distances[:RING] == [1] * RING
    assert min(distances[RING:]) > 1


def test_a_late_better_neighbour_goes_before_the_climb_begun_meanwhile() -> None:
    """The higher of two open climbs is the one that is continued."""
    search = _search()
    centre = _ask(search, 0)
    _tell(search, 0, centre, 1.0)
    around = [_ask(search, i) for i in range(1, RING + 1)]
    start = _ask(search, 90)
    for trial_id, neighbour in enumerate(around[:-1], 1):
        _tell(search, trial_id, neighbour, 0.0)
    _tell(search, 90, start, 0.5)
    assert _distance(_ask(search, 91), start) == 1
    _tell(search, RING, around[-1], 2.0)
    assert _distance(_ask(search, 92), around[-1]) == 1


def test_what_constraints_turn_down_is_passed_over() -> None:
    """The same trial is offered all neighbours and then a start; the next trial begins anew."""
    search = _search()
    centre = _ask(search, 0)
    _tell(search, 0, centre, 1.0)
    offered = [search.propose(1, attempt_rng(0, 1, i)) for i in range(RING + 2)]
    assert len(set(offered)) == RING + 2
    assert [_distance(d, centre) == 1 for d in offered] == [True] * RING + [False] * 2
    search.restore(1, Plan(offered[-1]))
    assert _ask(search, 2) == offered[0]


def test_not_every_neighbour_of_a_large_space_is_offered_to_one_trial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a number of rejections the trial is a start; the next has neighbours again."""
    monkeypatch.setattr(local_search, "PATIENCE", 5)
    search = _search()
    centre = _ask(search, 0)
    _tell(search, 0, centre, 1.0)
    offered = [search.propose(1, attempt_rng(0, 1, i)) for i in range(8)]
    assert [_distance(d, centre) == 1 for d in offered] == [True] * 5 + [False] * 3
    assert _distance(_ask(search, 2), centre) == 1


def test_climbs_that_cannot_be_finished_are_forgotten() -> None:
    """Of a space of which one in four is allowed, no more climbs stay open than remembered."""
    algorithm = LocalSearch()
    search = sample(CELLS, algorithm, 300, where=lambda p: p["edges"].count("skip") == 2)
    for _, feedback in search:
        feedback(reward_of(feedback.decisions))
        assert len(algorithm._climbs) <= OPEN
    assert len({r.decisions for r in search.results}) == 300


def test_the_highest_climb_is_never_forgotten() -> None:
    """However many workers bring other starts home before one of its neighbours is back."""
    search = _search()
    drawn = [_ask(search, i) for i in range(40)]
    for trial_id, start in enumerate(drawn):
        _tell(search, trial_id, start, 5.0 if trial_id == 0 else 1.0)
    assert len(search._climbs) == OPEN
    assert _distance(_ask(search, 99), drawn[0]) == 1


@pytest.mark.parametrize("space_name", SPACES)
@pytest.mark.parametrize("improvement", ["first", "best"])
def test_the_state_is_that_of_the_feedback(space_name: str, improvement: str) -> None:
    """However the restores are spread, as long as each precedes its feedback: same proposal."""

    def make() -> LocalSearch:
        return LocalSearch(improvement=improvement, restart="perturb")  # type: ignore[arg-type]

    space, rng = space_of(space_name), random.Random(0)
    events = drive(make, space, trials=60, workers=5)
    cuts = [i for i, e in enumerate(events) if e.observation is None]
    for cut in cuts[1::3]:
        told = make()
        told.setup(space, ONE, 7)
        for event in _spread(events[:cut], rng):
            if event.observation is None:
                told.restore(event.trial_id, event.plan)
            else:
                told.feedback(event.observation)
        expected = events[cut]
        attempt = attempt_rng(7, expected.trial_id, 0)
        assert planned(told.propose(expected.trial_id, attempt)) == expected.plan


def _spread(events: list[Event], rng: random.Random) -> list[Event]:
    """The events with each restore anywhere before its feedback."""
    spread = [e for e in events if e.observation is not None]
    for restore in (e for e in events if e.observation is None):
        ends = [i for i, e in enumerate(spread) if e.trial_id == restore.trial_id]
        spread.insert(rng.randint(0, ends[0] if ends else len(spread)), restore)
    return spread


def test_nothing_is_proposed_twice() -> None:
    """Not even without the proposer's help, while there is something new."""
    proposer = Proposer(LocalSearch(), CELLS, ONE, 0, unique=False, baseline=False)
    seen = set()
    for trial_id in range(500):
        plan = proposer.next(trial_id).plan
        proposer.feedback(Observation(trial_id, plan, "completed", (reward_of(plan.decisions),)))
        seen.add(plan.decisions)
    assert len(seen) == 500


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"improvement": "frist"}, "did you mean first?"),
        ({"restart": "randon"}, "did you mean random?"),
        ({"kick": 0}, "kick must be at least 1"),
        ({"numbers": 0}, "numbers must be at least 1"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    """Each is refused with what it should have been."""
    with pytest.raises(UserError, match=message):
        LocalSearch(**options)


@pytest.mark.parametrize("space", [mobilenet_like(), space_of("numbers")], ids=["large", "numbers"])
def test_it_beats_random_search(space: Space) -> None:
    """39 choices, or six numbers: the median best of 5 seeds is twice as close to 0."""

    def median(make: type[LocalSearch] | type[Random]) -> float:
        best = []
        for seed in range(5):
            search = sample(space, make(), 150, seed=seed)
            for _, feedback in search:
                feedback(reward_of(feedback.decisions))
            assert search.best is not None
            best.append(search.best.values[0])
        return statistics.median(best)

    assert median(LocalSearch) > median(Random) / 2
