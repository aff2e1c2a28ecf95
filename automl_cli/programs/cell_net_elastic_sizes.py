"""The size space of `CellNet` with shared weights: narrower layers use the first channels.

A path is the stand-alone network, to the skips: between equal numbers of channels they are the
identity, between different ones a 1 x 1 convolution. So every number inside of a cell is masked.
The published searches of the size space (Dong et al. 2021, arXiv 2009.00437) mask the output of a
cell alone, which is no narrow network; the `mask_scope` of the network does that too.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor, nn

from automl_algorithms.weight_sharing.elastic import Decided, Open, derived_state, options
from automl_algorithms.weight_sharing.gates import Choose, Gate, Use
from automl_algorithms.weight_sharing.masks import ChannelMask, Unless, blend, fit
from automl_algorithms.weight_sharing.slicing import (
    Elastic,
    Width,
    computed,
    elastic,
    largest,
    lift,
)
from automl_algorithms.weight_sharing.slicing_layers import (
    SlicedBatchNorm2d,
    SlicedConv2d,
    SlicedLinear,
)
from automl_algorithms.weight_sharing.switch import Switch
from automl_cli.programs.cell_net import CellNet, check_cell
from automl_cli.programs.cell_net_modules import Cell, CellNetwork, HalvingBlock, Zero

if TYPE_CHECKING:
    from automl_cli.programs.contracts import Shape


def convolution(cin: Width, cout: Width, kernel_size: int, stride: int = 1) -> nn.Sequential:
    """As `cell_net_modules.convolution`, for elastic numbers of channels."""
    padding = kernel_size // 2
    return nn.Sequential(
        nn.ReLU(),
        SlicedConv2d(cin, cout, kernel_size, stride=stride, padding=padding, bias=False),
        SlicedBatchNorm2d(cout),
        ChannelMask(cout),
    )


class ElasticZero(Zero):
    """No edge: zeros of as many channels as count at the moment."""

    def __init__(self, cout: Width) -> None:
        super().__init__(largest(cout))
        self.width = cout

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> zeros [N, cout, H, W]."""
        return super().forward(x)[:, : computed(self.width)]


def unless_equal(cin: Width, cout: Width, layers: Callable[[Width], nn.Module]) -> nn.Module:
    """Layers to `cout` channels, but nothing at all where that is the number that comes in.

    Args:
        cin, cout: numbers of channels.
        layers: makes them for their output channels, which are none where they are not used.
    """
    equal = lift(lambda i, o: i == o, cin, cout)
    if equal is True:
        return nn.Identity()
    if equal is False:
        return layers(cout)
    return Unless(equal, layers(lift(lambda i, o: 0 if i == o else o, cin, cout)), cout)


def skip(cin: Width, cout: Width) -> nn.Module:
    """The input itself where the number of channels stays."""

    def adapt(out: Width) -> nn.Module:
        layer = SlicedConv2d(cin, out, 1, bias=False)
        return nn.Sequential(layer, SlicedBatchNorm2d(out), ChannelMask(out))

    return unless_equal(cin, cout, adapt)


def average_pool(cin: Width, cout: Width) -> nn.Module:
    """A 3 x 3 mean; before it a convolution, where the number of channels changes."""
    return nn.Sequential(
        unless_equal(cin, cout, lambda out: convolution(cin, out, 1)),
        nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
    )


OPERATIONS: dict[str, Callable[[Width, Width], nn.Module]] = {
    "none": lambda cin, cout: ElasticZero(cout),
    "skip_connect": skip,
    "nor_conv_1x1": lambda cin, cout: convolution(cin, cout, 1),
    "nor_conv_3x3": lambda cin, cout: convolution(cin, cout, 3),
    "avg_pool_3x3": average_pool,
}
"""Those of `cell_net_modules`, elastic."""


def make_cell(cell: list[list[Any]], cin: Width, cout: Width) -> Cell:
    """A cell of named operations; an `Open` edge is a switch between them."""

    def edge(operation: Any, source: int) -> nn.Module:
        names, gate = options(operation)
        made = [OPERATIONS[name](cout if source else cin, cout) for name in names]
        return made[0] if gate is None else Switch(made, gate)

    return Cell([[edge(operation, k) for k, operation in enumerate(node)] for node in cell])


def halving_block(cin: Width, cout: Width) -> HalvingBlock:
    """The residual block of stride 2."""
    block = HalvingBlock(largest(cin), largest(cout))
    pool = block.shortcut[0]
    block.body = nn.Sequential(convolution(cin, cout, 3, stride=2), convolution(cout, cout, 3))
    block.shortcut = nn.Sequential(pool, SlicedConv2d(cin, cout, 1, bias=False), ChannelMask(cout))
    return block


