"""Any torch module as a list of layers: it is run once, and each product is seen as it happens.

What is watched are PyTorch's own operations below the modules, so that functional calls and
attention's products are found as well as layers.
"""

from __future__ import annotations

from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from automl_cli.costs.layers import LayerSpec, Shape
from automl_cli.programs.contracts import BuiltForData

if TYPE_CHECKING:
    from collections.abc import Iterator

    from automl_spaces.symbols import Symbol


@torch.no_grad()
def trace(module: nn.Module, *inputs: Tensor) -> list[LayerSpec]:
    """The convolutions and matrix products of one run, in the order in which they happen.

    The module is left as it was, mode and all. A kernel that is not square, or not in two
    dimensions, is written as more input channels of a 1 x 1 kernel: the multiply-adds are right,
    the bytes of the input are those of the unfolded one.

    Args:
        module: is run in evaluation mode.
        inputs: what it is called with, a batch of one.
    """
    modes = {part: part.training for part in module.modules()}
    watcher = _Watcher(module)
    try:
        # Attention in one fused operation would hide its products.
        with sdpa_kernel(SDPBackend.MATH), _no_fast_path(), watcher:
            module.eval()(*inputs)
    finally:
        for part, training in modes.items():
            part.training = training
    return watcher.layers


def trace_model(model: Symbol, shape: Shape, classes: int) -> list[LayerSpec]:
    """The layers of a symbolic model for images of this shape."""
    return trace(built(model, shape, classes), torch.zeros(1, *shape))


def built(model: Symbol, shape: Shape, classes: int) -> nn.Module:
    """The module of a symbolic model, made without disturbing anybody's seed."""
    with torch.random.fork_rng(devices=[]):
        module: Any = model.build()
        if isinstance(module, BuiltForData):
            module = module.build_for(shape, classes)
    assert isinstance(module, nn.Module)
    return module


class _Watcher(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, module: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.layers: list[LayerSpec] = []
        self._weights = {p.untyped_storage().data_ptr() for p in module.parameters()}

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        match function.overloadpacket.__name__:
            case "convolution":
                self.layers.append(_convolution(result, *args))
            case "mm":
                self._product(*args)
            case "addmm":
                self._product(*args[1:3], bias=True)
            case "bmm":
                self._product(*args)
            case "baddbmm":
                self._product(*args[1:3])
        return result

    def _product(self, left: Tensor, right: Tensor, *, bias: bool = False) -> None:
        """[G, rows, inner] x [G, inner, columns], or without the G."""
        groups = left.shape[0] if left.dim() == 3 else 1
        rows, inner = left.shape[-2:]
        learned = right.untyped_storage().data_ptr() in self._weights
        self.layers.append(
            LayerSpec(
                "linear" if learned else "matmul",
                groups * inner,
                groups * right.shape[-1],
                rows,
                1,
                groups=groups,
                per_channel=int(bias),
            )
        )


def _convolution(
    output: Tensor,
    given: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    _padding: Any,
    _dilation: Any,
    transposed: bool,
    _output_padding: Any,
    groups: int,
) -> LayerSpec:
    cin, cout = given.shape[1], output.shape[1]
    # A transposed convolution does its products at each position of its input.
    *rows, columns = (given if transposed else output).shape[2:]
    kernel = tuple(weight.shape[2:])
    square = len(kernel) == 2 and kernel[0] == kernel[1]
    kind = "depthwise" if groups == cin > 1 else "conv"
    return LayerSpec(
        kind,
        cin if square else cin * prod(kernel),
        cout,
        prod(rows),
        columns,
        kernel[0] if square else 1,
        stride[0] if square and not transposed else 1,
        groups,
        per_channel=int(bias is not None),
    )


@contextmanager
def _no_fast_path() -> Iterator[None]:
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)
