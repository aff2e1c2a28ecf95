"""Regularized evolution: who lives, who breeds, who dies."""

from __future__ import annotations

import random
import statistics
from collections import Counter
from typing import Any

import pytest

from automl_algorithms.contract import Observation, Plan
from automl_algorithms.multi_trial.evolution import Evolution
from automl_algorithms.multi_trial.random import Random
from automl_algorithms.proposer import attempt_rng
from automl_algorithms.sampling import sample
from automl_spaces.choices import oneof
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError
from automl_spaces.space import Space
from tests.algorithms.driving import ONE, seeded
from tests.algorithms.spaces import reward_of, space_of

CELLS = space_of("cells")
OPS = ["none", "skip", "conv1", "conv3", "pool"]
NATS = Space.compile({"cell": [[oneof(OPS) for _ in range(node)] for node in (1, 2, 3)]})


def _evolution(space: Space = CELLS, **options: Any) -> Evolution:
    made = Evolution(**options)
    made.setup(space, ONE, 0)
    return made


def _born(evolution: Evolution, trial_id: int, reward: float) -> Decisions:
    decisions = CELLS.sample(random.Random(trial_id))
    evolution.restore(trial_id, Plan(decisions))
    evolution.feedback(Observation(trial_id, Plan(decisions), "completed", (reward,)))
    return decisions


def _distance(a: Decisions, b: Decisions) -> int:
    return sum(x != y for x, y in zip(a.values, b.values, strict=True))


def test_the_oldest_dies_not_the_worst() -> None:
    """After k births the population is the last five, in order, even without the best of all."""
    evolution = _evolution(population=5, tournament=2)
    born = [(r, _born(evolution, i, r)) for i, r in enumerate([9.0, 1, 5, 3, 7, 2, 8, 4, 6])]
    assert list(evolution._alive) == born[-5:]
    assert max(evolution._alive)[0] < 9.0


def test_the_answer_is_the_best_ever_even_when_it_has_died() -> None:
    """Five young ones live, none of them the best; the search still answers with it."""
    evolution = Evolution(population=5, tournament=2)
    search = sample(CELLS, evolution, 20)
    for i, (_, feedback) in enumerate(search):
        feedback(9.0 if i == 3 else i / 20)
    assert search.best is not None
    assert search.best.trial_id == 3
    assert [r for r, _ in evolution._alive] == [i / 20 for i in range(15, 20)]


def test_a_failed_trial_enters_neither_population_nor_tournament() -> None:
    """Nor does it push anybody out."""
    evolution = _evolution(population=3, tournament=3)
    for i in range(3):
        _born(evolution, i, float(i))
    before = list(evolution._alive)
    evolution.restore(3, Plan(before[0][1]))
    evolution.feedback(Observation(3, Plan(before[0][1]), "failed"))
    assert list(evolution._alive) == before


def test_a_child_is_one_mutation_away_from_the_best_of_a_full_tournament() -> None:
    """When everybody competes, the best of the living is the parent of every child."""
    evolution = _evolution(population=6, tournament=6)
    parents = [_born(evolution, i, float(-i)) for i in range(6)]
    for trial_id in range(6, 40):
        child = evolution.propose(trial_id, attempt_rng(0, trial_id, 0))
        assert _distance(child, parents[0]) == 1


def test_tournament_pressure() -> None:
    """Best of S without replacement of P wins with probability S / P: 0.4 here."""
    evolution = _evolution(population=10, tournament=4)
    parents = [_born(evolution, i, float(i)) for i in range(10)]
    wins = Counter(evolution._parent(random.Random(i)) == parents[-1] for i in range(3000))
    assert wins[True] / 3000 == pytest.approx(0.4, abs=0.03)


def test_tournament_with_replacement() -> None:
    """With replacement it is 1 - (1 - 1/P)^S: 0.271 for P = 10, S = 3."""
    evolution = _evolution(preset="nats")
    parents = [_born(evolution, i, float(i)) for i in range(10)]
    wins = sum(evolution._parent(random.Random(i)) == parents[-1] for i in range(3000))
    assert wins / 3000 == pytest.approx(1 - 0.9**3, abs=0.03)


def test_the_first_generation_is_random_and_complete_even_with_failures() -> None:
    """A failure frees its place: the population fills before anybody breeds."""
    evolution = _evolution(population=4, tournament=4)
    states = ["completed", "failed", "failed", "completed", "completed", "failed", "completed"]
    for trial_id, state in enumerate(states):
        drawn = evolution.propose(trial_id, attempt_rng(0, trial_id, 0))
        assert drawn == CELLS.sample(attempt_rng(0, trial_id, 0))
        rewards = (1.0,) if state == "completed" else ()
        evolution.feedback(Observation(trial_id, Plan(drawn), state, rewards))  # type: ignore[arg-type]
    child = evolution.propose(7, attempt_rng(0, 7, 0))
    assert child != CELLS.sample(attempt_rng(0, 7, 0))


