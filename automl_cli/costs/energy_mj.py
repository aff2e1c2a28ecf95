"""Energy that the program's network takes on its accelerator."""

from __future__ import annotations

from typing import Any

from automl_cli.hardware.programs import known
from automl_spaces.registry import register


@register
def energy_mj(program: Any) -> float:
    """Millijoules for one image.

    Raises:
        Infeasible: the accelerator cannot run the network.
        UserError: the program has no accelerator, or one that does not know this cost.
    """
    return known(program, "energy_mj")
