"""The names of NATS-Bench's architectures (Dong et al. 2021, arXiv 2009.00437).

Topology space: `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`, where the groups are the nodes 1, 2 and 3
of the cell and `~k` is the node that an edge comes from. Size space: the channels of five layers,
`16:8:64:24:40`.
"""

from __future__ import annotations

import re
from typing import Literal

from automl_spaces.errors import UserError, did_you_mean

Data = Literal["cifar10", "cifar100", "ImageNet16-120"]
Space = Literal["topology", "size"]

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
"""(node, node that it takes from), in the order of the names."""

WIDTHS = range(8, 65, 8)
LAYERS = 5

_EDGE = re.compile(r"([^|~+]*)~\d+")


def topology_name(operations: list[str]) -> str:
    """The name of the cell with these six operations, in the order of `EDGES`."""
    groups = [""] * 3
    for (node, source), operation in zip(EDGES, operations, strict=True):
        groups[node - 1] += f"{operation}~{source}|"
    return "+".join(f"|{group}" for group in groups)


def size_name(widths: list[int]) -> str:
    """The name of the network with these channels."""
    return ":".join(map(str, widths))


def cell_operations(name: str) -> list[str]:
    """The operations of the six edges of a cell.

    Raises:
        UserError: when the name is none of the topology space.
    """
    operations = _EDGE.findall(name)
    for operation in operations:
        if operation not in OPERATIONS:
            hint = did_you_mean(operation, OPERATIONS)
            raise UserError(f"NATS-Bench has no operation {operation!r}", hint=hint)
    if len(operations) != len(EDGES) or topology_name(operations) != name:
        expected = topology_name(["op"] * len(EDGES))
        raise UserError(f"{name!r} is no cell of NATS-Bench", hint=f"its cells are {expected}")
    return operations


def check_size(name: str) -> None:
    """Raise `UserError` when a name is none of the size space."""
    widths = name.split(":")
    if len(widths) != LAYERS:
        raise UserError(f"NATS-Bench has {LAYERS} widths, {name!r} has {len(widths)}")
    for width in widths:
        if width not in map(str, WIDTHS):
            near = min(WIDTHS, key=lambda w: abs(w - int(width))) if width.isdigit() else None
            known = f"{WIDTHS[0]} to {WIDTHS[-1]} in steps of {WIDTHS.step}"
            hint = f"{f'the nearest is {near}; ' if near else ''}it has {known}"
            raise UserError(f"NATS-Bench has no width {width}", hint=hint)


def check(name: str, space: Space) -> None:
    """Raise `UserError`, with the nearest operation or width, when a name is not in the space."""
    if space == "topology":
        cell_operations(name)
    else:
        check_size(name)
