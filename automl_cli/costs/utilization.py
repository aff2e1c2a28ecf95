"""How busy the program's network keeps its accelerator."""

from __future__ import annotations

from typing import Any

from automl_cli.hardware.programs import known
from automl_spaces.registry import register


@register
def utilization(program: Any) -> float:
    """Share of the multiply-adds that the accelerator could have done meanwhile, from 0 to 1.

    Raises:
        Infeasible: the accelerator cannot run the network.
        UserError: the program has no accelerator, or one that does not know this cost.
    """
    return known(program, "utilization")
