"""The stepwise toy of `supernets` with a weight decay that can change between steps."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from tests.automl_cli.supernets import Toy


class Decaying(Toy):
    """SGD with momentum.

    Args:
        decay: of the weights; live.
        model, pause, dies: as of `Toy`.
    """

    live_arguments: ClassVar[tuple[str, ...]] = ("decay",)

    def __init__(
        self, model: torch.nn.Module, decay: float = 0.0, pause: float = 0.0, dies: int = -1
    ) -> None:
        super().__init__(model, epochs=2, steps=30, pause=pause, dies=dies)
        self.adopt("decay", decay)

    def adopt(self, name: str, value: Any) -> None:
        """Go on with another decay."""
        self.optimizer.param_groups[0]["weight_decay"] = value