class InnerGate(Gate):
    """A gate as the layers inside of the cells see it.

    Args:
        gate: what the algorithm sets.
        widest: its candidate of most channels.

    Attributes:
        open: whether the widest is used, whatever is chosen.
    """

    def __init__(self, gate: Gate, widest: int) -> None:
        super().__init__(gate.point)
        self.gate, self.widest, self.open = gate, widest, False

    @property
    def drawn(self) -> bool:
        """As the gate."""
        return not self.open and self.gate.drawn

    def use(self) -> Use:
        """As the gate, or the widest."""
        return Choose(self.widest) if self.open else self.gate.use()


class MaskedOutput(nn.Module):
    """A cell, of whose output the channels are masked if they are not already inside of it.

    Args:
        cell: its layers take their widths from inner gates.
        width: of its output.
        inner: one of these gates.
    """

    def __init__(self, cell: nn.Module, width: Width, inner: InnerGate) -> None:
        super().__init__()
        self.cell, self.width, self.inner = cell, width, inner

    def forward(self, x: Tensor) -> Tensor:
        """[N, cin, H, W] -> [N, cout, H', W']; all channels, some of them 0, if masked here."""
        y: Tensor = self.cell(x)
        return fit(blend(y, self.width), y.shape[1]) if self.inner.open else y

    def derived_state(self, decided: Decided) -> dict[str, Tensor]:
        """Of the cell."""
        return derived_state(self.cell, decided)


class ElasticCellNetwork(CellNetwork):
    """A `CellNetwork` of open widths, whose layers are put in by `ElasticCellNet`.

    Attributes:
        inner: the gates of its widths as its layers see them, by the gates themselves.
    """

    inner: dict[Gate, InnerGate]

    @property
    def mask_scope(self) -> Literal["everywhere", "cell_output"]:
        """Where channels are masked."""
        opened = any(gate.open for gate in self.inner.values())
        return "cell_output" if opened else "everywhere"

    @mask_scope.setter
    def mask_scope(self, scope: Literal["everywhere", "cell_output"]) -> None:
        for gate in self.inner.values():
            gate.open = scope == "cell_output"

    def inside(self, width: Width) -> Width:
        """A width as the layers see it."""
        if not isinstance(width, Elastic):
            return width
        (gate,) = width.gates
        if gate not in self.inner:
            widest = max(range(gate.size), key=width.values.__getitem__)
            self.inner[gate] = InnerGate(gate, widest)
        return Elastic([self.inner[gate]], width.values)

    def masked(self, cell: nn.Module, width: Width) -> nn.Module:
        """A cell with output channels that may be masked."""
        if not isinstance(width, Elastic):
            return cell
        return MaskedOutput(cell, width, self.inner[width.gates[0]])


class ElasticCellNet(CellNet):
    """A `CellNet` with open widths, and perhaps open edges.

    Args:
        cell: as of `CellNet`, with `Open` in the place of any operation.
        widths: as of `CellNet`, each a number or an elastic number.
    """

    def __init__(self, cell: list[list[Any]] | None, widths: list[Width]) -> None:
        super().__init__(cell, widths=list(map(largest, widths)))
        self.elastic = widths

    def build_for(self, shape: Shape, classes: int) -> nn.Module:
        """The network with every layer at its largest, with fresh weights.

        Raises:
            UserError: see `CellNet.build_for`; every operation of a choice is checked.
        """
        edges = [[options(operation)[0] for operation in node] for node in self.cell]
        for i in range(max(len(names) for node in edges for names in node)):
            check_cell([[names[i % len(names)] for names in node] for node in edges])
        stages, widths = self.stages, self.elastic
        network = ElasticCellNetwork([], stages, shape, classes)
        network.inner = {}
        inner = [network.inside(width) for width in widths]
        first, last = inner[0], inner[-1]
        conv = SlicedConv2d(shape[0], first, 3, padding=1, bias=False)
        stem = nn.Sequential(conv, SlicedBatchNorm2d(first), ChannelMask(first))
        network.stem = network.masked(stem, widths[0])  # type: ignore[assignment]
        cells = [
            halving_block(cin, cout) if stage.halves else make_cell(self.cell, cin, cout)
            for stage, (cin, cout) in zip(stages, pairwise([first, *inner]), strict=True)
        ]
        network.stages = nn.Sequential(*map(network.masked, cells, widths))
        network.norm = nn.Sequential(SlicedBatchNorm2d(last), nn.ReLU(), ChannelMask(last))
        network.classifier = SlicedLinear(last, classes)
        return network


def elastic_network(cell: Any, widths: Any) -> ElasticCellNet | None:
    """The network of a `CellNet` with open widths; None where whole lists are the choice."""
    if isinstance(widths, Open) or isinstance(cell, Open):
        return None
    if cell is not None and any(isinstance(node, Open) for node in cell):
        return None
    return ElasticCellNet(cell, [elastic(width) for width in widths])
