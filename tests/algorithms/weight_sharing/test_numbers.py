"""What a number beside the network has a part in, found by setting it."""

from __future__ import annotations

from automl_algorithms.weight_sharing._numbers import Number, part_of
from automl_algorithms.weight_sharing.supernet import lower
from automl_cli.recipe import load_recipe
from automl_spaces.space import Space


def test_a_learning_rate_is_one_before_a_warm_up_lets_it_act() -> None:
    """At the first batch it is multiplied by 0."""
    net = lower(Space.compile(load_recipe("autohas/text").template))
    next(iter(net.program.train_batches()))
    assert {group["lr"] for group in net.program.optimizer.param_groups} == {0.0}
    roles = {point.id: part_of(net, Number(point)).role for point in net.space.points}
    assert roles == {"optimizer.lr": "rate", "optimizer.weight_decay": "decay"}
