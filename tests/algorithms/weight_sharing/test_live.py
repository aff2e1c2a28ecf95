"""Live and inert arguments: searched beside the network, adopted between steps, or only priced."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from automl_algorithms import catalogue
from automl_algorithms.weight_sharing.search import Moment, Task
from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_algorithms.weight_sharing.tunas import TuNAS
from automl_spaces import floatv, oneof
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from .stepwise import Fit, conv, identity, sequential

SMALL = Objective("loss", "minimize")


class Rate:
    """A learning rate, as an object."""

    def __init__(self, lr: float, decay: float = 0.0) -> None:
        if lr > 9:
            raise ValueError("too much")
        self.lr, self.decay = lr, decay


class Chip:
    """So many units of hardware."""

    def __init__(self, units: int) -> None:
        self.units = units


class Tuned(Fit):
    """Its learning rate and its noise are live, its chip is inert."""

    live_arguments: ClassVar[tuple[str, ...]] = ("rate", "noise")
    inert_arguments: ClassVar[tuple[str, ...]] = ("chip",)

    def __init__(
        self,
        model: Any,
        rate: Any = None,
        noise: float = 0.0,
        rounds: int = 1,
        chip: Any = None,
    ) -> None:
        super().__init__(model)
        self.rate, self.noise, self.rounds, self.chip = rate, noise, rounds, chip
        self.adopted: list[tuple[str, Any]] = []

    def adopt(self, name: str, value: Any) -> None:
        """Note it."""
        setattr(self, name, value)
        self.adopted.append((name, value))


tuned, rate, chip = symbolize(Tuned), symbolize(Rate), symbolize(Chip)


def edge() -> Any:
    """A layer or none, before a layer."""
    return sequential(oneof([conv(3, 3, 1), identity()]), conv(3, 3, 1))


def full(**more: Any) -> Supernet:
    """Everything at once: six points in five places, one of them nested."""
    rates = oneof({"low": rate(0.1), "high": rate(oneof([1.0, 2.0]))})
    units = chip(oneof([4, 8, 16]))
    return lower(Space(tuned(edge(), rates, oneof([0.0, 0.5]), chip=units, **more)))


def record(net: Supernet, **values: Any) -> Any:
    """A record; what is not given is the first."""
    known = {"model.args[0]": "Conv2d", "rate": "low", "noise": 0.0, "chip.units": 4}
    return net.space.decode(known | values)


def ids(net: Supernet, indices: frozenset[int]) -> set[str]:
    """The ids of points."""
    return {net.space.points[index].id for index in indices}


def test_points_beside_the_network_have_gates() -> None:
    """All are searched; which of them act how is known."""
    net = full()
    assert len(net.gates) == len(net.space.points) == 5
    assert ids(net, net.live) == {"rate", "rate(high).lr", "noise"}
    assert ids(net, net.inert) == {"chip.units"}
    assert net.settled == {}
    assert net.program.chip is None
    assert (net.program.rate.lr, net.program.noise) == (0.1, 0.0)


def test_a_chosen_record_is_adopted() -> None:
    """Built, nested choices included; the chip is none of the program's business."""
    net = full()
    net.program.adopted.clear()
    net.choose(record(net, rate="high", **{"rate(high).lr": 2.0, "noise": 0.5, "chip.units": 16}))
    [(first, value), second] = net.program.adopted
    assert (first, value.lr) == ("rate", 2.0)
    assert second == ("noise", 0.5)
    assert net.program.chip is None


def test_the_beginning_is_the_static_program() -> None:
    """What the choices replaced, though it is not the first candidate."""
    choice = oneof([0.3, 0.7], default=0.7)
    model = sequential(oneof([conv(3, 3, 1), identity()], default=identity()))
    assert lower(Space(tuned(model, rate(choice)))).program.rate.lr == 0.7


def test_a_candidate_that_cannot_be_built_is_told_before_the_search() -> None:
    """By the check of the supernet, with the reason."""
    net = lower(Space(tuned(edge(), rate(oneof([1.0, 10.0])))))
    with pytest.raises(UserError, match=r"rate: it cannot be Rate\(lr=10.0\): ValueError: too mu"):
        net.check(net.program.batch)


