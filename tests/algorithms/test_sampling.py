"""Searching from Python: `for program, feedback in sample(...)`."""

from __future__ import annotations

import gc
import math
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from automl_algorithms import sample
from automl_algorithms.multi_trial.evolution import Evolution
from automl_algorithms.multi_trial.grid import Grid
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from tests.algorithms.driving import TWO
from tests.algorithms.spaces import SPACES, mixed, reward_of, space_of


def test_a_search_in_three_lines() -> None:
    """The loop runs as often as asked, and the best trial is at hand."""
    search = sample(space_of("cells"), algorithm="evolution", trials=60, seed=0)
    for _, feedback in search:
        feedback(reward_of(feedback.decisions))
    assert len(search.results) == 60
    assert search.best is not None
    assert search.best.values[0] == max(r.values[0] for r in search.results)
    assert search.best.program == space_of("cells").materialise(search.best.decisions)


def test_a_program_with_choices_is_a_space() -> None:
    """The tree itself may be given; it is compiled."""
    programs = [program for program, feedback in sample(mixed(), trials=3)]
    assert all(program["fixed"] == "only" for program in programs)


def test_the_same_seed_gives_the_same_programs() -> None:
    """And another seed others."""
    space = space_of("mixed")
    drawn = [[p for p, _ in sample(space, trials=5, seed=s)] for s in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_minimize() -> None:
    """The smallest value wins, and is told as it was fed back."""
    search = sample(space_of("finite"), Grid(), objective="minimize")
    for program, feedback in search:
        feedback(program["kernel"])
    assert search.best is not None
    assert search.best.values == (3.0,)
    assert len(search.results) == 6


def test_the_loop_may_run_ahead_of_feedback() -> None:
    """Feedback counts for its own trial, whatever the order (PyGlove 0.4.5 credits the last)."""
    search = sample(space_of("cells"), Evolution(population=8, tournament=4), trials=40)
    while pairs := [pair for _, pair in zip(range(8), search, strict=False)]:
        random.Random(0).shuffle(pairs)
        for _, feedback in pairs:
            feedback(reward_of(feedback.decisions))
    assert len(search.results) == 40
    assert {r.trial_id for r in search.results} == set(range(40))
    assert all(r.values == (reward_of(r.decisions),) for r in search.results)


def test_a_body_that_raises_fails_its_trial_and_the_search_goes_on() -> None:
    """The next iteration brings another program (in PyGlove the same one, for ever)."""
    search = sample(space_of("finite"), Grid())
    tried = []
    for program, feedback in search:
        tried.append(program)
        try:
            feedback(1.0 / (program["kernel"] - 3))
        except ZeroDivisionError:
            continue
    del feedback
    assert len(tried) == 6
    assert [r.state for r in search.results].count("failed") == 2
    assert {r.reason for r in search.results} == {"", "no feedback"}
    assert search.best is not None
    assert search.best.values == (0.5,)


def test_an_exception_that_leaves_the_loop() -> None:
    """A second loop over the same search goes on with the next trial."""
    search = sample(space_of("finite"), Grid(), trials=4)

    def run() -> None:
        for program, feedback in search:
            if program == {"kernel": 3, "op": "pool"}:
                raise MemoryError
            feedback(1.0)

    with pytest.raises(MemoryError):
        run()
    run()
    gc.collect()
    assert [(r.trial_id, r.state) for r in sorted(search.results, key=lambda r: r.trial_id)] == [
        (0, "completed"),
        (1, "failed"),
        (2, "completed"),
        (3, "completed"),
    ]


def test_a_forgotten_feedback_is_a_failure() -> None:
    """An iteration that never feeds back leaves a failed trial behind, once it is dropped."""
    search = sample(space_of("finite"), Grid(), trials=3)
    for program, feedback in search:
        if program["op"] == "conv":
            feedback(1.0)
    del feedback
    assert [r.state for r in search.results] == ["completed", "failed", "completed"]


def test_feedback_from_threads() -> None:
    """Programs may be evaluated by a pool of threads that feeds back as it goes."""
    search = sample(space_of("cells"), Evolution(population=8, tournament=4), trials=200)
    with ThreadPoolExecutor(4) as pool:
        for _, feedback in search:
            pool.submit(feedback, reward_of(feedback.decisions))
    assert sorted(r.trial_id for r in search.results) == list(range(200))


def test_skip_tells_why() -> None:
    """A skipped trial has failed, for a reason."""
    search = sample(space_of("finite"), trials=1)
    next(search)[1].skip("too slow")
    assert [(r.state, r.reason) for r in search.results] == [("failed", "too slow")]
    assert search.best is None
    assert search.front == []


def test_nan_is_a_failure_and_never_the_best() -> None:
    """Even as the first reward, which stays PyGlove's best."""
    search = sample(space_of("finite"), Grid(), trials=2)
    for value, (_, feedback) in zip([math.nan, -5.0], search, strict=True):
        feedback(value)
    assert [r.state for r in search.results] == ["failed", "completed"]
    assert search.results[0].reason == "not a number: (nan,)"
    assert search.best is not None
    assert search.best.values == (-5.0,)


def test_feedback_counts_once() -> None:
    """A second call is a mistake of the loop, and is told."""
    _, feedback = next(sample(space_of("finite")))
    feedback(1.0)
    with pytest.raises(RuntimeError, match="trial 0 has had its feedback"):
        feedback(2.0)


def test_several_objectives() -> None:
    """Rewards as a tuple or by name; the front is what no other trial beats."""
    search = sample(space_of("finite"), Grid(), objective=TWO)
    for i, (program, feedback) in enumerate(search):
        accuracy, latency = float(program["kernel"]), program["kernel"] * (1 + i % 2)
        if i % 2:
            feedback((accuracy, latency))
        else:
            feedback({"latency": latency, "accuracy": accuracy, "loss": 0.1})
    assert [r.values for r in search.front] == [(3.0, 3.0), (5.0, 5.0), (7.0, 7.0)]
    assert search.best is not None
    assert search.best.values[0] == 7.0


def test_feedback_that_does_not_fit_the_objectives() -> None:
    """Too few values, or a metric that is missing."""
    _, feedback = next(sample(space_of("finite"), objective=TWO))
    with pytest.raises(ValueError, match="1 values for accuracy, latency"):
        feedback(1.0)
    with pytest.raises(ValueError, match="lacks latency"):
        feedback({"accuracy": 1.0})
    feedback([1.0, 2.0])


def test_where_limits_the_space_before_anything_is_run() -> None:
    """Programs that `where` refuses are not proposed and not counted."""
    search = sample(space_of("cells"), trials=20, where=lambda p: p["edges"].count("conv3") >= 2)
    programs = [program for program, _ in search]
    assert len(programs) == 20
    assert all(p["edges"].count("conv3") >= 2 for p in programs)


def test_unique_and_baseline() -> None:
    """The static program comes first, then everything else once."""
    space = space_of("cells")
    search = sample(space, Evolution(population=2, tournament=1), 50, unique=True, baseline=True)
    seen = []
    for program, feedback in search:
        seen.append(program)
        feedback(0.0)
    assert seen[0] == {"edges": ["skip"] * 6}
    assert len({str(p) for p in seen}) == 50


def test_an_algorithm_that_cannot_search_the_space_is_refused() -> None:
    """Before the first program, with the point that is in the way."""
    with pytest.raises(UserError, match="grid cannot search lr: it is continuous"):
        sample(SPACES["numbers"](), "grid")
    with pytest.raises(UserError, match="evolution takes at most 1 objective"):
        sample(space_of("cells"), "evolution", objective=[Objective("a"), Objective("b")])
