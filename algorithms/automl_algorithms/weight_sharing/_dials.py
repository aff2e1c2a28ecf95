"""What searches have in common that move numbers beside a fixed network while it trains.

The numbers act at once, so that such a search is one training, with a schedule of its own. It
ends with the values that it came to, for a list of candidates with the nearest ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Final

from automl_algorithms.contract import DECISIONS
from automl_algorithms.weight_sharing import derivation
from automl_algorithms.weight_sharing._numbers import Number, Part, Role, hand, is_number, part_of
from automl_algorithms.weight_sharing.derivation import Policy
from automl_algorithms.weight_sharing.live import beginning
from automl_algorithms.weight_sharing.search import Batch, SupernetSearch, Task
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces.decisions import Decisions
from automl_spaces.errors import Problems, UserError
from automl_spaces.points import Point

_KINDS: Final[Mapping[Role, str]] = {
    "rate": "learning_rate",
    "decay": "weight_decay",
    "loss": "augmentation",
}


class Dials(SupernetSearch):
    """Base of these searches.

    Class attributes:
        roles: of the numbers that a search can move, with a word for each.
    """

    live: ClassVar[bool] = True
    roles: ClassVar[Mapping[Role, str]]

    def setup(self, net: Supernet, task: Task) -> None:
        """The numbers, as in the static program.

        Raises:
            UserError: all points that are no such numbers, when there are any.
        """
        super().setup(net, task)
        points = net.space.points
        self.numbers = {i: Number(points[i]) for i in sorted(net.live) if is_number(points[i])}
        self.parts = {index: part_of(net, number) for index, number in self.numbers.items()}
        self._require_numbers()
        self.start = beginning(net.space)
        static = ((i, self.start[i]) for i in self.numbers)
        self.values = {i: float(points[i].show(v)) for i, v in static if v is not None}
        self.names = {i: points[i].id.rpartition(".")[2] for i in self.numbers}  # to be told by
        net.adopt(self.start)

    def turn(self, values: Mapping[int, float]) -> None:
        """Go on with other values, each within its range."""
        for index, value in values.items():
            number = self.numbers[index]
            self.values[index] = min(max(value, number.low), number.high)
        hand(self.net, self.start, self.values)

    def policy(self) -> Policy:
        """The shares of the two candidates that a number is between; ranges have none."""
        return {i: n.chances(self.values[i]) for i, n in self.numbers.items() if n.values}

    def found(self) -> dict[str, float]:
        """As `value/<index>`, what each number came to."""
        return {f"value/{index}": value for index, value in self.values.items()}

    def derive(self, valid: Callable[[], Batch]) -> Iterator[Decisions]:
        """The values in the end; then with the other neighbours of candidates."""
        ranges = {i: n.decided(self.values[i]) for i, n in self.numbers.items() if not n.values}
        for _, record in derivation.most_probable(
            self.net.space, self.policy(), {**self.net.settled, **ranges}
        ):
            yield record

    def state_dict(self) -> dict[str, Any]:
        """The values too."""
        return super().state_dict() | {"values": dict(self.values)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        super().load_state_dict(state)
        self.turn(state["values"])

    def _require_numbers(self) -> None:
        problems = Problems()
        wanted = " or ".join(self.roles.values())
        for index in self.net.gates:
            point = self.net.space.points[index]
            part = self.parts.get(index)
            if part is None or part.role not in self.roles:
                what = (
                    "a decision of the network"
                    if index not in self.net.live
                    else ("no number" if part is None else f"no {wanted.removeprefix('a ')}")
                )
                problems.add(
                    f"{self.name} cannot search {point.id}: it is {what}, and {self.name} moves "
                    f"{wanted} by gradients",
                    point.mark,
                    "algorithm",
                    f"these can: {', '.join(_able(point, part))}",
                )
        if problems.found:
            raise UserError(problems.found)


def _able(point: Point, part: Part | None) -> Iterator[str]:
    """The algorithms of weight sharing that search a point, those for all kinds if it has none."""
    from automl_algorithms import catalogue

    kind = part and _KINDS.get(part.role)
    wanted = set(DECISIONS) if kind is None else {kind}
    for name in catalogue.names(family="weight_sharing"):
        able = catalogue.capabilities(name)
        if point.cardinality is None and not able.continuous:
            continue
        if (able.conditional or not point.conditions) and wanted <= catalogue.accepts(name):
            yield name