def test_the_check_leaves_the_beginning() -> None:
    """Every candidate was adopted once."""
    net = full()
    net.check(net.program.batch)
    assert {v for n, v in net.program.adopted if n == "noise"} == {0.0, 0.5}
    assert (net.program.rate.lr, net.program.noise) == (0.1, 0.0)


def test_what_cannot_change_between_steps_is_refused() -> None:
    """By its name, with what can."""
    with pytest.raises(UserError) as caught:
        lower(Space(tuned(edge(), rate(oneof([1.0, 2.0])), rounds=oneof([1, 2]))))
    [problem] = caught.value.problems
    assert problem.path == "rounds"
    assert "Tuned cannot change it between steps (it can: rate, noise)" in problem.message
    assert "by trials" in problem.hint


def test_one_decision_in_a_live_and_in_another_argument_is_refused() -> None:
    """It would have to act in both."""
    both = [oneof([1, 2], name="both") for _ in range(2)]
    with pytest.raises(UserError, match=r"^both: stands outside of modules"):
        lower(Space(tuned(edge(), rate(both[0]), rounds=both[1])))


def test_one_decision_in_the_network_and_in_a_chip_acts_in_the_network() -> None:
    """It is not inert."""
    model = sequential(conv(3, 3, oneof([1, 3], name="k")))
    net = lower(Space(tuned(model, chip=chip(oneof([1, 3], name="k")))))
    assert ids(net, frozenset(net.gates)) == {"k"}
    assert not net.inert


def test_live_points_may_be_settled() -> None:
    """By the caller; what it leaves is searched."""
    template = tuned(edge(), rate(oneof([1.0, 2.0])), oneof([0.0, 0.5]))
    net = lower(Space(template), lambda point: 1 if point.id == "rate.lr" else None)
    assert ids(net, net.live) == {"noise"}
    assert net.program.rate.lr == 2.0


def test_a_continuous_live_point_has_no_candidates() -> None:
    """Yet it is adopted."""
    net = lower(Space(tuned(edge(), rate(floatv(0.1, 0.9)))))
    net.check(net.program.batch)
    assert net.program.rate.lr == pytest.approx(0.5)
    net.choose(net.space.decode({"model.args[0]": "Conv2d", "rate.lr": 0.25}))
    assert net.program.rate.lr == 0.25


def test_an_algorithm_for_networks_alone_says_what_can() -> None:
    """In one message for both kinds, with the points."""
    search = catalogue.create("darts")
    with pytest.raises(UserError) as caught:
        search.setup(full(), Task(SMALL))
    live, inert = caught.value.problems
    assert "darts cannot search rate, rate(high).lr, noise: " in live.message
    assert "darts cannot search chip.units: " in inert.message
    assert "random, evolution" in inert.hint
    assert "tunas" not in live.hint


def test_tunas_searches_what_only_costs() -> None:
    """One-shot search of hardware: the record's costs are the whole record's."""
    net = lower(Space(tuned(edge(), chip=chip(oneof([4, 8, 16])))))

    def costs(decisions: Any) -> dict[str, float]:
        return {"area": float(decisions["chip.units"])}

    net.program.optimizer.param_groups[0]["lr"] = 0.0  # a cubic diverges
    tunas = TuNAS(lr=0.2, beta=-3.0, delay=0.0, warmup=0.0)
    tunas.setup(net, Task(SMALL, 0, costs, {"area": (7.0, 9.0)}))
    batch = net.program.batch
    for step in range(120):
        tunas.step(batch, lambda: batch, Moment(0, step, 1, 120))
    assert tunas.policy()[net.space.point("chip.units").index][1] > 0.8


def test_hardware_without_a_cost_is_nothing_to_search() -> None:
    """The message says what is missing."""
    net = lower(Space(tuned(edge(), chip=chip(oneof([4, 8, 16])))))
    with pytest.raises(UserError, match=r"nothing rewards chip.units: it acts through costs"):
        TuNAS().setup(net, Task(SMALL))
