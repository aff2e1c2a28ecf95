"""Random search with parameter sharing: every step trains random paths, nothing is learned.

Li and Talwalkar 2019 (arXiv 1902.07638), as run by NATS-Bench (Dong et al. 2021, arXiv
2009.00437): at each use of a decision, so in each cell of a network, a candidate is drawn,
uniformly. In the end random records compete with the shared weights on one validation batch, and
the best of these on all of the validation part.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Literal, NamedTuple

from automl_algorithms.contract import algorithm
from automl_algorithms.weight_sharing._presets import chosen
from automl_algorithms.weight_sharing.derivation import Policy
from automl_algorithms.weight_sharing.gates import Gate
from automl_algorithms.weight_sharing.search import Batch, Moment, SupernetSearch, Task
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError


class Preset(NamedTuple):
    """A named setting."""

    per_cell: bool
    never_all: str | None
    candidates: int
    finalists: int
    clip: float | None


PRESETS: Final = {
    "default": Preset(True, None, 100, 10, None),
    # Dong et al. 2021, NATS-Bench; validation batches of 512.
    "nats": Preset(True, "none", 100, 1, None),
    # Li and Talwalkar 2019, section 4.2: one path per step.
    "paper": Preset(False, None, 1000, 10, 5.0),
}


@algorithm
class RSPS(SupernetSearch):
    """Random search with parameter sharing.

    Args:
        preset: a named setting of the options below.
        per_cell: every place of a decision draws for itself; otherwise, and in spaces with
            conditions or groups, the whole network is one record.
        never_all: a candidate that the decisions in one list never draw all at once: with
            "none", the edges into a node of a cell. Needs draws per cell.
        candidates: records that compete in the end.
        finalists: how many of them are judged again, on the whole validation part, if above 1.
        clip: norm that a gradient of the weights may have; .inf for any.
    """

    def __init__(
        self,
        *,
        preset: Literal["default", "nats", "paper"] = "default",
        per_cell: bool | None = None,
        never_all: str | None = None,
        candidates: int | None = None,
        finalists: int | None = None,
        clip: float | None = None,
    ) -> None:
        setting = chosen(
            PRESETS,
            preset,
            per_cell=per_cell,
            never_all=never_all,
            candidates=candidates,
            finalists=finalists,
            clip=clip,
        )
        self.per_cell, self.never_all, self.candidates, self.finalists, self.clip = setting

    def setup(self, net: Supernet, task: Task) -> None:
        """Find out what can be drawn place by place, and what is drawn jointly."""
        super().setup(net, task)
        free = all(not p.conditions and p.group is None for p in net.space.points)
        self.per_cell = self.per_cell and free
        self.operations = net.switched()
        self.nodes: list[Node] = []
        if self.never_all is None:
            return
        self.nodes = _nodes(net, self.never_all, self.rng)
        if not (self.per_cell and self.nodes):
            raise UserError(
                f"never_all: {self.never_all} has nothing to act on: it is about lists of choices "
                f"that all have a candidate {self.never_all}, drawn per cell",
                path="algorithm.never_all",
                hint="preset: default draws all alike",
            )

    def step(self, train: Batch, valid: Callable[[], Batch], at: Moment) -> dict[str, float]:
        """A step of the weights on a random path."""
        if self.per_cell:
            for index, gate in self.net.gates.items():
                if index in self.operations:
                    gate.draw(partial(self.rng.randrange, gate.size))
                else:  # the sizes of neighbours have to fit
                    gate.choose(self.rng.randrange(gate.size))
            for node in self.nodes:
                node.set()
        else:
            self.net.choose(self.draw())
        return {"loss": self.train_weights(train)}

    def policy(self) -> Policy:
        """Uniform from beginning to end."""
        return {i: [1 / gate.size] * gate.size for i, gate in self.net.gates.items()}

    def derive(self, valid: Callable[[], Batch]) -> Iterator[Decisions]:
        """The best of random records."""
        drawn = [self.draw() for _ in range(self.candidates)]
        yield from self.ranked(drawn, [valid()], self.finalists)


class Node:
    """Decisions that are drawn together: the edges into a node of a cell.

    Args:
        gates: in the order of the list.
        label: what they never are all at once.
    """

    def __init__(self, gates: list[Gate], label: str, rng: random.Random) -> None:
        self.gates, self.rng = gates, rng
        self._never = [gate.values.index(label) for gate in gates]
        self._drawn: dict[int, int] = {}  # what is still to be used, by the place in the list

    def set(self) -> None:
        """Each cell that asks every gate once gets a joint draw of its own."""
        self._drawn = {}
        for place, gate in enumerate(self.gates):
            gate.draw(partial(self._take, place))

    def _take(self, place: int) -> int:
        if place not in self._drawn:
            self._drawn = dict(enumerate(self._draw()))
        return self._drawn.pop(place)

    def _draw(self) -> list[int]:
        while True:
            found = [self.rng.randrange(gate.size) for gate in self.gates]
            if found != self._never:
                return found


def _nodes(net: Supernet, label: str, rng: random.Random) -> list[Node]:
    """The lists of choices whose every choice has this candidate beside others."""
    lists: dict[str, list[Gate]] = {}
    for gate in net.gates.values():
        parent, bracket, _ = gate.point.id.rpartition("[")
        if bracket:
            lists.setdefault(parent, []).append(gate)
    return [
        Node(gates, label, rng)
        for gates in lists.values()
        if all(label in gate.values and gate.size > 1 for gate in gates)
    ]
