"""Trained parameters of the program's model: the size of a network in a file."""

from __future__ import annotations

from typing import Any

from automl_cli.costs.layers import layers
from automl_spaces.registry import register


@register
def params(program: Any) -> float:
    """Number of trained parameters of the symbolic `program`, normalisation included.

    3,504,872 for MobileNetV2 of width 1 and 1,000 classes.
    """
    specs = layers(program)
    if specs is None:
        from automl_cli.costs.counting import count_program

        return float(count_program(program).params)
    return float(sum(spec.params for spec in specs))
