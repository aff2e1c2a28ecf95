"""TAS: two widths at a time, brought to one number of channels by interpolation.

Dong and Yang 2019 (arXiv 1905.09717), as run over sizes by NATS-Bench (Dong et al. 2021, arXiv
2009.00437). For each decision about a size, with logits alpha,

    z = (log softmax(alpha) + Gumbel noise) / tau
    c1, c2 from softmax(z), different
    q1, q2 = softmax(z[c1], z[c2])
    y = q1 CWI(x[:c1], C) + q2 CWI(x[:c2], C),   C = max(c1, c2)

where CWI is channel-wise interpolation (`masks.interpolate_channels`): a step costs what the
wider one does. Decisions between modules are a mixture of all of them, weighted by softmax(z).
"""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Tensor

from automl_algorithms.contract import algorithm
from automl_algorithms.weight_sharing._presets import chosen
from automl_algorithms.weight_sharing._relaxed import gumbel
from automl_algorithms.weight_sharing._sizes import PRESETS, SizeSearch
from automl_algorithms.weight_sharing.gates import Gate

LEAST_CHANCE: Final = 1e-7
"""Of a width to be drawn: at low temperatures all but one would have none."""


@algorithm
class TAS(SizeSearch):
    """Transformable architecture search: interpolation between two widths.

    Args:
        preset: a named setting of the options below.
        lr: of the policy, by Adam.
        weight_decay: of the policy.
        mask_scope: everywhere; cell_output: inside of a cell all channels are computed.
        tau: temperature in the first epoch and in the last, linear between them.
        warmup: share of the search in which the policy rests, and widths are full or random.
        cost: the name of a cost in the recipe; None: all that its constraints bound.
        target: of that cost; None: anywhere within its bounds.
        cost_weight: of the term that holds costs within bounds.
        clip: norm that a gradient of the weights may have; .inf for any.
    """

    def __init__(
        self,
        *,
        preset: Literal["default", "nats"] = "default",
        lr: float | None = None,
        weight_decay: float | None = None,
        mask_scope: Literal["everywhere", "cell_output"] | None = None,
        tau: list[float] | None = None,
        warmup: float | None = None,
        cost: str | None = None,
        target: float | None = None,
        cost_weight: float | None = None,
        clip: float | None = None,
    ) -> None:
        setting = chosen(
            PRESETS,
            preset,
            lr=lr,
            weight_decay=weight_decay,
            mask_scope=mask_scope,
            tau=tau,
            warmup=warmup,
            cost=cost,
            target=target,
            cost_weight=cost_weight,
            clip=clip,
        )
        super().__init__(setting)

    def soften(self, gate: Gate, logits: Tensor, tau: float) -> None:
        """Two different widths, weighted."""
        z = (logits.log_softmax(0) + gumbel(len(logits), self.generator)) / tau
        chances = z.detach().softmax(0) + LEAST_CHANCE
        i, j = torch.multinomial(chances, 2, generator=self.generator).tolist()
        gate.interpolate(i, j, z[[i, j]].softmax(0))
