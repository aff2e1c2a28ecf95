"""The front of quality and a cost by shared weights: it is found, settled, and spread."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from automl_algorithms.weight_sharing.front import Front, spread
from automl_algorithms.weight_sharing.search import Task
from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_algorithms.weight_sharing.tunas import TuNAS
from automl_spaces import oneof
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from .bandit import Casino, arm, bandit, prices, search, sequence

GOAL = Objective("accuracy")
ROWS = [[0.1, 0.5, 0.9]] * 4
PRICES = [[1.0, 2.0, 3.0]] * 4  # what is worth more costs more


class Chip:
    """Something that acts through costs alone: two sizes that are best where they are equal."""

    def __init__(self, width: int = 1, height: int = 1) -> None:
        self.width, self.height = width, height


class Board(Casino):
    """A `Casino` on a chip."""

    inert_arguments: ClassVar[tuple[str, ...]] = ("accelerator",)

    def __init__(self, model: Any, accelerator: Any = None) -> None:
        super().__init__(model)
        self.accelerator = accelerator


def on_a_chip() -> tuple[Supernet, Any]:
    """Four decisions of a network and two of a chip; and their price."""
    rows = [oneof([arm(worth / 4) for worth in row]) for row in ROWS]
    chip = symbolize(Chip)(oneof([1, 2, 3, 4]), oneof([1, 2, 3, 4]))
    net = lower(Space(symbolize(Board)(model=sequence(*rows), accelerator=chip)))

    def cost(decisions: Decisions) -> Mapping[str, float]:
        chosen = [p.place(v) for p, v in zip(net.space.points, decisions.values, strict=True)
                  if v is not None]  # fmt: skip
        width, height = chosen[4] + 1, chosen[5] + 1
        time = (4 + sum(chosen[:4])) * (1 + abs(width - height)) / (width * height)
        return {"price": time, "area": float(width * height)}

    return net, cost


def test_the_front_of_a_supernet_is_found() -> None:
    """One record of each total, the worth rising with the price; the best quality comes first."""
    net = bandit(ROWS)
    task = Task(GOAL, 0, prices(net, PRICES))
    found = search(TuNAS(front="price", networks=300, cost="price", target=8.0), net, 50, task)
    derived = found.derive(lambda: next(net.program.valid_batches()))
    front = [next(derived) for _ in range(9)]
    totals = [task.costs(record)["price"] for record in front]
    assert totals[0] == 12
    assert sorted(totals) == list(range(4, 13))
    assert [found.score(record) for record in front] == pytest.approx(
        [0.1 + 0.1 * (total - 4) for total in totals]
    )


def test_only_records_within_the_constraints_are_in_it() -> None:
    """Though half of all records are outside, and better."""
    net = bandit(ROWS)
    task = Task(GOAL, 0, prices(net, PRICES), {"price": (5.0, 8.0)})
    found = search(TuNAS(front="price", networks=300), net, 50, task)
    derived = found.derive(lambda: next(net.program.valid_batches()))
    assert {task.costs(next(derived))["price"] for _ in range(4)} == {5, 6, 7, 8}


def test_each_network_is_settled_on_its_cheapest_chip() -> None:
    """Within the area; and no network is judged twice for the sake of a chip."""
    net, cost = on_a_chip()
    task = Task(GOAL, 0, cost, {"area": (-float("inf"), 9.0)})
    judged: list[Decisions] = []

    def judge(record: Decisions) -> float:
        judged.append(record)
        return float(sum(map(float, record.values[:4])))  # type: ignore[arg-type]

    front = Front(net.space, net.inert, task, "price", random.Random(0), judge)
    found = front.find(lambda: net.space.sample(random.Random(1)), 100)
    assert found
    assert {cost(record)["area"] for record in found} == {9.0}
    networks = [record.values[:4] for record in judged]
    assert len(networks) == len(set(networks))


def test_a_record_outside_of_the_constraints_comes_within_first() -> None:
    """Where both sizes must shrink, the cheaper chip that is still too large is passed over."""
    net, cost = on_a_chip()
    task = Task(GOAL, 0, cost, {"area": (-float("inf"), 4.0)})
    front = Front(net.space, net.inert, task, "price", random.Random(0), lambda _: 0.0)
    largest = net.space.complete([0, 0, 0, 0, 3, 3], random.Random(0))
    assert cost(front.settled(largest))["area"] <= 4


def test_the_front_is_spread() -> None:
    """The best quality, then the middle, which adds most; what is beaten is left out."""
    space = Space(symbolize(Chip)(oneof([1, 2, 3, 4]), oneof([1, 2, 3, 4])))
    a, b, c, d, *_ = space.enumerate()
    told = {a: (0.9, -9.0), b: (0.5, -1.0), c: (0.8, -3.0), d: (0.7, -4.0)}
    assert spread(told) == [a, c, b]
    assert spread({}) == []


def test_a_cost_that_the_recipe_lacks_is_named() -> None:
    """With the nearest one."""
    net = bandit(ROWS)
    task = Task(GOAL, 0, prices(net, PRICES))
    with pytest.raises(UserError, match=r"front of quality and prices.*did you mean price"):
        TuNAS(front="prices").setup(net, task)
    with pytest.raises(UserError, match="networks must be at least 1"):
        TuNAS(networks=0)


def test_a_network_is_settled_where_others_were() -> None:
    """From 1 x 1 no single change is better; what another network ended with is."""
    net, cost = on_a_chip()
    front = Front(net.space, net.inert, Task(GOAL, 0, cost), "price", random.Random(0), lambda _: 0)

    def size(record: Decisions) -> tuple[float, ...]:
        return tuple(float(v or 0) + 1 for v in record.values[4:])

    small = net.space.complete([0, 0, 0, 0, 0, 0], random.Random(0))
    assert size(front.settled(small)) == (1, 1)
    assert size(front.settled(net.space.complete([1, 0, 0, 0, 3, 3], random.Random(0)))) == (4, 4)
    assert size(front.settled(small)) == (4, 4)
