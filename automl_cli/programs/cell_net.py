"""The networks of both spaces of NATS-Bench (Dong et al. 2021, arXiv 2009.00437).

One small cell is repeated in a fixed skeleton. The topology space, which is NAS-Bench-201 (Dong
and Yang 2020, arXiv 2001.00326), changes the operations of the cell; the size space fixes them
and changes the channels. Here a network is only described: a benchmark looks millions of them
up. The layers are made, by `cell_net_modules`, when one is to be trained.
"""

from __future__ import annotations

from itertools import chain, pairwise
from typing import TYPE_CHECKING, NamedTuple

from automl_cli.tables.architectures import LAYERS, OPERATIONS, cell_operations
from automl_spaces.errors import UserError, did_you_mean
from automl_spaces.registry import register

if TYPE_CHECKING:
    from torch import nn

    from automl_cli.programs.contracts import Shape

RESNET_CELL = [["nor_conv_3x3"], ["none", "nor_conv_3x3"], ["skip_connect", "none", "skip_connect"]]
"""A basic residual block (He et al. 2016) and a skip around it."""

SIZE_CELL = [
    ["nor_conv_3x3"],
    ["nor_conv_3x3", "nor_conv_3x3"],
    ["skip_connect", "nor_conv_3x3", "nor_conv_3x3"],
]
"""The cell of every network of the size space."""


class Stage(NamedTuple):
    """What stands at one place of the skeleton: a cell, or a block that halves the image."""

    halves: bool
    cin: int
    cout: int


@register
class CellNet:
    """A 3 x 3 convolution, three stages of cells, normalisation, mean, linear layer.

    A cell has four nodes; node 0 is its input and node 3 its output. A node is the sum of one
    operation on each node before it. Between the stages a residual block halves the image.

    Arguments are kept as they are and checked when they are used.

    Args:
        cell: for the nodes 1, 2 and 3 the operations on nodes 0, 1, ...: one, two and three of
            none, skip_connect, nor_conv_1x1, nor_conv_3x3 and avg_pool_3x3. None for a residual
            block as in ResNet; with `widths`, for the cell of the size space.
        channels: of the first stage; the second and the third have two and four times as many.
        cells: of each stage.
        widths: output channels of a cell, a halving block, a cell, a halving block and a cell,
            in place of `channels` and `cells`; the first convolution has those of the first.
    """

    def __init__(
        self,
        cell: list[list[str]] | None = None,
        channels: int = 16,
        cells: int = 5,
        widths: list[int] | None = None,
    ) -> None:
        if cell is None:
            cell = RESNET_CELL if widths is None else SIZE_CELL
        self.cell, self.channels, self.cells, self.widths = cell, channels, cells, widths

    @property
    def arch(self) -> str:
        """The cell as the benchmark writes it: `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`.

        Raises:
            UserError: see `check_cell`.
        """
        check_cell(self.cell)
        (a,), (b, c), (d, e, f) = self.cell
        return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"

    @property
    def stages(self) -> list[Stage]:
        """The skeleton between the first convolution and the last normalisation.

        Raises:
            UserError: other than five widths, or a number that is not positive.
        """
        if self.widths is not None:
            if len(self.widths) != LAYERS:
                raise UserError(f"CellNet has {LAYERS} widths, got {len(self.widths)}")
            widths, cells = self.widths, 1
        else:
            c, cells = self.channels, self.cells
            widths = [c] * cells + [2 * c] * (cells + 1) + [4 * c] * (cells + 1)
        if cells < 1 or min(widths) < 1:
            raise UserError("CellNet: channels, cells and widths must be positive")
        between = pairwise([widths[0], *widths])
        return [Stage(i % (cells + 1) == cells, *pair) for i, pair in enumerate(between)]

    def build_for(self, shape: Shape, classes: int) -> nn.Module:
        """The network for images of this shape, with fresh weights.

        Raises:
            UserError: see `check_cell` and `stages`.
        """
        from automl_cli.programs.cell_net_modules import CellNetwork

        check_cell(self.cell)
        return CellNetwork(self.cell, self.stages, shape, classes)


def check_cell(cell: list[list[str]]) -> None:
    """See that a cell is one of the topology space.

    Raises:
        UserError: a wrong number of nodes or operations, or an unknown operation.
    """
    if [len(node) for node in cell] != [1, 2, 3]:
        found = ", ".join(str(len(node)) for node in cell) or "none"
        raise UserError(
            f"a cell has three nodes of 1, 2 and 3 operations, got {found}",
            path="cell",
            hint="node n has one for each of the nodes 0 to n - 1",
        )
    for operation in chain.from_iterable(cell):
        if operation not in OPERATIONS:
            raise UserError(
                f"a cell has no operation {operation!r}",
                path="cell",
                hint=did_you_mean(str(operation), OPERATIONS),
            )


def cell_of(arch: str) -> list[list[str]]:
    """The cell that the benchmark writes so; the inverse of `CellNet.arch`.

    Raises:
        UserError: when it is none of the topology space.
    """
    a, b, c, d, e, f = cell_operations(arch)
    return [[a], [b, c], [d, e, f]]