def test_children_are_made_from_whatever_is_known() -> None:
    """With 8 workers and 4 places the fifth worker is not kept waiting."""
    evolution = _evolution(population=4, tournament=2)
    drawn = [evolution.propose(i, attempt_rng(0, i, 0)) for i in range(8)]
    assert len(set(drawn)) == 8
    evolution.feedback(Observation(5, Plan(drawn[5]), "completed", (1.0,)))
    assert _distance(evolution.propose(8, attempt_rng(0, 8, 0)), drawn[5]) == 1


def test_mutation_rate() -> None:
    """With rate 1 every decision changes; with a small rate at least one does."""
    every = _evolution(population=1, tournament=1, mutation_rate=1.0)
    few = _evolution(population=1, tournament=1, mutation_rate=0.01)
    for evolution, allowed in ((every, {6}), (few, {1, 2})):
        parent = _born(evolution, 0, 1.0)
        distances = {
            _distance(evolution.propose(i, attempt_rng(0, i, 0)), parent) for i in range(1, 50)
        }
        assert distances <= allowed


def test_hierarchical_mutation_is_that_of_nats_bench() -> None:
    """The node first, then one of its edges: 1/3, 1/6, 1/6, 1/9, 1/9, 1/9; never the same op."""
    evolution = _evolution(NATS, preset="nats")
    rng = random.Random(0)
    parent = NATS.sample(rng)
    changed: Counter[int] = Counter()
    for _ in range(60_000):
        child = evolution._mutate(parent, rng)
        (place,) = (i for i in range(6) if child.values[i] != parent.values[i])
        changed[place] += 1
    expected = [1 / 3, 1 / 6, 1 / 6, 1 / 9, 1 / 9, 1 / 9]
    assert [changed[i] / 60_000 for i in range(6)] == pytest.approx(expected, abs=0.01)


def test_a_repeat_keeps_the_old_value_as_often_as_any_other() -> None:
    """NATS-Bench's size space: a random layer gets a random width, 1/8 of all changes nothing."""
    sizes = Space.compile({"widths": [oneof(list(range(8, 72, 8))) for _ in range(5)]})
    evolution = _evolution(sizes, preset="nats_size")
    rng = random.Random(0)
    parent = sizes.sample(rng)
    children = [evolution._mutate(parent, rng) for _ in range(20_000)]
    assert sum(c == parent for c in children) / 20_000 == pytest.approx(1 / 8, abs=0.01)
    layers = Counter(i for c in children for i in range(5) if c.values[i] != parent.values[i])
    assert [layers[i] / 20_000 for i in range(5)] == pytest.approx([7 / 40] * 5, abs=0.01)


def test_hierarchical_mutation_knows_what_is_active() -> None:
    """A decision that does not count is never chosen; its chance goes to those beside it."""
    mixed = space_of("mixed")
    evolution = _evolution(mixed, mutation="hierarchical")
    rng = random.Random(0)
    changed: Counter[str] = Counter()
    parent = mixed.decode(
        {"kernel": 3, "fixed": "only", "optimizer": "adam", "optimizer(adam).lr": 0.01,
         "optimizer(adam).steps": 2, "augment[0]": "flip", "augment[1]": "crop",
         "order[0]": "norm", "order[1]": "act", "order[2]": "conv", "width": 1.0}
    )  # fmt: skip
    for _ in range(5000):
        child = evolution._mutate(parent, rng)
        mixed.check(child.values)
        both = [k for k, v in parent.as_dict().items() if child.as_dict().get(k, v) != v]
        changed[both[0].partition("[")[0]] += 1
    chances = {k: n / 5000 for k, n in changed.items()}
    # fixed cannot change; optimizer branches into itself and the two decisions below it.
    assert chances == pytest.approx(
        {"kernel": 0.2, "optimizer": 0.1, "optimizer(adam).lr": 0.05, "optimizer(adam).steps": 0.05,
         "augment": 0.2, "order": 0.2, "width": 0.2}, abs=0.03
    )  # fmt: skip


def test_nearby_moves_numbers_by_a_step() -> None:
    """Always: widths go to the next one, other decisions change as ever; half: one way or other."""
    widths = [24, 8, 16, 64, 32]
    space = Space.compile({"widths": [oneof(widths) for _ in range(3)], "op": oneof(OPS)})
    rng = random.Random(0)
    parent = space.sample(rng)
    ranks = [sorted(widths).index(widths[int(v)]) for v in parent.values[:3] if v is not None]
    for nearby, expected in ((1.0, 1.0), (0.5, 0.5 + 0.5 * _by_one(ranks, len(widths)))):
        evolution = _evolution(space, nearby=nearby)
        steps, changed = [], Counter[int]()
        for _ in range(4000):
            child = evolution._mutate(parent, rng)
            (place,) = (i for i in range(4) if child.values[i] != parent.values[i])
            changed[place] += 1
            if place < 3:
                rank = sorted(widths).index(widths[int(child.values[place] or 0)])
                steps.append(abs(rank - ranks[place]))
        assert steps.count(1) / len(steps) == pytest.approx(expected, abs=0.03)
        assert [changed[i] / 4000 for i in range(4)] == pytest.approx([0.25] * 4, abs=0.03)


