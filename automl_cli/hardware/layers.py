"""A network as a device sees it: which layers, and how often each.

From a symbolic program the layers come in closed form where there is one (a fraction of a
millisecond), and by tracing the module otherwise, once for each distinct model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from functools import lru_cache
from itertools import chain
from typing import Any, Final, NamedTuple

from automl_cli.costs.layers import LayerSpec, Shape, layers_of
from automl_cli.costs.nats_flops import IMAGES
from automl_spaces.errors import UserError
from automl_spaces.symbols import Symbol

REMEMBERED: Final = 4096  # networks, of some 10 KB each


class Network(NamedTuple):
    """The layers of a network that multiply, without regard to their order.

    Attributes:
        layers: distinct, sorted.
        counts: how often each occurs.
        model: the symbol that it was derived from, for devices that look it up or run it.
        shape, classes: of the data.
        data: name of the data set, where that is all that the program says.
    """

    layers: tuple[LayerSpec, ...]
    counts: tuple[int, ...]
    model: Symbol | None = None
    shape: Shape | None = None
    classes: int = 0
    data: str | None = None

    @classmethod
    def of(cls, layers: Iterable[LayerSpec]) -> Network:
        """The network of these layers. Normalisation alone is left out: devices fuse it."""
        found = Counter(layer._replace(per_channel=0) for layer in layers if layer.k)
        distinct, counts = zip(*sorted(found.items()), strict=True) if found else ((), ())
        return cls(distinct, counts)

    @property
    def madds(self) -> int:
        """Multiply-adds for one image."""
        return sum(n * layer.madds for layer, n in zip(self.layers, self.counts, strict=True))


def network_of(program: Any) -> Network:
    """The network of a symbolic program.

    Raises:
        UserError: when the program has no model, or its images have no known shape.
    """
    args = program.args if isinstance(program, Symbol) else {}
    model = args.get("model")
    if not isinstance(model, Symbol):
        raise UserError(
            "the program has no argument model, so nothing is known of how it runs on a device",
            hint="latency_ms, energy_mj and the like are costs of programs with a network",
        )
    data = program.get("data")
    name = data if isinstance(data, str) else None
    if isinstance(data, Symbol):
        shape, classes = data.shape, data.classes
    elif name in IMAGES:
        shape, classes = IMAGES[name]
    else:
        raise UserError(
            f"a device needs the shape of the images, and {data!r} has none",
            path="data",
            hint=f"known by name: {', '.join(IMAGES)}",
        )
    found = _layers(model, shape, classes)
    return Network(found.layers, found.counts, model, shape, classes, name)


def _layers(model: Symbol, shape: Shape, classes: int) -> Network:
    key = _same_layers(model)
    if key is None:
        layers = layers_of(model, shape, classes)
        if layers is not None:
            return Network.of(layers)
        key = model.fingerprint()
    return _remembered(_Asked(key, model, shape, classes))


class _Asked:
    """A model to be taken apart, known by its key: symbols have no hash of their own."""

    def __init__(self, key: Hashable, model: Symbol, shape: Shape, classes: int) -> None:
        self.key = (key, shape, classes)
        self.model, self.shape, self.classes = model, shape, classes

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and self.key == other.key


@lru_cache(maxsize=REMEMBERED)
def _remembered(asked: _Asked) -> Network:
    layers = layers_of(asked.model, asked.shape, asked.classes)
    if layers is None:
        from automl_cli.hardware.tracing import trace_model

        layers = trace_model(asked.model, asked.shape, asked.classes)
    return Network.of(layers)


def _same_layers(model: Symbol) -> Hashable | None:
    """What decides the layers of a CellNet of equal channels: its operations, in any order.

    The 15,625 cells of NATS-Bench's topology space have 28 networks in this sense.
    """
    cell = model.get("cell")
    if model.type.name != "CellNet" or not isinstance(cell, list) or model.get("widths"):
        return None
    operations = sorted(map(str, chain.from_iterable(cell)))
    return ("CellNet", *map(len, cell), *operations, model.get("channels"), model.get("cells"))
