"""What stays the static program, and which changes of it are made."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import fmean
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from automl_algorithms.weight_sharing._backed import DOUBT, Backed
from automl_algorithms.weight_sharing._effects import Effects
from automl_algorithms.weight_sharing.search import Task
from automl_algorithms.weight_sharing.supernet import lower
from automl_algorithms.weight_sharing.tunas import TuNAS
from automl_spaces import oneof
from automl_spaces.decisions import Decisions
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from .bandit import Casino, arm, casino, prices, search, sequence

SIZE, CANDIDATES = 6, 4


@symbolize
def program(**decisions: int) -> int:
    """A static program whose choices are told apart by their names."""
    return sum(decisions.values())


SPACE = Space(program(**{f"p{i}": oneof(list(range(CANDIDATES))) for i in range(SIZE)}))
SIZES = dict.fromkeys(range(SIZE), CANDIDATES)
UNIFORM = dict.fromkeys(range(SIZE), [1 / CANDIDATES] * CANDIDATES)
PLACES = st.lists(st.integers(0, CANDIDATES - 1), min_size=SIZE, max_size=SIZE)
TRUTH = st.lists(
    st.lists(st.floats(-1, 1), min_size=CANDIDATES, max_size=CANDIDATES),
    min_size=SIZE,
    max_size=SIZE,
)
STATIC = (1,) * SIZE


def record(places: Sequence[int]) -> Decisions:
    """All points are active, and a value is its place."""
    return Decisions(SPACE, tuple(places))


def worth(truth: Sequence[Sequence[float]], decisions: Decisions) -> float:
    """The sum of the effects of what was decided."""
    return sum(row[int(v or 0)] for row, v in zip(truth, decisions.values, strict=True))


def learned(truth: Sequence[Sequence[float]], noise: float, count: int, seed: int = 0) -> Effects:
    """From random records."""
    rng, effects = random.Random(seed), Effects(SIZES)
    for step in range(count):
        drawn = SPACE.sample(rng)
        effects.take([drawn], [worth(truth, drawn) + rng.gauss(0, noise)], step / count)
    return effects


def found(
    effects: Effects,
    meets: Callable[[Decisions], bool] = lambda _: True,
    static: Sequence[int] = STATIC,
) -> Decisions | None:
    """What is backed."""
    return Backed(record(static), UNIFORM, effects, meets, {}).record()


def bound(effects: Effects, decisions: Decisions, static: Sequence[int]) -> float:
    """What is maximised."""
    means, errors = effects.gains([decisions], record(static))
    return float(means[0] - DOUBT * errors[0, 0].clamp(min=0).sqrt())


@settings(max_examples=20, deadline=None)
@given(TRUTH, st.integers(0, 99))
def test_where_nothing_is_uncertain_each_decision_is_the_best(
    truth: list[list[float]], seed: int
) -> None:
    """Without costs, and with next to no noise."""
    best = found(learned(truth, 0.0, 300, seed))
    assert best is not None
    wanted = sum(max(row) for row in truth)
    assert worth(truth, best) > wanted - 0.1


@settings(max_examples=20, deadline=None)
@given(TRUTH, PLACES, st.integers(0, 6), st.floats(0.05, 2))
def test_the_costs_are_met_and_no_change_would_be_better(
    truth: list[list[float]], static: list[int], room: int, noise: float
) -> None:
    """Here the cost is a sum that may be off by so much; one change alone, and two together."""

    def meets(decisions: Decisions) -> bool:
        return abs(sum(v or 0 for v in decisions.values) - sum(static)) <= room

    effects = learned(truth, noise, 120)
    best = found(effects, meets, static)
    assert best is not None
    assert meets(best)
    has = bound(effects, best, static)
    assert has >= 0  # the static program's own
    for i, j in itertools.combinations_with_replacement(range(SIZE), 2):
        for p, q in itertools.product(range(CANDIDATES), repeat=2):
            places = list(best.values)
            places[i], places[j] = p, q
            other = record(places)
            assert not meets(other) or bound(effects, other, static) <= has + 1e-6


def test_noise_changes_nothing() -> None:
    """Where all candidates are equal, in at least 39 of 40 searches."""
    truth = [[0.0] * CANDIDATES] * SIZE
    same = [found(learned(truth, 1.0, 200, seed)) == record(STATIC) for seed in range(40)]
    assert sum(same) >= 39


def test_many_changes_are_backed_together_of_which_none_is_alone() -> None:
    """Each is worth two and a half standard errors; a third of what all are worth is won."""
    truth, gains, alone = [[0.0, 0.0, 0.36, 0.0]] * SIZE, [], 0
    for seed in range(20):
        effects = learned(truth, 1.0, 400, seed)
        best = found(effects)
        assert best is not None
        gains.append(worth(truth, best))
        singles = [record([2 if i == j else 1 for j in range(SIZE)]) for i in range(SIZE)]
        means, errors = effects.gains(singles, record(STATIC))
        alone += int((means >= DOUBT * errors.diag().sqrt()).sum())
    assert alone <= 0.05 * 20 * SIZE
    assert fmean(gains) > 0.3 * 0.36 * SIZE
    assert min(gains) >= 0


def test_a_change_waits_for_one_that_pays_for_it() -> None:
    """The better one is too dear alone, the cheaper one is worse."""
    truth = [[0.0, 0.0, 1.0, 0.0], [-0.5, 0.0, 0.0, 0.0], *[[0.0] * CANDIDATES] * 4]
    best = found(learned(truth, 0.01, 300), lambda d: sum(v or 0 for v in d.values[:2]) <= 2)
    assert best is not None
    assert best.values[:2] == (2, 0)


def test_a_static_program_that_does_not_meet_the_costs_is_no_beginning() -> None:
    """Then what the policy prefers is all that there is."""
    assert found(Effects(SIZES), lambda _: False) is None


def test_what_is_below_another_candidate_is_as_the_policy_has_it() -> None:
    """The static program does not say what it would be."""
    inner = oneof([0, 1, 2])
    space = Space(program(a=oneof([program(), program(b=inner)], default=program())))
    sizes, policy = {0: 2, 1: 3}, {0: [0.5, 0.5], 1: [0.2, 0.7, 0.1]}
    rng, effects = random.Random(0), Effects(sizes)
    for step in range(200):
        drawn = space.sample(rng)
        effects.take([drawn], [float(drawn.values[1] is not None) + rng.gauss(0, 0.1)], step / 200)
    static = space.default()
    assert static is not None
    assert static.values == (0, None)
    best = Backed(static, policy, effects, lambda _: True, {}).record()
    assert best is not None
    assert best.values == (1, 1)


def tuned(
    band: tuple[float, float] | None, worth: float, **options: object
) -> tuple[list[int], list[int]]:
    """Places that TuNAS derives, and those of its policy alone.

    There are five decisions of three arms, of which the static program has the first; only the
    first decision matters, and its last arm is worth so much more. The middle arm is dear.
    """
    equal = [0.5, 0.5 + 1e-9, 0.5 - 1e-9]  # but no two candidates are the same
    rows = [[*equal[:2], 0.5 + worth], *[equal] * 4]
    choices = [oneof(row, default=row[0]) for row in ([arm(w / 5) for w in row] for row in rows)]
    net = lower(Space(casino(model=sequence(*choices))))
    costs = prices(net, [[1.0, 3.0, 1.0]] * 5)
    task = Task(Objective("accuracy"), 0, costs, {} if band is None else {"price": band})
    tunas = search(TuNAS(**options), net, 300, task)  # type: ignore[arg-type]
    first = next(tunas.derive(lambda: None))
    policy = tunas.policy()
    return (
        [p.place(v) for p, v in zip(net.space.points, first.values, strict=True)],
        [max(range(3), key=policy[p.index].__getitem__) for p in net.space.points],
    )


@pytest.mark.parametrize("band", [None, (4.9, 5.1)])
def test_tunas_changes_what_matters_and_nothing_else(band: tuple[float, float] | None) -> None:
    """The other decisions, about which no reward says anything, stay the static program's."""
    derived, _ = tuned(band, 1.0)
    assert derived == [2, 0, 0, 0, 0]


