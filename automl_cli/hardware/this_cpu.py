"""The processor that this runs on: the module is built, run and timed."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from automl_cli.hardware.cost import Cost
from automl_spaces.errors import UserError
from automl_spaces.registry import register

if TYPE_CHECKING:
    from torch import nn

    from automl_cli.costs.layers import Shape
    from automl_cli.hardware.layers import Network

_measured: dict[tuple[object, ...], float] = {}


@register
class ThisCPU:
    """Measured latency of single images; a network is measured once in a process.

    A measurement is no pure function: run a search by it on a machine that does nothing else,
    with `run: {workers: 1}`.

    Args:
        repeats: runs that the median is taken of.
        warmup: runs before them.
        threads: of PyTorch; those of the process are set back afterwards.

    Raises:
        UserError: a number of repeats or threads that is not positive.
    """

    def __init__(self, repeats: int = 20, warmup: int = 3, threads: int = 1) -> None:
        if repeats < 1 or threads < 1 or warmup < 0:
            raise UserError(
                f"ThisCPU: {repeats=} and {threads=} must be positive, {warmup=} not < 0"
            )
        self.repeats, self.warmup, self.threads = repeats, warmup, threads

    def cost(self, network: Network) -> Cost:
        """Median latency.

        Raises:
            UserError: a network that is only a list of layers.
        """
        if network.model is None or network.shape is None:
            raise UserError("ThisCPU runs networks, and this is only a list of layers")
        how = self.repeats, self.warmup, self.threads
        key = network.model.fingerprint(), network.shape, network.classes, *how
        if key not in _measured:
            from automl_cli.hardware.tracing import built

            module = built(network.model, network.shape, network.classes)
            _measured[key] = self.measure(module, network.shape)
        return Cost(_measured[key])

    def measure(self, module: nn.Module, shape: Shape) -> float:
        """Median milliseconds of a module for one image of this shape."""
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        image = torch.zeros(1, *shape).to(memory_format=torch.channels_last)
        module = module.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        taken = []
        try:
            with torch.inference_mode():
                for _ in range(self.warmup + self.repeats):
                    began = time.perf_counter()
                    module(image)
                    taken.append(time.perf_counter() - began)
        finally:
            torch.set_num_threads(threads)
        return median(taken[self.warmup :]) * 1e3
