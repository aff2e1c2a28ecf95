"""The layers of a `CellNet` in PyTorch: operations, cell, halving block, network.

They are those of NATS-Bench, down to what is odd about them: a skip between different numbers of
channels is a 1 x 1 convolution without the ReLU before it that all other convolutions have.
Weights are drawn as PyTorch draws them by default, which is how the benchmark was made.

Shapes are [N, C, H, W]. An operation keeps height and width.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from automl_cli.programs.cell_net import Stage
    from automl_cli.programs.contracts import Shape


def convolution(cin: int, cout: int, kernel_size: int, stride: int = 1) -> nn.Sequential:
    """ReLU, convolution that keeps the size (but for its stride), batch normalisation."""
    padding = kernel_size // 2
    return nn.Sequential(
        nn.ReLU(),  # not in place: other edges read the same node
        nn.Conv2d(cin, cout, kernel_size, stride, padding, bias=False),
        nn.BatchNorm2d(cout),
    )


class Zero(nn.Module):
    """No edge at all: zeros in the place of the input."""

    def __init__(self, cout: int) -> None:
        super().__init__()
        self.cout = cout

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> zeros [N, cout, H, W], that take no memory and have no gradient."""
        n, _, h, w = x.shape
        return x.new_zeros(()).expand(n, self.cout, h, w)


def skip(cin: int, cout: int) -> nn.Module:
    """The input itself where the number of channels stays."""
    if cin == cout:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(cin, cout, 1, bias=False), nn.BatchNorm2d(cout))


def average_pool(cin: int, cout: int) -> nn.Module:
    """Mean of the 3 x 3 pixels around each one, of those that lie in the image."""
    pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return pool if cin == cout else nn.Sequential(convolution(cin, cout, 1), pool)


OPERATIONS: dict[str, Callable[[int, int], nn.Module]] = {
    "none": lambda cin, cout: Zero(cout),
    "skip_connect": skip,
    "nor_conv_1x1": lambda cin, cout: convolution(cin, cout, 1),
    "nor_conv_3x3": lambda cin, cout: convolution(cin, cout, 3),
    "avg_pool_3x3": average_pool,
}
"""Makes each operation for its input and output channels."""


class Cell(nn.Module):
    """Nodes that each sum one edge from every node before; node 0 is the input.

    Args:
        edges: `edges[n][k]` leads from node k to node n + 1.
    """

    def __init__(self, edges: Sequence[Sequence[nn.Module]]) -> None:
        super().__init__()
        self.edges = nn.ModuleList(nn.ModuleList(node) for node in edges)

    def forward(self, x: Tensor) -> Tensor:
        """[N, cin, H, W] -> the last node, [N, cout, H, W]."""
        nodes = [x]
        for edges in self.edges:
            assert isinstance(edges, nn.ModuleList)
            terms = [edge(node) for edge, node in zip(edges, nodes, strict=True)]
            nodes.append(reduce(operator.add, terms))
        return nodes[-1]


def make_cell(cell: list[list[str]], cin: int, cout: int) -> Cell:
    """A cell of named operations; only the edges from its input change the channels."""
    return Cell(
        [
            [OPERATIONS[name](cout if source else cin, cout) for source, name in enumerate(node)]
            for node in cell
        ]
    )


class HalvingBlock(nn.Module):
    """A residual block (He et al. 2016) of stride 2, as in ResNet-D (arXiv 1812.01187)."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.body = nn.Sequential(convolution(cin, cout, 3, stride=2), convolution(cout, cout, 3))
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, ceil_mode=True),  # odd sizes round up, as those of the body
            nn.Conv2d(cin, cout, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, cin, H, W] -> [N, cout, H / 2, W / 2], rounded up."""
        y: Tensor = self.body(x) + self.shortcut(x)
        return y


class CellNetwork(nn.Module):
    """The whole network.

    Args:
        cell: names of operations, as in `CellNet`.
        stages: what stands between the first convolution and the last normalisation.
        shape: of one image.
        classes: number of logits.
    """

    def __init__(
        self, cell: list[list[str]], stages: Sequence[Stage], shape: Shape, classes: int
    ) -> None:
        super().__init__()
        first, last = stages[0].cin, stages[-1].cout
        self.stem = nn.Sequential(
            nn.Conv2d(shape[0], first, 3, padding=1, bias=False), nn.BatchNorm2d(first)
        )
        self.stages = nn.Sequential(
            *(
                HalvingBlock(cin, cout) if halves else make_cell(cell, cin, cout)
                for halves, cin, cout in stages
            )
        )
        self.norm = nn.Sequential(nn.BatchNorm2d(last), nn.ReLU())
        self.classifier = nn.Linear(last, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W] -> logits [N, classes]."""
        features = self.norm(self.stages(self.stem(x)))
        logits: Tensor = self.classifier(features.mean(dim=(2, 3)))
        return logits
