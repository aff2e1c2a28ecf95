"""How a `CellNet` shares weights: the operations of its edges, and its channels.

Each of the six edges has one gate, shared by all cells of the network (Dong and Yang 2020, arXiv
2001.00326, search one cell and repeat it); each cell has weights of its own for each operation.
A gate that draws afresh at every use gives every cell its own operation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl_algorithms.weight_sharing.elastic import Build, Open, elastic_rule, options
from automl_algorithms.weight_sharing.switch import Switch
from automl_cli.programs.cell_net import CellNet, check_cell
from automl_cli.programs.cell_net_modules import OPERATIONS, Cell, CellNetwork

if TYPE_CHECKING:
    from torch import nn

    from automl_algorithms.weight_sharing.gates import Gate
    from automl_cli.programs.contracts import Shape
    from automl_spaces.symbols import Symbol

Edge = tuple[tuple[str, ...], "Gate | None"]  # the operations it can be, and what decides
NO_EDGES = [["none"], ["none"] * 2, ["none"] * 3]


@elastic_rule(CellNet, "cell", "widths")
def cell_net(node: Symbol, build: Build) -> Any:
    """The network with a switch on every edge that is a choice; its channels by slices."""
    cell, widths = node.get("cell"), node.get("widths")
    if isinstance(widths, Open) or any(isinstance(width, Open) for width in widths or ()):
        from automl_cli.programs.cell_net_elastic_sizes import elastic_network

        return elastic_network(cell, widths)
    if not isinstance(cell, list) or not all(isinstance(edges, list) for edges in cell):
        return None  # whole cells or nodes are the choice: copies of the network
    settled = CellNet(None, node.get("channels"), node.get("cells"), widths)
    return SharedCellNet([[options(edge) for edge in edges] for edges in cell], settled)


class SharedCellNet:
    """A `CellNet` whose edges are choices.

    Args:
        cell: `cell[n][k]` is the edge from node k to node n + 1.
        skeleton: a network with the stages to fill.
    """

    def __init__(self, cell: list[list[Edge]], skeleton: CellNet) -> None:
        self.cell, self.skeleton = cell, skeleton

    def build_for(self, shape: Shape, classes: int) -> nn.Module:
        """The network for images of this shape, with fresh weights for every operation.

        Raises:
            UserError: see `CellNet.build_for`; every operation of a choice is checked.
        """
        for i in range(max((len(names) for edges in self.cell for names, _ in edges), default=1)):
            check_cell([[names[min(i, len(names) - 1)] for names, _ in e] for e in self.cell])
        stages = self.skeleton.stages
        network = CellNetwork(NO_EDGES, stages, shape, classes)
        for i, (halves, cin, cout) in enumerate(stages):
            if not halves:
                network.stages[i] = shared_cell(self.cell, cin, cout)
        return network


def shared_cell(cell: list[list[Edge]], cin: int, cout: int) -> Cell:
    """A cell with a switch on each edge that is a choice; see `cell_net_modules.make_cell`."""
    return Cell(
        [
            [_edge(names, gate, cout if k else cin, cout) for k, (names, gate) in enumerate(edges)]
            for edges in cell
        ]
    )


def _edge(names: tuple[str, ...], gate: Gate | None, cin: int, cout: int) -> nn.Module:
    made = [OPERATIONS[name](cin, cout) for name in names]
    return made[0] if gate is None else Switch(made, gate)
