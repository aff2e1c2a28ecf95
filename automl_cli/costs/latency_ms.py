"""Latency of the program's network on its accelerator."""

from __future__ import annotations

from typing import Any

from automl_cli.hardware.programs import known
from automl_spaces.registry import register


@register
def latency_ms(program: Any) -> float:
    """Milliseconds for one image.

    Raises:
        Infeasible: the accelerator cannot run the network.
        UserError: the program has no accelerator, or one that does not know this cost.
    """
    return known(program, "latency_ms")
