"""SETN: weights are trained on uniform paths, a policy on mixtures, and records by both compete.

Dong and Yang 2019, "One-shot neural architecture search via self-evaluated template network"
(arXiv 1910.05733), as run by NATS-Bench (Dong et al. 2021, arXiv 2009.00437). A step trains the
path of one record that is drawn uniformly, so that no candidate is neglected because it learns
slowly; then the logits on a validation batch, in a mixture of all candidates as in DARTS. In the
end the most probable records compete with the shared weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Final, Literal, NamedTuple

from automl_algorithms.contract import algorithm
from automl_algorithms.weight_sharing._alphas import Alphas
from automl_algorithms.weight_sharing._presets import chosen
from automl_algorithms.weight_sharing.derivation import most_probable
from automl_algorithms.weight_sharing.search import MOST_DRAWS, Batch, Moment
from automl_spaces.decisions import Decisions


class Preset(NamedTuple):
    """A named setting."""

    lr: float
    weight_decay: float
    candidates: int
    finalists: int
    clip: float | None


PRESETS: Final = {
    # For searches of some hundred steps.
    "default": Preset(0.03, 1e-3, 100, 10, None),
    # Dong et al. 2021, NATS-Bench: 100 epochs of 390 steps; validation batches of 512.
    "nats": Preset(3e-4, 1e-3, 100, 1, None),
}


@algorithm
class SETN(Alphas):
    """Self-evaluated template network.

    Args:
        preset: a named setting of the options below.
        lr: of the logits, by Adam.
        weight_decay: of the logits.
        candidates: the most probable records, which compete in the end on a validation batch.
        finalists: how many of them are judged again, on the whole validation part, if above 1.
        clip: norm that a gradient of the weights may have; .inf for any.
    """

    def __init__(
        self,
        *,
        preset: Literal["default", "nats"] = "default",
        lr: float | None = None,
        weight_decay: float | None = None,
        candidates: int | None = None,
        finalists: int | None = None,
        clip: float | None = None,
    ) -> None:
        setting = chosen(
            PRESETS,
            preset,
            lr=lr,
            weight_decay=weight_decay,
            candidates=candidates,
            finalists=finalists,
            clip=clip,
        )
        self.lr, self.weight_decay, self.candidates, self.finalists, self.clip = setting

    def step(self, train: Batch, valid: Callable[[], Batch], at: Moment) -> dict[str, float]:
        """The weights of a random path, then the policy by the mixture."""
        self.net.choose(self.draw())
        loss = self.train_weights(train)
        return {"loss": loss, "valid_loss": self.learn(partial(self.mix, learn=True), valid())}

    def derive(self, valid: Callable[[], Batch]) -> Iterator[Decisions]:
        """The best of the most probable records that the constraints accept."""
        by_chance = most_probable(self.net.space, self.policy(), self.net.settled)
        records = (record for _, record in islice(by_chance, MOST_DRAWS))
        accepted = islice(filter(self.task.accepts, records), self.candidates)
        yield from self.ranked(accepted, [valid()], self.finalists)
