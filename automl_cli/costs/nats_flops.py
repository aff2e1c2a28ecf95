"""FLOPs of a `CellNet` as NATS-Bench counts them, also for a network that is only looked up."""

from __future__ import annotations

from typing import Any

from automl_cli.costs.layers import Shape
from automl_cli.programs.cell_net_layers import layers
from automl_spaces.errors import UserError
from automl_spaces.registry import register
from automl_spaces.symbols import Symbol

IMAGES: dict[str, tuple[Shape, int]] = {
    "cifar10": ((3, 32, 32), 10),
    "cifar100": ((3, 32, 32), 100),
    "ImageNet16-120": ((3, 16, 16), 120),
}
"""Shape and number of classes of the benchmark's data sets."""


@register
def nats_flops(program: Any) -> float:
    """Multiply-adds for one image, and the additions of the linear layer's biases.

    78,561,930 for the ResNet cell on CIFAR-10. The metric `flops` of `TabularNATS` is in millions.

    Raises:
        UserError: when the program has no `CellNet` to count, or images of unknown shape.
    """
    args = program.args if isinstance(program, Symbol) else {}
    model = args.get("model")
    if not isinstance(model, Symbol) or model.type.name != "CellNet":
        raise UserError(
            "nats_flops is the cost of a program with a model: !CellNet",
            hint="the cost madds is there for every network",
        )
    data = program.get("data")
    if isinstance(data, Symbol):
        shape, classes = data.shape, data.classes
    elif isinstance(data, str) and data in IMAGES:
        shape, classes = IMAGES[data]
    else:
        raise UserError(
            f"nats_flops needs the shape of the images, and {data!r} has none",
            path="data",
            hint=f"known by name: {', '.join(IMAGES)}",
        )
    return float(sum(spec.madds for spec in layers(model, shape, classes)) + classes)
