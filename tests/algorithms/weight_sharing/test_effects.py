"""What is fitted to judged records: exact on plain data, honest about what is noise."""

from __future__ import annotations

import math
import random
from statistics import fmean, pstdev

import pytest
import torch

from automl_algorithms.weight_sharing._effects import FREE, RIDGES, Effects
from automl_spaces import oneof
from automl_spaces.decisions import Decisions
from automl_spaces.registry import symbolize
from automl_spaces.space import Space


@symbolize
def program(**decisions: int) -> int:
    """A program whose choices are told apart by their names."""
    return sum(decisions.values())


SPACE = Space(program(**{f"p{i}": oneof(list(range(3))) for i in range(8)}))
SIZES = dict.fromkeys(range(8), 3)


def gain(effects: Effects, index: int, place: int, instead: int) -> float:
    """Of a candidate over another one of a decision, in standard errors."""
    rest = (0,) * len(SIZES)
    ours, theirs = (
        Decisions(SPACE, (*rest[:index], each, *rest[index + 1 :])) for each in (place, instead)
    )
    means, errors = effects.gains([ours], theirs)
    return float(means[0] / errors[0, 0].clamp(min=1e-24).sqrt())


def told(effects: list[list[float]], count: int, noise: float, seed: int) -> Effects:
    """Of random records, whose quality also rises while they are judged."""
    rng, found = random.Random(seed), Effects(SIZES)
    for step in range(count):
        record = SPACE.sample(rng)
        progress = step / count
        worth = sum(row[int(v or 0)] for row, v in zip(effects, record.values, strict=True))
        found.take([record], [worth + 0.5 * progress + rng.gauss(0, noise)], progress)
    return found


@pytest.mark.parametrize("weight", [0.0, 0.1, 2.0])
def test_it_is_the_regression_under_the_most_probable_ridge(weight: float) -> None:
    """Of Gaussian processes on all records, one for each ridge; from effects of none to clear ones.

    With y ~ N(0, s K) and the s that fits best, the evidence is -(n - 3) log s - log |K|.
    """
    rng, found, rows, values = random.Random(0), Effects(SIZES), [], []
    for step in range(60):
        record, t = SPACE.sample(rng), step / 60
        value = rng.random() + weight * sum(v == 1 for v in record.values)
        found.take([record], [value], t)
        rows.append([1.0, t, t * t, *(float(v == p) for v in record.values for p in range(3))])
        values.append(value)
    x, y = torch.tensor(rows, dtype=torch.float64), torch.tensor(values, dtype=torch.float64)

    def fitted(ridge: float) -> tuple[float, float]:
        prior = torch.tensor([FREE] * 3 + [ridge] * 24, dtype=torch.float64)
        covariance = torch.eye(60, dtype=torch.float64) + (x / prior) @ x.T
        noise = float(y @ torch.linalg.solve(covariance, y)) / 57
        contrast = torch.zeros(27, dtype=torch.float64)
        contrast[3 + 5 * 3 + 1], contrast[3 + 5 * 3] = 1.0, -1.0
        toward = x @ (contrast / prior)
        mean = float(toward @ torch.linalg.solve(covariance, y))
        less = float(toward @ torch.linalg.solve(covariance, toward))
        error = noise * (float(contrast @ (contrast / prior)) - less)
        return -57 * math.log(noise) - float(torch.logdet(covariance)), mean / error**0.5

    wanted = max(map(fitted, RIDGES))[1]
    assert gain(found, 5, 1, 0) == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    assert abs(wanted) < 0.1 if not weight else weight == 0.1 or wanted > 5


def test_equal_candidates_have_normal_gains() -> None:
    """However much the other decisions and the moment matter."""
    effects = [[0.0, 3.0, -3.0]] * 4 + [[0.0] * 3] * 4
    gains = [
        gain(told(effects, 200, 0.3, seed), i, 1, 0) for seed in range(40) for i in range(4, 8)
    ]
    assert abs(fmean(gains)) < 0.25
    assert 0.8 < pstdev(gains) < 1.2


def test_a_candidate_that_is_better_is_found_though_others_matter_more() -> None:
    """By a third of the noise, in 400 records."""
    effects = [[0.0, 3.0, -3.0]] * 4 + [[0.0, 0.1, 0.0]] * 4
    gains = [
        gain(told(effects, 400, 0.3, seed), i, 1, 0) for seed in range(10) for i in range(4, 8)
    ]
    assert 2.0 < fmean(gains) < 4.0


def test_the_whole_gain_of_a_record_is_the_sum_of_its_changes() -> None:
    """And so are covariances, of which one record's error is a part."""
    found, static = told([[0.0, 1.0, -1.0]] * 8, 200, 0.3, 3), Decisions(SPACE, (0,) * 8)
    singles = [Decisions(SPACE, tuple(int(i == j) for j in range(8))) for i in range(8)]
    every = Decisions(SPACE, (1,) * 8)
    means, errors = found.gains([*singles, every], static)
    assert means[8] == pytest.approx(float(means[:8].sum()))
    assert errors[8, 8] == pytest.approx(float(errors[:8, :8].sum()))
    assert errors[8, 8].sqrt() < 0.8 * errors.diag()[:8].sqrt().sum()  # errors are not added up
    assert found.gains([static], static).means.tolist() == [0.0]


@pytest.mark.parametrize("together", [2, 4])
def test_what_a_batch_has_in_common_is_no_noise(together: int) -> None:
    """Records that are judged together differ by their own noise only; errors stay honest."""
    gains = []
    for seed in range(20):
        rng, found = random.Random(seed), Effects(SIZES)
        for _ in range(400 // together):
            records = [SPACE.sample(rng) for _ in range(together)]
            batch = rng.gauss(0, 5)
            worths = [
                0.1 * (r.values[0] == 1) + (r.values[7] == 2) + batch + rng.gauss(0, 0.3)
                for r in records
            ]
            found.take(records, worths, rng.random())
        gains.append([gain(found, i, 1, 0) for i in range(7)])
    assert 1.2 < fmean(first for first, *_ in gains) < 3.5
    others = [gain for _, *rest in gains for gain in rest]
    assert abs(fmean(others)) < 0.3
    assert 0.8 < pstdev(others) < 1.2


def test_what_was_never_judged_is_no_gain() -> None:
    """Its effect is none, with a wide error; a candidate is no better than itself."""
    found = Effects(SIZES)
    rng = random.Random(1)
    for step in range(50):
        values = (0, *SPACE.sample(rng).values[1:])
        found.take([Decisions(SPACE, values)], [rng.random()], step / 50)
    assert abs(gain(found, 0, 2, 1)) < 1e-9
    assert gain(found, 3, 1, 1) == 0


def test_a_quality_that_is_not_finite_says_nothing_and_a_state_is_all_that_is_known() -> None:
    """So that one ruined step costs nothing, and a resumed search ends the same."""
    first = told([[0.0, 1.0, 0.0]] * 8, 50, 0.1, 0)
    second = Effects(SIZES)
    second.load_state_dict(first.state_dict())
    second.take([SPACE.sample(random.Random(0))], [float("nan")], 1.0)
    assert gain(second, 2, 1, 0) == gain(first, 2, 1, 0)
    second.take([SPACE.sample(random.Random(0))], [5.0], 1.0)
    assert gain(second, 2, 1, 0) != gain(first, 2, 1, 0)
