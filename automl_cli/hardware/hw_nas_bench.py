"""HW-NAS-Bench (Li et al. 2021, arXiv 2103.10584): cells of NATS-Bench, measured on devices.

The table is the same `.npz` file that holds accuracies (`automl_cli.tables.npz`), with columns
`hw_d_device_latency` in ms and `hw_d_device_energy` in mJ, where `d` is one of `cifar10`,
`cifar100` and `in16`. -1 marks a cell that the device's compiler refused.
"""

from __future__ import annotations

import os
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from automl_cli.costs import Infeasible
from automl_cli.hardware.cost import Cost
from automl_cli.programs.tabular_nats import SKELETON
from automl_cli.tables.architectures import Data
from automl_cli.tables.npz import PREFIXES
from automl_cli.tables.sources import NPZ
from automl_spaces.errors import UserError, did_you_mean
from automl_spaces.registry import register

if TYPE_CHECKING:
    from automl_cli.hardware.layers import Network

Devices = Literal["edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga"]
VARIABLE = "AUTOML_NATS"


@register
class HwNasBench:
    """A device of the benchmark. It knows the cells of the topology space only.

    Measured are a Jetson TX2 (`edgegpu`), a Raspberry Pi 4, an Edge TPU, a Pixel 3 and an FPGA;
    `eyeriss` is simulated. Energy is there for `edgegpu`, `eyeriss` and `fpga`, where that of the
    FPGA is its latency times a constant.

    Args:
        device: which one.
        data: of the images; None for the program's own, where it is named there.
        source: an `.npz` file or the folder of `nats_tss.npz`; `auto` is `$AUTOML_NATS`.
    """

    def __init__(
        self,
        device: Devices = "edgegpu",
        data: Data | None = None,
        source: str = "auto",
    ) -> None:
        self.device, self.data, self.source = device, data, source

    def cost(self, network: Network) -> Cost:
        """Latency, and energy where the benchmark has it.

        Raises:
            Infeasible: the device's compiler refused the cell.
            UserError: no table, no such device, or a network of another kind.
        """
        data = self.data or network.data
        if data not in PREFIXES:
            raise UserError(
                f"HwNasBench knows images of {', '.join(PREFIXES)}, not of {data!r}",
                path="accelerator.data",
                hint="data: cifar10",
            )
        table = _table(_path(self.source), str(self.device), PREFIXES[data])
        arch = _arch(network)
        if arch not in table.latency:
            raise UserError(f"{_path(self.source)} holds nothing about {arch}")
        latency, energy = table.latency[arch], table.energy.get(arch)
        if not latency >= 0:
            raise Infeasible(f"the compiler of {self.device} refused the cell {arch}")
        return Cost(latency, energy)


class _Measured(NamedTuple):
    """Values by name of the cell."""

    latency: dict[str, float]
    energy: dict[str, float]


def _arch(network: Network) -> str:
    model = network.model
    name = None if model is None else model.type.name
    if model is None or name != "CellNet":
        raise UserError(f"HwNasBench measured networks of !CellNet, not of {name}")
    if model.get("widths") is not None or (model.get("channels"), model.get("cells")) != SKELETON:
        shared = "channels: {}, cells: {}".format(*SKELETON)
        raise UserError(f"HwNasBench measured cells of the topology space: {shared}", path="model")
    arch: str = model.build().arch
    return arch


def _path(source: str) -> Path:
    given = os.environ.get(VARIABLE) if source == "auto" else source
    if not given:
        raise UserError(
            "HwNasBench has no table: $AUTOML_NATS is not set",
            hint="set it to nats_tss.npz or to its folder",
        )
    path = Path(given).expanduser()
    return path if path.suffix == ".npz" else path / NPZ["topology"]


@cache
def _table(path: Path, device: str, prefix: str) -> _Measured:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as arrays:
            values = arrays["values"]
            names = arrays["arch"].astype("U").tolist()
            columns = {name: i for i, name in enumerate(arrays["columns"].tolist())}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read as a table of cells: {error}") from error
    head = f"hw_{prefix}_"
    if f"{head}{device}_latency" not in columns:
        tail = "_latency"
        known = [c[len(head) : -len(tail)] for c in columns if c[: len(head)] == head and tail in c]
        raise UserError(f"{path} holds no latencies of {device}", hint=did_you_mean(device, known))

    def column(kind: str) -> dict[str, float]:
        place = columns.get(f"{head}{device}_{kind}")
        if place is None:
            return {}
        return dict(zip(names, values[:, place].tolist(), strict=True))

    return _Measured(column("latency"), column("energy"))
