"""Callables that the tests of the core make programs of, and a program made of them."""

from __future__ import annotations

from typing import Any

from automl_spaces.registry import symbolize

BUILT: list[str] = []
"""What was built, in order: building is the only thing that leaves a trace here."""


class Toy:
    """Remembers what it was made of."""

    def __init__(self, **made_of: Any) -> None:
        self.made_of = made_of
        BUILT.append(type(self).__name__)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


class ToyConv(Toy):
    """A layer with simple types."""

    def __init__(self, kernel_size: int = 3, filters: int = 32, stride: int = 1) -> None:
        super().__init__(kernel_size=kernel_size, filters=filters, stride=stride)


class ToyPool(Toy):
    """Another layer."""

    def __init__(self, kernel_size: int = 2) -> None:
        super().__init__(kernel_size=kernel_size)


class ToyNet(Toy):
    """A list of layers."""

    def __init__(self, blocks: list[Any], width: float = 1.0, act: str = "relu") -> None:
        super().__init__(blocks=blocks, width=width, act=act)

    def depth(self) -> int:
        """How many layers there are."""
        return len(self.made_of["blocks"])


class ToySGD(Toy):
    """An optimizer with a required number."""

    def __init__(self, lr: float, momentum: float = 0.0) -> None:
        super().__init__(lr=lr, momentum=momentum)


class ToyAdam(Toy):
    """Another optimizer."""

    def __init__(self, lr: float, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        super().__init__(lr=lr, betas=betas)


class Hungry(Toy):
    """Costs a lot to build, as a layer of many weights does."""

    allocated = 0

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__(rows=rows, columns=columns)
        Hungry.allocated += rows * columns


def toy_train(model: Any, optimizer: Any = None, lr: float = 0.1, epochs: int = 8) -> float:
    """A program that is a function."""
    return lr * epochs


def toy_any(**parts: Any) -> dict[str, Any]:
    """Takes arguments of every name and type."""
    return parts


def toy_positions(first: int, /, second: int = 2, *rest: int, last: int = 0) -> tuple[Any, ...]:
    """Every kind of parameter."""
    return first, second, rest, last


# `Any`, because type checkers see no classes in them.
Conv: Any = symbolize(ToyConv)
Pool: Any = symbolize(ToyPool)
Net: Any = symbolize(ToyNet)
SGD: Any = symbolize(ToySGD)
Adam: Any = symbolize(ToyAdam)
Linear: Any = symbolize(Hungry)
train: Any = symbolize(toy_train)
anything: Any = symbolize(toy_any)
positions: Any = symbolize(toy_positions)


def static() -> Any:
    """A fresh program: three convolutions, a pool in their middle, and an optimizer."""
    blocks = [Conv(3, 8), Conv(5, 16), Pool(), Conv(3, 16, 2)]
    return train(Net(blocks, width=0.5), SGD(0.1, 0.9), lr=0.1)
