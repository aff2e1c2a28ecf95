"""What can be said of a policy: how decided it is, and on what. Plain numbers, no torch.

A policy gives for each decision point, by its index, the probabilities of its candidates.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from automl_algorithms.weight_sharing.identified import entropy

Policy = Mapping[int, Sequence[float]]
_EVEN: Final = 0.9999  # entropies above are those of a policy that has learned nothing


def read_policy(record: str) -> dict[int, list[float]]:
    """The policy of a row of the ledger's table `supernets`."""
    return {int(index): chances for index, chances in json.loads(record).items()}


def most_decided(policy: Policy) -> list[int]:
    """The indices of the points with more than one candidate, the lowest entropy first."""
    return sorted(
        (index for index, chances in policy.items() if len(chances) > 1),
        key=lambda index: (entropy(policy[index]), index),
    )


def has_learned(policy: Policy) -> bool:
    """Whether some decision is other than uniform."""
    return any(entropy(chances) < _EVEN for chances in policy.values() if len(chances) > 1)
