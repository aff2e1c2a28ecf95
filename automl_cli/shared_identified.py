"""Which decisions a search by weight sharing has found, and which it leaves open.

A policy prefers something in every decision, be it by chance. One is identified when the most
probable candidate is clearly so, and, where the algorithm counts its evidence, when that backs it.
What pays off late in a training (weight decay) is often not identified by rewards of one step
(Wu et al. 2018, short-horizon bias): compare such candidates by trials, or let autohas finish with
a population (`finish: 2`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from automl_algorithms.weight_sharing.derivation import preferred
from automl_algorithms.weight_sharing.identified import is_identified
from automl_cli.formats import short_name
from automl_cli.policies import has_learned, read_policy

if TYPE_CHECKING:
    from automl_cli.ledger_schema import SupernetRow
    from automl_spaces.decisions import Decisions
    from automl_spaces.space import Space

EVIDENCE: Final = "evidence/"  # before a point's index, in the last record of a supernet
_NAMED: Final = 4  # decisions in the line for a person


class Found(NamedTuple):
    """What a policy came to in one decision.

    Args:
        id: of the decision point.
        value: the most probable candidate, as a record has it.
        probability: of it.
        candidates: how many there are.
        evidence: for it, in standard errors; None where the algorithm counts none.
    """

    id: str
    value: Any
    probability: float
    candidates: int
    evidence: float | None

    @property
    def identified(self) -> bool:
        """Whether the policy prefers it clearly, and not by chance."""
        return is_identified(self.probability, self.candidates, self.evidence)

    def as_data(self) -> dict[str, Any]:
        """For a program."""
        return {**self._asdict(), "identified": self.identified}


def identification(
    space: Space, row: SupernetRow | None, record: Decisions | None = None
) -> list[Found]:
    """What the last policy of a supernet says of each decision with several candidates.

    Args:
        row: the last one of the supernet in the ledger.
        record: only decisions that are active in it count; None: all.

    Returns:
        In the order of the space; nothing for a policy that never learned.
    """
    policy = {} if row is None else read_policy(row.policy)
    if row is None or not has_learned(policy):
        return []
    metrics: Mapping[str, float] = json.loads(row.metrics)
    found = []
    for index, chances in sorted(policy.items()):
        if len(chances) < 2 or (record is not None and record.values[index] is None):
            continue
        point, best = space.points[index], preferred(chances)
        value, evidence = point.show(point.at(best)), metrics.get(f"{EVIDENCE}{index}")
        found.append(Found(point.id, value, chances[best], len(chances), evidence))
    return found


def line(found: Sequence[Found]) -> str | None:
    """For a person; None when everything is identified, or nothing was learned."""
    open_ = [each for each in found if not each.identified]
    if not open_:
        return None
    ids = [each.id for each in found]
    named = ", ".join(
        f"{short_name(each.id, ids)} ({each.probability:.2f} for {each.value}, one of "
        f"{each.candidates})"
        for each in open_[:_NAMED]
    )
    more = f" and {len(open_) - _NAMED} more" if len(open_) > _NAMED else ""
    return f"not identified, {len(open_)} of {len(found)} decisions: {named}{more}"
