"""From a symbolic program to what it costs on its device: what all costs of hardware share."""

from __future__ import annotations

from typing import Any

from automl_cli.hardware.cost import Cost
from automl_cli.hardware.layers import network_of
from automl_spaces.errors import UserError
from automl_spaces.symbols import Symbol

_last: tuple[Any, Cost] | None = None


def hardware_cost(program: Any) -> Cost:
    """What a program costs on its `accelerator`; several costs of one program ask once.

    Raises:
        Infeasible: the device cannot run the program's network.
        UserError: the program has no device, or a device that does not know the network.
    """
    global _last  # noqa: PLW0603  # the very last program, as the costs of one are asked in a row
    if _last is None or _last[0] is not program:
        _last = (program, _cost(program))
    return _last[1]


def known(program: Any, name: str) -> float:
    """One value of `Cost`.

    Raises:
        Infeasible, UserError: as above; also a device that does not have this value.
    """
    value = getattr(hardware_cost(program), name)
    if value is None:
        raise UserError(
            f"{program.get('accelerator').type.name} does not know the cost {name}",
            path="accelerator",
            hint="EdgeAccelerator knows all of them",
        )
    return float(value)


def _cost(program: Any) -> Cost:
    device = program.args.get("accelerator") if isinstance(program, Symbol) else None
    if device is None:
        raise UserError(
            "the costs of hardware need to know the hardware, and the program has no accelerator",
            path="program.accelerator",
            hint="accelerator: !EdgeAccelerator {}",
        )
    built = device.build() if isinstance(device, Symbol) else device
    if not callable(getattr(built, "cost", None)):
        raise UserError(f"{type(built).__name__} is no device", path="program.accelerator")
    found: Cost = built.cost(network_of(program))
    return found
