"""A network as a list of layers: what every cost that needs no training is computed from.

The list comes in closed form from the program's *symbols*, without PyTorch and in a fraction of
a millisecond, so that a search can reject thousands of networks before it trains one. The
closed form of the models in module `m` is a function `layers(model, shape, classes)` in the
module `m_layers` beside it, of ours or of a user's own package. A model without one is built
and counted by `counting`, which is exact, works for any module, and costs some 20 ms and the
import of PyTorch.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, cast

from automl_spaces.errors import UserError
from automl_spaces.symbols import Symbol

Shape = tuple[int, ...]  # of one input: channels, height, width of an image; length of a text


class LayerSpec(NamedTuple):
    """One convolution or linear layer; a linear layer is a 1 x 1 convolution on one pixel.

    Attributes:
        kind: "conv", "depthwise", "linear", "norm" (normalisation alone: k is 0, no weights) or
            "matmul" (both factors are activations; only from tracing).
        cin, cout: input and output channels.
        oh, ow: height and width of the output, in pixels.
        k: kernel size (square).
        stride: of the kernel.
        groups: independent groups of channels.
        per_channel: parameters of an output channel besides its weights: bias 1, batch norm 2.
    """

    kind: str
    cin: int
    cout: int
    oh: int
    ow: int
    k: int = 1
    stride: int = 1
    groups: int = 1
    per_channel: int = 2

    @property
    def weights(self) -> int:
        """Number of weights of the kernel."""
        return self.cin // self.groups * self.cout * self.k * self.k

    @property
    def params(self) -> int:
        """Number of trained parameters."""
        return self.weights + self.per_channel * self.cout

    @property
    def madds(self) -> int:
        """Multiply-adds for one image; normalisation and activation are not counted."""
        return self.weights * self.oh * self.ow


ClosedForm = Callable[[Symbol, Shape, int], list[LayerSpec] | None]


@lru_cache(maxsize=256)
def _closed_form(module: str) -> ClosedForm | None:
    name = f"{module}_layers"
    try:
        found = importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # the package itself is not importable, or has no spec
        found = False
    return cast(ClosedForm, importlib.import_module(name).layers) if found else None


def parts(program: Any) -> tuple[Symbol, Shape, int]:
    """The model, the shape of its input and the number of classes of a program.

    Raises:
        UserError: when the program has no `model` and `data` to ask.
    """
    args = program.args if isinstance(program, Symbol) else {}
    model, data = args.get("model"), args.get("data")
    if not isinstance(model, Symbol) or not isinstance(data, Symbol):
        name = program.type.name if isinstance(program, Symbol) else type(program).__name__
        raise UserError(
            f"the cost of {name} is unknown before training: it has no arguments model and data",
            hint="constrain a metric that the program returns instead",
        )
    return model, data.shape, data.classes


def layers(program: Any) -> list[LayerSpec] | None:
    """The layers of a program's model, first to last; None when it has no closed form."""
    return layers_of(*parts(program))


def layers_of(model: Symbol, shape: Shape, classes: int) -> list[LayerSpec] | None:
    """The layers of a model for such images, first to last; None when it has no closed form."""
    closed_form = _closed_form(model.type.module)
    return None if closed_form is None else closed_form(model, shape, classes)
