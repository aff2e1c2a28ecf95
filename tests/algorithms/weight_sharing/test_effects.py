"""What is fitted to judged records: exact on plain data, honest about what is noise."""

from __future__ import annotations

import random
from statistics import fmean, pstdev

import pytest
import torch

from automl_algorithms.weight_sharing._effects import Effects
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


def told(effects: list[list[float]], count: int, noise: float, seed: int) -> Effects:
    """Of random records, whose quality also rises while they are judged."""
    rng, found = random.Random(seed), Effects(SIZES)
    for step in range(count):
        record = SPACE.sample(rng)
        progress = step / count
        worth = sum(row[int(v or 0)] for row, v in zip(effects, record.values, strict=True))
        found.take([record], [worth + 0.5 * progress + rng.gauss(0, noise)], progress)
    return found


def test_it_is_the_ridge_regression_that_numpy_would_solve() -> None:
    """Effects and errors, from the matrix of all records."""
    rng, found, rows, values = random.Random(0), Effects(SIZES), [], []
    for step in range(60):
        record, value = SPACE.sample(rng), rng.random()
        found.take([record], [value], step / 60)
        t = step / 60
        one_hot = [float(v == place) for v in record.values for place in range(3)]
        rows.append([1.0, t, t * t, *one_hot])
        values.append(value)
    x, y = torch.tensor(rows, dtype=torch.float64), torch.tensor(values, dtype=torch.float64)
    ridge = torch.tensor([1e-6] * 3 + [1.0] * 24, dtype=torch.float64).diag()
    inverse = torch.linalg.inv(x.T @ x + ridge)
    theta, hat = inverse @ x.T @ y, x @ inverse @ x.T
    noise = float(((y - x @ theta) ** 2).sum()) / (60 - float(hat.trace()))
    contrast = torch.zeros(27, dtype=torch.float64)
    contrast[3 + 5 * 3 + 2], contrast[3 + 5 * 3] = 1.0, -1.0
    wanted = float(contrast @ theta) / (noise * float(contrast @ inverse @ contrast)) ** 0.5
    assert found.gain(5, 2, 0) == pytest.approx(wanted, rel=1e-6)


def test_equal_candidates_have_normal_gains() -> None:
    """However much the other decisions and the moment matter."""
    effects = [[0.0, 3.0, -3.0]] * 4 + [[0.0] * 3] * 4
    gains = [told(effects, 200, 0.3, seed).gain(i, 1, 0) for seed in range(40) for i in range(4, 8)]
    assert abs(fmean(gains)) < 0.25
    assert 0.8 < pstdev(gains) < 1.2


def test_a_candidate_that_is_better_is_found_though_others_matter_more() -> None:
    """By a third of the noise, in 400 records."""
    effects = [[0.0, 3.0, -3.0]] * 4 + [[0.0, 0.1, 0.0]] * 4
    gains = [told(effects, 400, 0.3, seed).gain(i, 1, 0) for seed in range(10) for i in range(4, 8)]
    assert 2.0 < fmean(gains) < 4.0


@pytest.mark.parametrize("together", [2, 4])
def test_what_a_batch_has_in_common_is_no_noise(together: int) -> None:
    """Records that are judged together differ by their own noise only; errors stay honest."""
    gains = []
    for seed in range(20):
        rng, found = random.Random(seed), Effects(SIZES)
        for _ in range(400 // together):
            records = [SPACE.sample(rng) for _ in range(together)]
            batch = rng.gauss(0, 5)
            worths = [0.1 * (r.values[0] == 1) + batch + rng.gauss(0, 0.3) for r in records]
            found.take(records, worths, rng.random())
        gains.append([found.gain(0, 1, 0), *(found.gain(i, 1, 0) for i in range(1, 8))])
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
    assert abs(found.gain(0, 2, 1)) < 1e-9
    assert found.gain(3, 1, 1) == 0


def test_a_quality_that_is_not_finite_says_nothing_and_a_state_is_all_that_is_known() -> None:
    """So that one ruined step costs nothing, and a resumed search ends the same."""
    first = told([[0.0, 1.0, 0.0]] * 8, 50, 0.1, 0)
    second = Effects(SIZES)
    second.load_state_dict(first.state_dict())
    second.take([SPACE.sample(random.Random(0))], [float("nan")], 1.0)
    assert second.gain(2, 1, 0) == first.gain(2, 1, 0)
    second.take([SPACE.sample(random.Random(0))], [5.0], 1.0)
    assert second.gain(2, 1, 0) != first.gain(2, 1, 0)
