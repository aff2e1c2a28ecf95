"""What was measured to go wrong in PyGlove 0.4.5, each a test for ours."""

from __future__ import annotations

import math
import random
import time
from typing import Any

import pytest

from automl_algorithms.sampling import Sampling, sample
from automl_spaces import overlays
from automl_spaces.choices import floatv, intv, oneof
from automl_spaces.errors import Problems, UserError
from automl_spaces.json_form import from_json, to_json
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize
from automl_spaces.space import Space
from automl_spaces.yaml_reader import compose

from .programs import SGD, Adam, Conv, Hungry, Linear, Net, anything, static, train


def above(values: list[float], bound: float) -> float:
    """The part of the values above a bound."""
    return sum(v > bound for v in values) / len(values)


def test_the_log_scale_reaches_random_sampling() -> None:
    """75 % of [1e-5, 1e-1] lies below 1e-2 in the logarithm; PyGlove drew 10.6 %."""
    space, rng = Space([floatv(1e-5, 1e-1, "log")]), random.Random(0)
    values = [float(space.sample(rng).values[0] or 0) for _ in range(4000)]
    assert 1 - above(values, 1e-2) == pytest.approx(0.75, abs=0.02)


def test_the_log_scale_reaches_mutation() -> None:
    """A mutant is drawn from the same distribution."""
    space, rng = Space([floatv(1e-5, 1e-1, "log")]), random.Random(0)
    record = space.sample(rng)
    values = [float(space.mutate(record, rng).values[0] or 0) for _ in range(4000)]
    assert 1 - above(values, 1e-2) == pytest.approx(0.75, abs=0.02)


def small_template() -> Any:
    """A program with a few decisions of several kinds."""
    blocks = [Conv(oneof([3, 5, 7]), filters=intv(8, 64)) for _ in range(4)]
    return train(Net(blocks), SGD(floatv(1e-3, 1.0, "log")))


def searched(seed: int) -> list[str]:
    """The proposals of an evolution of sixty trials: most are mutants."""
    search = sample(small_template(), "evolution", 60, seed=seed)
    proposals = []
    for program, feedback in search:
        proposals.append(to_json(program))
        feedback(-abs(program.optimizer.lr - 0.1))
    return proposals


def test_the_seed_reaches_the_mutator() -> None:
    """Two runs of one seed are the same run, another seed is another."""
    assert searched(1) == searched(1)
    assert searched(1) != searched(2)


def test_a_raising_trial_does_not_come_back_for_ever() -> None:
    """It has failed; the search goes on with another proposal and ends."""
    search = sample(Space([oneof(range(5))]), "random", 20, unique=True)
    tried: list[int] = []
    for _ in range(20):
        try:
            for program, feedback in search:
                tried.append(program[0])
                if program[0] == 2:
                    raise RuntimeError("a bad architecture")
                feedback(float(program[0]))
        except RuntimeError:
            del feedback
        else:
            break
    assert sorted(tried) == [0, 1, 2, 3, 4]
    assert {r.program[0]: r.state for r in search.results}[2] == "failed"
    assert search.best is not None
    assert search.best.program == [4]


@pytest.mark.parametrize("objective", ["maximize", "minimize"])
def test_a_first_reward_of_nan_is_not_the_best(objective: Any) -> None:
    """It is a failed trial, and any number beats it."""
    search = sample(Space([oneof(range(5))]), "random", 5, objective=objective)
    for i, (_, feedback) in enumerate(search):
        feedback(math.nan if i == 0 else float(i))
    assert search.results[0].state == "failed"
    assert search.best is not None
    assert search.best.values == ((4.0,) if objective == "maximize" else (1.0,))


def test_with_several_objectives_the_best_is_not_just_the_first_trial() -> None:
    """The front is what no other trial beats, wherever it came in the run."""
    objectives = [Objective("accuracy"), Objective("latency", "minimize")]
    search: Sampling = sample(Space([oneof(range(9))]), "random", 5, objective=objectives)
    told = [(0.1, 9.0), (0.5, 1.0), (0.9, 5.0), (0.4, 2.0), (0.9, 6.0)]
    for values, (_, feedback) in zip(told, search, strict=False):
        feedback(values)
    assert [r.trial_id for r in search.front] == [1, 2]
    assert search.best is not None
    assert search.best.trial_id == 2


def test_records_are_not_positional() -> None:
    """Reordered arguments and a new first candidate change no meaning."""
    old = Space(anything(a=oneof(["conv", "pool"]), b=intv(1, 9)))
    new = Space(anything(b=intv(1, 9), a=oneof(["skip", "conv", "pool"])))
    record = old.decode({"a": "pool", "b": 7})
    assert new.materialise(new.decode(record.to_json())) == old.materialise(record)


