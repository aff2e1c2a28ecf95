"""Decisions in a network that are hyperparameters all the same: rates of dropout and drop path.

They act in training steps alone, so that what they do to a reward right after one is noise, and
what they are worth shows at the end of a training, as a weight decay does.
"""

from __future__ import annotations

from automl_algorithms.weight_sharing.slicing import Elastic
from automl_algorithms.weight_sharing.supernet import Supernet


def in_training_alone(net: Supernet) -> frozenset[int]:
    """The indices of the points of the network that leave it, when it is evaluated, as it is.

    They are the gates of the `rate` of modules that say so by `training_only = True`.
    """
    rates = [
        getattr(module, "rate", None)
        for module in net.model.modules()
        if getattr(module, "training_only", False)
    ]
    return frozenset(
        gate.point.index for rate in rates if isinstance(rate, Elastic) for gate in rate.gates
    )
