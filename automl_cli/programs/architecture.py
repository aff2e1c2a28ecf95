"""Which decision points change the architecture: found by building both networks.

An algorithm that changes decisions in mid-training hands weights on, so every program that it
makes must have the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from automl_spaces.errors import UserError
from automl_spaces.json_form import to_json

if TYPE_CHECKING:
    import random

    from automl_spaces.decisions import Decisions
    from automl_spaces.points import Point
    from automl_spaces.space import Space

Skeleton = list[tuple[Any, ...]]
"""Of each module: path, class, options but for drop rates, the shapes of its tensors."""


def check_fixed(algorithm: str, space: Space) -> None:
    """Raise `UserError` for the points that change which weights the program has.

    A program without a model of ours or of PyTorch's in it is not looked into: nobody knows its
    weights, and its own loading of a checkpoint has to tell.
    """
    changing = [point.id for point in _changing(space)]
    if changing:
        shown = ", ".join(changing[:3]) + (f" and {n} more" if (n := len(changing) - 3) > 0 else "")
        raise UserError(
            f"{algorithm} hands weights on, so that the architecture must stay: {shown} change it",
            path="algorithm",
            hint="search the architecture with evolution, asha or bohb, and its hyperparameters so",
        )


def _changing(space: Space) -> Iterator[Point]:
    from random import Random

    rng = Random(0)
    base = space.default() or space.sample(rng)
    model = _model(space.materialise(base))
    if model is None:
        return
    text, skeleton = to_json(model[0]), _skeleton(*model)
    for point in space.points:
        for other in _others(space, base, point, rng):
            found = _model(space.materialise(other))
            if found is not None and to_json(found[0]) != text and _skeleton(*found) != skeleton:
                yield point
                break


def _others(space: Space, base: Decisions, point: Point, rng: random.Random) -> Iterator[Decisions]:
    """The base with other values of one point; a point that it lacks is not looked at."""
    if base.values[point.index] is None:
        return
    values = range(len(point.labels)) if point.kind == "categorical" else (point.min, point.max)
    for value in values:
        if value != base.values[point.index]:
            changed = list(base.values)
            changed[point.index] = value
            yield space.complete(changed, rng)


def _model(program: Any) -> tuple[Any, Any, Any] | None:
    """The symbol of the program's model, the shape of its images, the number of classes."""
    from automl_cli.costs.layers import parts

    try:
        return parts(program)
    except UserError:
        return None


def _skeleton(symbol: Any, shape: Any, classes: int) -> Skeleton:
    import torch
    from torch.nn.modules.dropout import _DropoutNd

    from automl_cli.programs.contracts import BuiltForData

    with torch.random.fork_rng(devices=[]):
        model = symbol.build()
        if isinstance(model, BuiltForData):
            model = model.build_for(shape, classes)
    return [
        (
            name,
            type(module).__name__,
            "" if isinstance(module, _DropoutNd) else module.extra_repr(),
            *(tuple(p.shape) for p in module.parameters(recurse=False)),
        )
        for name, module in model.named_modules()
    ]
