"""When a decision counts as found: its policy is clear, and not by chance; and how clear it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

CLEAR: Final = 2.0  # times the probability of a uniform policy
BACKED: Final = 2.5  # standard errors between the preferred candidate and the others


def entropy(chances: Sequence[float]) -> float:
    """As a share of the largest: 1 uniform, 0 decided; 0 also where nothing is to be decided."""
    if len(chances) < 2:
        return 0.0
    return -sum(p * math.log(p) for p in chances if p > 0) / math.log(len(chances))


def clear(candidates: int) -> float:
    """The probability from which one of so many candidates is clearly preferred.

    Twice that of a uniform policy; of two or three candidates half way from there to certainty.
    """
    return min(CLEAR / candidates, (1 + 1 / candidates) / 2)


def is_identified(
    probability: float, candidates: int, evidence: float | None, backed: float = BACKED
) -> bool:
    """Whether a candidate is clearly preferred, and what is known of it backs that.

    Args:
        probability: of the most probable candidate.
        evidence: for it, in standard errors; None where none is counted.
        backed: what is asked of the evidence.
    """
    return (evidence is None or evidence >= backed) and probability >= clear(candidates)
