"""Multiply-adds of the program's model for one image: the size of a network on mobile devices."""

from __future__ import annotations

from typing import Any

from automl_cli.costs.layers import layers
from automl_spaces.registry import register


@register
def madds(program: Any) -> float:
    """Multiply-adds of the convolutions and linear layers of the symbolic `program`.

    300,774,272 for MobileNetV2 of width 1 on 224 x 224 images and 1,000 classes.
    """
    specs = layers(program)
    if specs is None:
        from automl_cli.costs.counting import count_program

        return float(count_program(program).madds)
    return float(sum(spec.madds for spec in specs))
