"""PyGlove's side of `symbolic`.

Classes are `pg.Object`s, which is the quickest of its ways to make a class symbolic, and its
recommended one; the type annotations are checked on both sides.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pyglove as pg

from sides.timing import cpu_ms

BLOCKS = [(16, 1), *[(24, 2)] * 2, *[(32, 2)] * 3, *[(64, 2)] * 4, *[(96, 1)] * 3,
          *[(160, 2)] * 3, (320, 1)]  # fmt: skip


class Block(pg.Object):
    filters: int
    stride: int = 1
    kernel_size: int = 3
    expansion: int = 6


class MobileNet(pg.Object):
    blocks: list[Any]
    width: float = 1.0


class Adam(pg.Object):
    beta: float = 0.9


class Momentum(pg.Object):
    momentum: float = 0.9


class Trainer(pg.Object):
    model: Any
    optimizer: Any
    lr: float


def static() -> Trainer:
    blocks = [Block(filters, stride, 3, 6) for filters, stride in BLOCKS]
    return Trainer(MobileNet(blocks, 1.0), Adam(0.9), 0.1)


def template() -> Trainer:
    blocks = [
        Block(filters, stride, pg.oneof([3, 5, 7]), pg.oneof([3, 6])) for filters, stride in BLOCKS
    ]
    optimizer = pg.oneof([Adam(pg.floatv(0.8, 0.99)), Momentum(pg.floatv(0.5, 0.99))])
    rate = pg.floatv(1e-4, 1.0, scale="log")
    return Trainer(MobileNet(blocks, pg.oneof([0.5, 0.75, 1.0])), optimizer, rate)


def _search(algorithm: Any) -> Callable[[], None]:
    trials = iter(pg.sample(template(), algorithm))

    def step() -> None:
        _, feedback = next(trials)
        feedback(0.5)

    for _ in range(60):
        step()
    return step


def search_random() -> Callable[[], None]:
    return _search(pg.geno.Random())


def search_evolution() -> Callable[[], None]:
    return _search(pg.evolution.regularized_evolution(population_size=50, tournament_size=10))


def build() -> Callable[[], object]:
    return static


def clone_static() -> Callable[[], object]:
    tree = static()
    return lambda: tree.clone(deep=True)


def clone_space() -> Callable[[], object]:
    tree = template()
    return lambda: tree.clone(deep=True)


def rebind() -> Callable[[], object]:
    tree, sizes = static(), itertools.cycle([5, 7])
    return lambda: tree.rebind({"model.blocks[8].kernel_size": next(sizes)})


def equal() -> Callable[[], object]:
    a, b = static(), static()
    assert pg.eq(a, b)
    return lambda: pg.eq(a, b)


def diff() -> Callable[[], object]:
    a, b = static(), static().rebind({"model.blocks[8].kernel_size": 5})
    assert pg.ne(a, b)
    return lambda: pg.diff(a, b)


def json() -> Callable[[], object]:
    tree = static()
    assert pg.eq(pg.from_json_str(pg.to_json_str(tree)), tree)
    return lambda: pg.from_json_str(pg.to_json_str(tree))


_prepared: dict[str, Callable[[], object]] = {}


def measure(case: str, seconds: float) -> float:
    """CPU milliseconds of one operation; its preparation is not counted."""
    if case not in _prepared:
        _prepared[case] = globals()[case]()
    return cpu_ms(_prepared[case], seconds)
