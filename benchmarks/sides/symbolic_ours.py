"""Our side of `symbolic`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from automl_algorithms import catalogue, sample
from automl_spaces import Space, Symbol, floatv, oneof, symbolize
from sides.timing import cpu_ms

BLOCKS = [(16, 1), *[(24, 2)] * 2, *[(32, 2)] * 3, *[(64, 2)] * 4, *[(96, 1)] * 3,
          *[(160, 2)] * 3, (320, 1)]  # fmt: skip


@symbolize
class Block:
    def __init__(
        self, filters: int, stride: int = 1, kernel_size: int = 3, expansion: int = 6
    ) -> None: ...


@symbolize
class MobileNet:
    def __init__(self, blocks: list[Any], width: float = 1.0) -> None: ...


@symbolize
class Adam:
    def __init__(self, beta: float = 0.9) -> None: ...


@symbolize
class Momentum:
    def __init__(self, momentum: float = 0.9) -> None: ...


@symbolize
class Trainer:
    def __init__(self, model: Any, optimizer: Any, lr: float) -> None: ...


def static() -> Symbol:
    blocks = [Block(filters, stride, 3, 6) for filters, stride in BLOCKS]
    return Trainer(MobileNet(blocks, 1.0), Adam(0.9), 0.1)


def template() -> Symbol:
    blocks = [Block(filters, stride, oneof([3, 5, 7]), oneof([3, 6])) for filters, stride in BLOCKS]
    optimizer = oneof([Adam(floatv(0.8, 0.99)), Momentum(floatv(0.5, 0.99))])
    return Trainer(MobileNet(blocks, oneof([0.5, 0.75, 1.0])), optimizer, floatv(1e-4, 1.0, "log"))


def _search(algorithm: Any) -> Callable[[], None]:
    space = Space.compile(template())
    assert len(space.points) == 39
    trials = sample(space, algorithm)

    def step() -> None:
        _, feedback = next(trials)
        feedback(0.5)

    for _ in range(60):
        step()
    return step


def search_random() -> Callable[[], None]:
    return _search("random")


def search_evolution() -> Callable[[], None]:
    return _search(
        catalogue.create("evolution", {"population": 50, "tournament": 10, "crossover": 0.0})
    )


def build() -> Callable[[], object]:
    return static


def clone_static() -> Callable[[], object]:
    return static().clone


def clone_space() -> Callable[[], object]:
    return template().clone


def rebind() -> Callable[[], object]:
    tree, sizes = static(), itertools.cycle([5, 7])
    return lambda: tree.rebind({"model.blocks[8].kernel_size": next(sizes)})


def equal() -> Callable[[], object]:
    a, b = static(), static()
    assert a == b
    return lambda: a == b


def diff() -> Callable[[], object]:
    a, b = static(), static().rebind({"model.blocks[8].kernel_size": 5})
    assert len(a.diff(b)) == 1
    return lambda: a.diff(b)


def json() -> Callable[[], object]:
    tree = static()
    assert Symbol.from_json(tree.to_json()) == tree
    return lambda: Symbol.from_json(tree.to_json())


_prepared: dict[str, Callable[[], object]] = {}


def measure(case: str, seconds: float) -> float:
    """CPU milliseconds of one operation; its preparation is not counted."""
    if case not in _prepared:
        _prepared[case] = globals()[case]()
    return cpu_ms(_prepared[case], seconds)
