"""Random search with parameter sharing: every step trains random paths, nothing is learned.

Li and Talwalkar 2019 (arXiv 1902.07638), as run by NATS-Bench (Dong et al. 2021, arXiv
2009.00437): at each use of a decision, so in each cell of a network, a candidate is drawn,
uniformly. In the end random records compete with the shared weights on one validation batch, and
the best of these on all of the validation part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from automl_algorithms.contract import algorithm
from automl_algorithms.weight_sharing.derivation import Policy
from automl_algorithms.weight_sharing.search import Batch, Moment, SupernetSearch, Task
from automl_algorithms.weight_sharing.supernet import Supernet
from automl_spaces.decisions import Decisions


@algorithm
class RSPS(SupernetSearch):
    """Random search with parameter sharing.

    Args:
        per_cell: every place of a decision draws for itself; otherwise, and in spaces with
            conditions or groups, the whole network is one record.
        candidates: records that compete in the end.
        finalists: how many of them are judged again, on the whole validation part.
        clip: norm that a gradient of the weights may have; None for any.
    """

    def __init__(
        self,
        per_cell: bool = True,
        candidates: int = 100,
        finalists: int = 10,
        clip: float | None = None,
    ) -> None:
        self.candidates, self.finalists, self.clip = candidates, finalists, clip
        self.per_cell = per_cell

    def setup(self, net: Supernet, task: Task) -> None:
        """Find out what can be drawn place by place."""
        super().setup(net, task)
        free = all(not p.conditions and p.group is None for p in net.space.points)
        self.per_cell = self.per_cell and free

    def step(self, train: Batch, valid: Callable[[], Batch], at: Moment) -> dict[str, float]:
        """A step of the weights on a random path."""
        if self.per_cell:
            for gate in self.net.gates.values():
                gate.draw(partial(self.rng.randrange, gate.size))
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
