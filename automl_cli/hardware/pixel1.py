"""The CPU of a Pixel 1, by the table of TuNAS; see `automl_cli.costs.pixel1_latency`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl_cli.costs.pixel1_latency import latency
from automl_cli.hardware.cost import Cost
from automl_spaces.registry import register

if TYPE_CHECKING:
    from automl_cli.hardware.layers import Network


@register
class Pixel1:
    """A phone of 2016. It knows the latency of networks of the recipe mobilenet/proxyless only."""

    def cost(self, network: Network) -> Cost:
        """Latency for an image of 224 x 224.

        Raises:
            UserError: any other network.
        """
        return Cost(latency(network.model))
