"""A space with everything that a policy has to heed: a nested choice, and a group."""

from __future__ import annotations

from torch import Tensor, nn

from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_spaces import manyof, oneof
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from .bandit import arm, casino, sequence


class Layers(nn.Module):
    """A first layer, and a list of others."""

    def __init__(self, first: nn.Module, others: list[nn.Module]) -> None:
        super().__init__()
        self.all = nn.Sequential(first, *others)

    def forward(self, x: Tensor) -> Tensor:
        """One after the other."""
        result: Tensor = self.all(x)
        return result


def rich() -> Supernet:
    """A choice with a choice inside, and two different ones of three: 4 x 6 records."""
    inner = sequence(oneof([arm(0.1), arm(0.2), arm(0.3)]))
    others = manyof(2, [arm(0.1), arm(0.2), arm(0.3)])
    return lower(Space(casino(model=symbolize(Layers)(oneof([inner, arm(0.3)]), others))))