def test_tunas_ends_with_its_policy_where_that_is_asked_for() -> None:
    """As the paper has it."""
    derived, policy = tuned(None, 1.0, unidentified="policy")
    assert derived == policy
    assert derived[0] == 2


def test_tunas_ends_with_its_policy_where_the_static_program_is_too_dear() -> None:
    """It costs 5, and is no place to begin at when 9 is wanted."""
    derived, policy = tuned((8.5, 9.5), 1.0)
    assert derived == policy


class Weather(Casino):
    """Batches differ more than paths do; one image is right or wrong, and the loss tells more."""

    def valid_batches(self) -> Iterator[Tensor]:
        """How easy each is."""
        rng = random.Random(1)
        while True:
            yield torch.tensor(rng.gauss(0, 1))

    def evaluate(self, batches: Iterable[Tensor] | None = None) -> dict[str, float]:
        """The mean."""
        found = fmean(self.model(batch).item() for batch in batches or ())
        return self.told(found)

    def told(self, found: float) -> dict[str, float]:
        """The accuracy alone."""
        return {"accuracy": found}


class Graded(Weather):
    """Gives a loss, too, beside an accuracy that is the same for all."""

    def told(self, found: float) -> dict[str, float]:
        """Both."""
        return {"accuracy": 0.5, "loss": -found}


weather, graded = symbolize(Weather), symbolize(Graded)


def in_weather(program: Any, **options: Any) -> TuNAS:
    """A search; in each of five decisions the second arm is a bit better."""
    rows = [[0.0, 0.1]] * 5
    choices = [oneof([arm(w) for w in row], default=arm(row[0])) for row in rows]
    net = lower(Space(program(model=sequence(*choices))))
    tunas = TuNAS(**options)
    search(tunas, net, 300)
    return tunas


def places(tunas: TuNAS) -> list[int]:
    """Those that it derives."""
    values = next(tunas.derive(lambda: None)).values
    return [p.place(v) for p, v in zip(tunas.net.space.points, values, strict=True)]


def test_what_paths_have_in_common_on_a_batch_hides_nothing() -> None:
    """Judged one by one nothing is seen; as many judgements, four on a batch, show everything."""
    alone = in_weather(weather, every=1, samples=1, batches=1)
    assert places(alone) == [0] * 5
    assert alone.found()["backed/changes"] == 0
    together = in_weather(weather)
    assert places(together) == [1] * 5
    assert together.found()["backed/changes"] == 5
    assert together.found()["backed/gain"] == pytest.approx(0.5, abs=0.05)
    assert together.found()["backed/error"] < 0.05


def test_the_loss_is_what_effects_are_of() -> None:
    """If the program gives one; the policy goes by the objective alone."""
    assert places(in_weather(graded)) == [1] * 5
