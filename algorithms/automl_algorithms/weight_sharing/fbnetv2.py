"""FBNetV2: one network whose channels are masked by a Gumbel mixture of widths.

Wan et al. 2020 (arXiv 2004.05565), section 3.1, as run over sizes by NATS-Bench (Dong et al.
2021, arXiv 2009.00437). A layer of widths c_i with output x gives

    y = x * sum_i g_i m_i,   g = softmax((log softmax(alpha) + Gumbel noise) / tau)

where m_i is 1 in the first c_i channels and 0 in the others. The sample stays soft, so every
width gets a gradient in every step, and a step costs what the largest network does. Decisions
between modules are such a mixture too, of the outputs of all.

The authors' search code was never released; what the papers leave open is as in NATS-Bench.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from automl_algorithms.contract import algorithm
from automl_algorithms.weight_sharing._presets import chosen
from automl_algorithms.weight_sharing._relaxed import relaxed
from automl_algorithms.weight_sharing._sizes import PRESETS, SizeSearch
from automl_algorithms.weight_sharing.gates import Gate


@algorithm
class FBNetV2(SizeSearch):
    """Masks of widths in a Gumbel mixture.

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
        """All widths, weighted."""
        gate.mix(relaxed(logits, tau, self.generator))