def test_a_changed_space_is_told() -> None:
    """Its hash differs, and a record that does not fit is refused with the reason."""
    old, new = Space([oneof(["conv", "pool"])]), Space([oneof(["conv", "skip"])])
    assert old.hash != new.hash
    with pytest.raises(UserError, match=r"\[0\]: 'pool' is not in \{conv, skip\}"):
        new.decode(old.decode({"[0]": "pool"}).to_json())


def test_a_pattern_that_matches_nothing_is_an_error() -> None:
    """In an overlay with file, line and column; in Python too; with the nearest path."""
    node = compose("- at: model.blocks[*].kernel\n  replace: !oneof [3, 5]\n", "s1.yaml")
    assert node is not None
    problems = Problems()
    overlays.apply(static(), overlays.read_rules(node, (), problems), problems)
    assert str(problems.found[0]) == (
        "s1.yaml:1:7: model.blocks[*].kernel matches nothing in the program "
        "(did you mean model.blocks[*].kernel_size?)"
    )
    with pytest.raises(UserError, match="matches nothing"):
        static().rebind({"model.blocks[*].kernel": 3})


def test_a_choice_remembers_the_value_that_it_replaced() -> None:
    """So the first trial of a search can be the static program."""
    node = compose("- at: model.blocks[*].kernel_size\n  replace: !oneof [2, 3, 5]\n", "s1.yaml")
    assert node is not None
    problems = Problems()
    template = overlays.apply(static(), overlays.read_rules(node, (), problems), problems)
    search = sample(template, "random", 3, baseline=True)
    first, feedback = next(search)
    feedback(1.0)
    assert first == static()


def test_there_is_an_integer_range() -> None:
    """With ends, step and scale; its values are ints."""
    space = Space([intv(8, 64, step=8, scale="log")])
    assert [d.values[0] for d in space.enumerate()] == [8, 16, 24, 32, 40, 48, 56, 64]
    assert type(space.materialise(space.sample(random.Random(0)))[0]) is int


def test_oneof_needs_no_type_checks() -> None:
    """A callable without hints takes choices like any other."""

    def untyped(x, **rest):  # type: ignore[no-untyped-def]
        """No hints."""
        return x, rest

    node = symbolize(untyped)(oneof([1, "a", None]), y=oneof([Conv(), Adam(0.1)]))
    assert Space(node).size == 6


def test_a_wrapped_class_has_one_state() -> None:
    """An attribute cannot be set beside the arguments; an edit shows in node and object."""
    node: Any = Conv(3)
    with pytest.raises(AttributeError):
        node.kernel_size = 5
    with pytest.raises(AttributeError):
        node.other = 5
    assert node.instance().made_of["kernel_size"] == 3
    node.rebind(kernel_size=5)
    assert (node.kernel_size, node.instance().made_of["kernel_size"]) == (5, 5)


@pytest.mark.parametrize("value", [lambda x: x, print, object(), random.Random(0), Conv])
def test_json_holds_names_and_data_only(value: Any) -> None:
    """No bytecode, no pickles: what has no name is refused when it is written."""
    with pytest.raises(UserError, match="cannot be written down"):
        to_json(anything(value=value))


def test_json_executes_nothing() -> None:
    """A name that is not registered or listed is not even imported."""
    for text in ('{"$":"os:system","command":"true"}', '{"$":"builtins:eval","source":"1"}'):
        with pytest.raises(UserError, match="is not listed under imports"):
            from_json(text)


def test_a_symbolised_layer_allocates_nothing_when_it_is_defined() -> None:
    """4,194,304 weights that no driver needs."""
    space = Space(anything(layer=Linear(2048, oneof([2048, 4096]))))
    program = space.materialise(space.sample(random.Random(0)))
    assert from_json(to_json(program.clone())) == program
    assert Hungry.allocated == 0


def test_speed() -> None:
    """Random programs of 38 decisions: PyGlove made 15 a second; ours over 2,000, if idle."""
    blocks = [Conv(oneof([3, 5, 7]), oneof([8, 16])) for _ in range(18)]
    space, rng = Space(train(Net(blocks), SGD(floatv(1e-3, 1.0, "log")))), random.Random(0)
    before = time.perf_counter()
    for _ in range(200):
        space.materialise(space.sample(rng))
    assert time.perf_counter() - before < 1.0
