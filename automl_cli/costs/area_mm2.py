"""Area of the program's accelerator."""

from __future__ import annotations

from typing import Any

from automl_cli.hardware.programs import known
from automl_spaces.registry import register


@register
def area_mm2(program: Any) -> float:
    """Square millimetres.

    Raises:
        Infeasible: the accelerator cannot run the network.
        UserError: the program has no accelerator, or one that does not know this cost.
    """
    return known(program, "area_mm2")
