"""The supernets of a report: what they cost, and which decisions their policies have found."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from automl_cli.ledger_schema import connect, explain
from automl_cli.report_costs import Cost
from automl_cli.shared_identified import Found, identification
from automl_cli.study_report import StudyData
from automl_cli.study_results import known_space

if TYPE_CHECKING:
    from automl_spaces.decisions import Decisions
    from automl_spaces.space import Space

_FIRST: Final = "SELECT decisions FROM trials WHERE study = ? ORDER BY id LIMIT 2"


class Supernet(NamedTuple):
    """The supernet of one study.

    Args:
        decisions: what its policy came to; nothing when it never learned, or the space is not
            known any more.
    """

    cost: Cost
    decisions: list[Found]

    def as_data(self) -> dict[str, Any]:
        """For a program."""
        return {**self.cost._asdict(), "decisions": [each.as_data() for each in self.decisions]}


class Decided(NamedTuple):
    """What the policies of several seeds came to in one decision.

    Args:
        found: of each seed in which it counts.
    """

    id: str
    found: list[Found]

    @property
    def identified(self) -> int:
        """In how many seeds."""
        return sum(each.identified for each in self.found)


def supernets(
    path: Path, studies: Sequence[StudyData], costs: dict[int, Cost]
) -> dict[int, Supernet]:
    """The supernets of the studies that have one, by their ids.

    Args:
        path: of the ledger.
        costs: of these studies.
    """
    ledger = connect(path, read_only=True)
    try:
        return {
            study.row.id: Supernet(costs[study.row.id], _decisions(ledger, study))
            for study in studies
            if study.supernet is not None
        }
    except sqlite3.Error as error:
        raise explain(path, error) from error
    finally:
        ledger.close()


def decided(found: Sequence[Supernet]) -> list[Decided]:
    """Decision by decision, over seeds, in the order of the space."""
    by_id: dict[str, list[Found]] = {}
    for supernet in found:
        for each in supernet.decisions:
            by_id.setdefault(each.id, []).append(each)
    return [Decided(id, members) for id, members in by_id.items()]


def _decisions(ledger: sqlite3.Connection, study: StudyData) -> list[Found]:
    space = known_space(study.row)
    if space is None:
        return []
    return identification(space, study.supernet, _derived(ledger, study, space))


def _derived(ledger: sqlite3.Connection, study: StudyData, space: Space) -> Decisions | None:
    """The record that the search derived first: the trial after that of the static program."""
    rows = [space.decode(row[0]) for row in ledger.execute(_FIRST, (study.row.id,))]
    found = [record for record in rows if record != space.default()] or rows
    return found[0] if found else None
