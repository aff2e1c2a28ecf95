"""The best so far and its quantiles over seeds."""

from __future__ import annotations

import math
import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from automl_cli.report_curves import QUANTILES, band, best_of, incumbents, taken

NAN = math.nan
results = st.lists(
    st.tuples(st.sampled_from([NAN, 0.0, 1.0, 2.0]), st.sampled_from([1.0, 3.0, math.inf])),
    max_size=12,
)


@given(results)
def test_incumbents_by_definition(trials: list[tuple[float, float]]) -> None:
    """The quick way finds what one look after the other finds: highest budget, then best value."""
    best, expected = -1, []
    for place, (reward, budget) in enumerate(trials):
        if not math.isnan(reward):
            held = None if best < 0 else (trials[best][1], trials[best][0])
            best = place if held is None or (budget, reward) > held else best
        expected.append(best)
    rewards, budgets = np.array([t[0] for t in trials]), np.array([t[1] for t in trials])
    assert incumbents(rewards, budgets).tolist() == expected
    assert best_of(rewards, budgets) == (expected[-1] if expected and expected[-1] >= 0 else None)


def test_a_small_budget_never_beats_a_larger_one() -> None:
    """After a trial in full, a better value after one epoch changes nothing."""
    found = incumbents(np.array([0.5, 0.9, 0.4, 0.6]), np.array([1.0, 1.0, math.inf, 3.0]))
    assert found.tolist() == [0, 1, 2, 2]


def test_taken_has_nothing_before_the_first_result() -> None:
    """A position of -1 is no position from the end."""
    found = taken(np.array([5.0, 6.0]), np.array([-1, 0, 1]))
    assert np.array_equal(found, [NAN, 5.0, 6.0], equal_nan=True)


def test_quantiles_over_seeds() -> None:
    """Each level is the quantile of the curves at each trial."""
    curves = [np.array([float(seed), seed + 10.0]) for seed in range(5)]
    found = band([np.array([1.0, 2.0])] * 5, curves)
    assert found.x.tolist() == [1.0, 2.0]
    expected = np.quantile([[0, 10], [1, 11], [2, 12], [3, 13], [4, 14]], QUANTILES, axis=0)
    assert np.allclose(found.levels, expected)


def test_a_band_ends_where_half_of_the_curves_end() -> None:
    """One that was interrupted keeps its last value, and one that is long is cut."""
    curves = [np.full(n, float(n)) for n in (2, 4, 4, 9)]
    found = band([np.arange(1.0, len(c) + 1) for c in curves], curves)
    assert found.x.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert found.levels[2].tolist() == [4.0] * 4
    assert found.levels[0, 3] < 4.0  # the short one is still among them


def test_a_band_begins_where_half_of_the_curves_have_a_value() -> None:
    """First trials that failed are no value, and not the worst one either."""
    curves = [np.array([NAN, NAN, 3.0]), np.array([NAN, 2.0, 2.0]), np.array([1.0, 1.0, 1.0])]
    found = band([np.arange(1.0, 4.0)] * 3, curves)
    assert found.x.tolist() == [2.0, 3.0]
    assert found.levels[2].tolist() == [1.5, 2.0]


def test_a_curve_over_seconds_holds_its_value_until_the_next_trial_ends() -> None:
    """Between the ends of two trials the earlier one counts."""
    found = band([np.array([10.0, 20.0, 40.0])], [np.array([1.0, 2.0, 3.0])])
    assert found.x[0] >= 10.0
    assert found.x[-1] == 40.0
    middle = found.levels[2]
    assert set(middle[(found.x >= 20) & (found.x < 40)]) == {2.0}
    assert middle[-1] == 3.0


def test_nothing_has_an_empty_band() -> None:
    """No studies, or none with a result, are no mistake."""
    assert band([], []).x.tolist() == []
    assert band([np.array([1.0])], [np.array([NAN])]).levels.shape == (len(QUANTILES), 0)


def test_many_seeds_are_fast() -> None:
    """500 seeds of 200 trials with gaps, over seconds: less than a second on a busy machine."""
    draw = np.random.default_rng(0)
    curves = [np.maximum.accumulate(draw.random(200)) for _ in range(500)]
    for curve in curves:
        curve[: draw.integers(0, 20)] = NAN
    began = time.process_time()
    band([np.cumsum(draw.random(200)) for _ in curves], curves)
    assert time.process_time() - began < 1.0
