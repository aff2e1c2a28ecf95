"""Rates in the network that act in training alone are hyperparameters to AutoHAS."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from automl_algorithms.weight_sharing._regularisers import in_training_alone
from automl_algorithms.weight_sharing.autohas import AutoHAS
from automl_algorithms.weight_sharing.elastic import elastic_rule
from automl_algorithms.weight_sharing.search import Task
from automl_algorithms.weight_sharing.slicing import elastic, terms
from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_spaces import oneof
from automl_spaces.objective import Objective
from automl_spaces.registry import symbolize
from automl_spaces.space import Space

from .tuned import WIDTH, layer, linear, sgd

GOAL = Objective("accuracy")
sequence, none = symbolize(nn.Sequential), symbolize(nn.Identity)


class Noisy(nn.Module):
    """Dropout with a name of its own."""

    training_only: ClassVar[bool] = True

    def __init__(self, rate: Any) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same."""
        return nn.functional.dropout(x, terms(self.rate)[0][0], self.training)


elastic_rule(Noisy, "rate")(lambda node, build: Noisy(elastic(node.get("rate"))))
noisy = symbolize(Noisy)


def net(decay: Any = 0.0) -> Supernet:
    """With a choice of layers, and of a rate."""
    kinds = oneof({"layer": layer(WIDTH, WIDTH), "none": none()}, default=none())
    rate = noisy(oneof([0.0, 0.1, 0.2], default=0.1))
    return lower(Space(linear(sequence(kinds, rate, layer(WIDTH, 1)), sgd(0.1, 0.0, decay))))


def test_it_is_the_rate_and_no_layer() -> None:
    """By what the module says of itself."""
    of = net()
    assert in_training_alone(of) == {of.space.point("model.args[1].rate").index}


def test_the_finish_compares_the_rate_too() -> None:
    """With a weight decay, all six combinations; of the layer the policy is sure."""
    of = net(oneof([0.0, 0.1]))
    search = AutoHAS(finish=1)
    search.setup(of, Task(GOAL))
    with torch.no_grad():
        search.logits.of[of.space.point("model.args[0]").index][0] = 50.0
    search.finish.compete(search._record(frozenset()), search.evidence.of, 50)
    assert search.finish.population is not None
    records = [member.record.as_dict() for member in search.finish.population.members]
    assert len({(r["model.args[1].rate"], r["optimizer.weight_decay"]) for r in records}) == 6
    assert len({r["model.args[0]"] for r in records}) == 1


def test_without_evidence_it_stays_the_static_programs() -> None:
    """As a hyperparameter beside the network does."""
    search = AutoHAS()
    search.setup(net(), Task(GOAL))
    assert next(search.derive(lambda: None))["model.args[1].rate"] == 0.1  # type: ignore[arg-type, return-value]