def _by_one(ranks: list[int], n: int) -> float:
    """The chance that another value, all being equally likely, is the next one."""
    return statistics.fmean([(2 if 0 < rank < n - 1 else 1) / (n - 1) for rank in ranks])


def test_nearby_keeps_records_valid() -> None:
    """Whatever a point is: conditional, a slot of a group, a number on a scale."""
    mixed = space_of("mixed")
    evolution = _evolution(mixed, nearby=1.0)
    rng = random.Random(1)
    record = mixed.sample(rng)
    for _ in range(2000):
        child = evolution._mutate(record, rng)
        mixed.check(child.values)
        assert child != record
        record = child


def test_a_program_that_cannot_change_is_its_own_child() -> None:
    """Neither way of mutating fails for want of a decision."""
    only = Space.compile({"op": oneof(["only"])})
    evolution = _evolution(only, preset="nats")
    decisions = only.sample(random.Random(0))
    assert evolution._mutate(decisions, random.Random(0)) == decisions


def test_crossover_mixes_two_parents() -> None:
    """Each decision of a child comes from one of two parents, but for the one that mutates."""
    evolution = _evolution(population=2, tournament=1, crossover=1.0)
    parents = []
    for trial_id, op in enumerate(["none", "pool"]):
        decisions = CELLS.decode({f"edges[{i}]": op for i in range(6)})
        evolution.restore(trial_id, Plan(decisions))
        evolution.feedback(Observation(trial_id, Plan(decisions), "completed", (1.0,)))
        parents.append(set(decisions.values))
    known = parents[0] | parents[1]
    children = [evolution.propose(i, attempt_rng(0, i, 0)) for i in range(2, 60)]
    assert all(sum(v not in known for v in child.values) <= 1 for child in children)
    assert any(known <= set(child.values) for child in children)


def test_presets_and_overrides() -> None:
    """A preset sets six options, each of which can be overridden alone."""
    made = Evolution(preset="nats")
    assert (made.population, made.tournament, made.replacement) == (10, 3, True)
    made = Evolution(preset="paper", population=200)
    assert (made.population, made.tournament, made.replacement) == (200, 25, True)
    made = Evolution()
    assert (made.population, made.tournament, made.replacement) == (50, 10, False)
    assert (made.mutation, made.repeat, made.crossover) == ("uniform", False, 0.8)
    assert Evolution(crossover=0.0).crossover == Evolution(preset="paper").crossover == 0.0
    made = Evolution(preset="nats", repeat=True)
    assert (made.mutation, made.repeat) == ("hierarchical", True)
    assert Evolution(preset="nats_size", mutation="hierarchical").repeat


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": 0}, "population must be at least 1"),
        ({"population": 5}, r"tournament must be between 1 and population \(5\), got 10"),
        ({"tournament": 0}, "tournament must be"),
        ({"mutation_rate": 0.0}, "mutation_rate must be"),
        ({"crossover": 1.5}, "crossover must be"),
        ({"preset": "nat"}, "did you mean nats?"),
        ({"mutation": "hierarchic"}, "did you mean hierarchical?"),
        ({"preset": "nats", "mutation_rate": 0.1}, "needs mutation: uniform"),
        ({"repeat": True, "mutation_rate": 0.1}, "repeat: false"),
        ({"nearby": 0.5, "mutation_rate": 0.1}, "and nearby: 0"),
        ({"nearby": -0.1}, "nearby must be in"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    """Each is refused with what it should have been."""
    with pytest.raises(UserError, match=message):
        Evolution(**options)


def test_it_beats_random_search() -> None:
    """On a separable reward its median best of 9 seeds after 200 trials is clearly better."""

    def median(make: type[Evolution] | type[Random], **options: int) -> float:
        best = []
        for seed in range(9):
            search = sample(CELLS, make(**options), 200, seed=seed)
            for _, feedback in search:
                feedback(reward_of(feedback.decisions))
            assert search.best is not None
            best.append(search.best.values[0])
        return statistics.median(best)

    assert median(Evolution, population=20, tournament=5) > 0.5 * median(Random)


def test_time_per_trial_does_not_grow() -> None:
    """State is the population and nothing else: 5,000 trials leave P members and no rest."""
    evolution = seeded(lambda: Evolution(population=50, tournament=10), CELLS)
    assert isinstance(evolution, Evolution)
    for trial_id in range(5000):
        decisions = evolution.propose(trial_id, attempt_rng(0, trial_id, 0))
        evolution.feedback(Observation(trial_id, Plan(decisions), "completed", (0.0,)))
    assert len(evolution._alive) == 50
    assert evolution._in_flight == set()
