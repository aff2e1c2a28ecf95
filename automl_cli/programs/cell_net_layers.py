"""The layers of a symbolic CellNet in closed form; see `automl_cli.costs.layers`.

A test holds it equal to what hooks count on the real module, and to NATS-Bench's own figures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl_cli.costs.layers import LayerSpec, Shape
from automl_cli.programs.cell_net import check_cell

if TYPE_CHECKING:
    from automl_spaces.symbols import Symbol


def layers(model: Symbol, shape: Shape, classes: int) -> list[LayerSpec]:
    """Every layer with parameters, first to last.

    Operations that lead nowhere count too: they are computed all the same.

    Raises:
        UserError: see `check_cell` and `CellNet.stages`.
    """
    net = model.build()  # only a description, as the symbol is
    check_cell(net.cell)
    stages, (channels, h, w) = net.stages, shape
    found = [LayerSpec("conv", channels, stages[0].cin, h, w, 3)]
    for halves, cin, cout in stages:
        if halves:
            h, w = -(-h // 2), -(-w // 2)
            found.append(LayerSpec("conv", cin, cout, h, w, 3, 2))
            found.append(LayerSpec("conv", cout, cout, h, w, 3))
            found.append(LayerSpec("conv", cin, cout, h, w, per_channel=0))
            continue
        for node in net.cell:
            for source, operation in enumerate(node):
                given = cout if source else cin
                if operation == "nor_conv_3x3":
                    found.append(LayerSpec("conv", given, cout, h, w, 3))
                elif operation == "nor_conv_1x1" or (operation != "none" and given != cout):
                    found.append(LayerSpec("conv", given, cout, h, w))
    last = stages[-1].cout
    found.append(LayerSpec("norm", last, last, h, w, k=0))  # no weights but those per channel
    found.append(LayerSpec("linear", last, classes, 1, 1, per_channel=1))
    return found
