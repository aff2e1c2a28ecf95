"""A learned cost model: a small network from sums over layers, and a device, to latency and energy.

NAHAS (Zhou et al. 2021, arXiv 2102.08619) puts one in the place of its simulator. It is fitted to
samples of any device, kept in an `.npz` file of plain arrays, and evaluated in NumPy:

    model = fit(features(network, hardware), latency_ms, energy_mj)   # one row per sample
    model.save("edge.npz")

and then `accelerator: !EdgeAccelerator {cost_model: learned, file: edge.npz}`, or, where no
accelerator was varied, `accelerator: !LearnedDevice {file: edge.npz}`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from automl_cli.hardware import analytic, silicon
from automl_cli.hardware.analytic import Costs, Shapes
from automl_cli.hardware.cost import Cost
from automl_cli.hardware.edge_accelerator import PARAMETERS
from automl_cli.hardware.silicon import WAYS, Array
from automl_spaces.errors import UserError
from automl_spaces.registry import register

if TYPE_CHECKING:
    from torch import nn

    from automl_cli.costs.layers import LayerSpec
    from automl_cli.hardware.layers import Network

KINDS: Final = ("window", "pointwise", "depthwise", "product")
TARGETS: Final = ("latency_ms", "energy_mj")
PAIRS: Final = "weight", "bias"


def network_features(layers: Sequence[LayerSpec], counts: Sequence[int]) -> Array:
    """What is known of a network: [21].

    For each of `KINDS` the logarithms of multiply-adds, weights, bytes of inputs, bytes of
    outputs and number of layers; and that of the largest activations.
    """
    shapes, repeats = Shapes.of(layers), np.array(counts, dtype=np.float64)
    ones = np.ones_like(shapes.k)
    columns = (shapes.madds, shapes.weights, shapes.given, shapes.made, ones)
    values = np.concatenate(columns, axis=1) * repeats[:, None]  # [L, 5]
    kinds = np.array([KINDS.index(_kind(layer)) for layer in layers])
    sums = [values[kinds == kind].sum(0) for kind in range(len(KINDS))]
    largest = (shapes.given + shapes.made).max(keepdims=True)[0]
    found: Array = np.log1p(np.concatenate([*sums, largest]))
    return found


def features(networks: Iterable[Network], hardware: Array | None = None) -> Array:
    """Rows for `fit`: of each network, and the logarithms of its accelerator, [N, 21 or 28].

    Args:
        hardware: [N, 7], an accelerator for each network; None when the device is one and the same.
    """
    rows = np.stack([network_features(n.layers, n.counts) for n in networks])
    return rows if hardware is None else np.concatenate([rows, np.log(hardware)], axis=1)


class LearnedModel:
    """A perceptron on standardised features, to standardised logarithms of latency and energy.

    Args:
        arrays: `mean`, `scale` of features; `out_mean`, `out_scale` of targets; `weight0`, `bias0`
            and so on of the layers, the weights [out, in].
    """

    def __init__(self, arrays: dict[str, Array]) -> None:
        self.arrays = arrays
        count = sum(name.startswith("weight") for name in arrays)
        self.inputs = len(arrays["mean"])
        self._layers = [(arrays[f"weight{i}"].T, arrays[f"bias{i}"]) for i in range(count)]

    def predict(self, rows: Array) -> Array:
        """Latency in ms and energy in mJ: [N, features] -> [N, 2]; NaN where it learned none."""
        hidden = (rows - self.arrays["mean"]) / self.arrays["scale"]
        for place, (weight, bias) in enumerate(self._layers, 1):
            hidden = hidden @ weight + bias
            if place < len(self._layers):
                hidden = hidden / (1 + np.exp(-hidden))  # SiLU
        found: Array = np.exp(hidden * self.arrays["out_scale"] + self.arrays["out_mean"])
        return found

    def evaluate(
        self, layers: Sequence[LayerSpec], counts: Sequence[int], hardware: Array
    ) -> Costs:
        """As `analytic.evaluate`, without cycles of layers ([0, A]); the area is exact."""
        if self.inputs != len(network_features(layers, counts)) + len(PARAMETERS):
            raise UserError(
                "this cost model was fitted without accelerators",
                path="accelerator.file",
                hint="accelerator: !LearnedDevice {file: ...}",
            )
        network = np.tile(network_features(layers, counts), (len(hardware), 1))
        latency, energy = self.predict(np.concatenate([network, np.log(hardware)], axis=1)).T
        pe_x, pe_y, simd, lanes, *_ = hardware.T
        possible = latency * 1e-3 * silicon.CLOCK_HZ * pe_x * pe_y * simd * lanes * WAYS
        madds = float(np.array(counts) @ Shapes.of(layers).madds[:, 0])
        return Costs(
            latency,
            energy,
            silicon.area_mm2(hardware),
            madds / possible,
            analytic.buildable(hardware),
            np.zeros((0, len(hardware))),
        )

    def save(self, path: str | Path) -> None:
        """Write an `.npz` file of plain arrays."""
        arrays: dict[str, Any] = self.arrays
        with Path(path).open("wb") as file:
            np.savez(file, **arrays)


def load(path: str) -> LearnedModel:
    """Read what `save` wrote; a file that has changed is read again.

    Raises:
        UserError: when it is no such file.
    """
    found = Path(path).expanduser()
    try:
        return _loaded(found, found.stat().st_mtime_ns)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} cannot be read as a learned cost model: {error}",
            path="accelerator.file",
            hint="docs/hardware.md shows how to fit and save one",
        ) from error


@lru_cache(maxsize=8)
def _loaded(path: Path, _changed: int) -> LearnedModel:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return LearnedModel({name: arrays[name].astype(np.float64) for name in arrays})


def fit(
    rows: Array,
    latency_ms: Array,
    energy_mj: Array | None = None,
    *,
    hidden: Sequence[int] = (128, 128),
    epochs: int = 60,
    batch_size: int = 256,
    lr: float = 3e-3,
    seed: int = 0,
) -> LearnedModel:
    """Fit a cost model to samples.

    Args:
        rows: [N, features], see `features`.
        latency_ms, energy_mj: [N], positive; without energies, those of the model are NaN.
        hidden: widths of the hidden layers.
        epochs, batch_size, lr: of AdamW with a cosine schedule, on the mean squared error.
        seed: of weights and order.
    """
    import torch
    from torch.nn.functional import mse_loss

    targets = np.log(np.stack([latency_ms, latency_ms if energy_mj is None else energy_mj], 1))
    arrays: dict[str, Array] = {
        "mean": rows.mean(0),
        "scale": np.where(rows.std(0) > 1e-9, rows.std(0), 1.0),
        "out_mean": targets.mean(0),
        "out_scale": np.maximum(targets.std(0), 1e-9),
    }
    inputs = torch.tensor((rows - arrays["mean"]) / arrays["scale"], dtype=torch.float32)
    wanted = torch.tensor((targets - arrays["out_mean"]) / arrays["out_scale"], dtype=torch.float32)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # two would fight over so small a model
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _perceptron((rows.shape[1], *hidden, len(TARGETS)))
        optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=1e-5)
        steps = epochs * -(-len(rows) // batch_size)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(epochs):
            for batch in torch.split(torch.randperm(len(rows)), batch_size):
                optimizer.zero_grad()
                loss = mse_loss(model(inputs[batch]), wanted[batch])
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
    torch.set_num_threads(threads)
    linear = [m for m in model if hasattr(m, "weight")]
    for i, layer in enumerate(linear):
        for name in PAIRS:
            arrays[f"{name}{i}"] = getattr(layer, name).detach().double().numpy()
    if energy_mj is None:
        arrays["out_mean"][1] = np.nan
    return LearnedModel(arrays)


def _perceptron(widths: Sequence[int]) -> nn.Sequential:
    from torch import nn

    layers: list[nn.Module] = []
    for given, made in pairwise(widths):
        layers += [nn.Linear(given, made), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def _kind(layer: LayerSpec) -> str:
    if layer.kind in {"linear", "matmul"}:
        return "product"
    if layer.kind == "depthwise":
        return "depthwise"
    return "window" if layer.k > 1 else "pointwise"


@register
class LearnedDevice:
    """A device that a learned cost model stands for, with nothing about it to vary.

    Args:
        file: of a cost model that was fitted without accelerators.
    """

    def __init__(self, file: str) -> None:
        self.file = file

    def cost(self, network: Network) -> Cost:
        """Latency, and energy where the model learned it.

        Raises:
            UserError: no such file, or a model that needs an accelerator.
        """
        model, row = load(self.file), network_features(network.layers, network.counts)
        if model.inputs != len(row):
            raise UserError(
                "this cost model was fitted to accelerators",
                path="accelerator.file",
                hint="accelerator: !EdgeAccelerator {cost_model: learned, file: ...}",
            )
        latency, energy = model.predict(row[None])[0].tolist()
        return Cost(latency, None if np.isnan(energy) else energy)
