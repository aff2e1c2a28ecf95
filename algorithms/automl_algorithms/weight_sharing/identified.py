"""When a decision counts as found: its policy is clear, and not by chance."""

from __future__ import annotations

from typing import Final

CLEAR: Final = 2.0  # times the probability of a uniform policy
BACKED: Final = 2.5  # standard errors between the preferred candidate and the others


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
