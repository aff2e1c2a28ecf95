"""A supernet of a few adders, whose quality is a table: searches are quick and must win."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from automl_algorithms.weight_sharing.search import SupernetSearch, Task
from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_spaces import oneof
from automl_spaces.decisions import Decisions
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize
from automl_spaces.space import Space


class Arm(nn.Module):
    """Adds its worth to what comes in; the weight beside it has no effect."""

    def __init__(self, worth: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.worth = worth

    def forward(self, x: Tensor) -> Tensor:
        """x + worth."""
        return x + self.worth + 0 * self.weight


class Casino:
    """The quality of a path is the mean of its arms' worths."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.epochs, self.steps = 1, 10

    @cached_property
    def optimizer(self) -> torch.optim.Optimizer:
        """Of the weights without an effect."""
        return torch.optim.SGD(self.model.parameters(), 0.1)

    def train_batches(self) -> Iterator[Tensor]:
        """Zeros, to begin the sum with."""
        return iter([torch.zeros(())] * self.steps)

    def valid_batches(self) -> Iterator[Tensor]:
        """The same."""
        return iter([torch.zeros(())])

    def loss(self, batch: Tensor) -> Tensor:
        """Differentiable in mixtures; what is worth most is least."""
        total: Tensor = -self.model(batch)
        return total

    def evaluate(self, batches: Iterable[Tensor] | None = None) -> dict[str, float]:
        """The sum over the arms."""
        found = [self.model(batch).item() for batch in batches or self.valid_batches()]
        return {"accuracy": sum(found) / len(found)}


arm, casino, sequence = symbolize(Arm), symbolize(Casino), symbolize(nn.Sequential)


def bandit(worths: Sequence[Sequence[float]]) -> Supernet:
    """A decision for each row, worth what the row says, divided by the number of rows."""
    rows = [oneof([arm(w / len(worths)) for w in row]) for row in worths]
    return lower(Space(casino(model=sequence(*rows))))


def search(
    search: SupernetSearch, net: Supernet, steps: int, task: Task | None = None
) -> SupernetSearch:
    """The search, after so many steps of one epoch."""
    from automl_algorithms.weight_sharing.loop import Loop

    net.program.steps = steps
    for _ in Loop(net, search, task or Task(Objective("accuracy")), records=1):
        pass
    return search


def prices(net: Supernet, table: Sequence[Sequence[float]]) -> Any:
    """The cost `price` of a record: a sum over its decisions."""

    def cost(decisions: Decisions) -> Mapping[str, float]:
        chosen = zip(net.space.points, decisions.values, strict=True)
        return {"price": sum(table[p.index][p.place(v)] for p, v in chosen if v is not None)}

    return cost
