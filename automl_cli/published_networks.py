"""Networks that published searches ended with, looked up in a table: `published/architectures`.

The files list, by problem, what each search found, one network per seed, and the values that were
published about them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from automl_cli.score import Moments
from automl_cli.tables.sources import open_table
from automl_spaces.errors import UserError
from automl_spaces.yaml_reader import compose_file, plain

if TYPE_CHECKING:
    from automl_cli.tables.table import Table

SHIPPED: Final = Path(__file__).parent / "published" / "architectures"
ROUNDED: Final = 0.00501
"""Half of the last decimal that is published, in percent."""


class Cell(NamedTuple):
    """One published value, and what a table says of the same networks.

    Args:
        networks: their names, one per seed.
        looked_up: None where the source has no such value.
        note: why they need not agree.
    """

    problem: str
    name: str
    metric: str
    networks: list[str]
    published: Moments
    looked_up: Moments | None
    note: str

    @property
    def agrees(self) -> bool | None:
        """To the second decimal; None when there is nothing to compare."""
        if self.looked_up is None:
            return None
        published, found = self.published, self.looked_up
        return max(abs(published.mean - found.mean), abs(published.spread - found.spread)) < ROUNDED


def looked_up(
    source: str = "auto", space: str | None = None, data: str | None = None
) -> list[Cell]:
    """Every published value that ships, of one space and data set or of all.

    Args:
        source: of the tables; see `open_table`. A problem that it does not hold has no values.

    Raises:
        UserError: it holds none of the problems.
    """
    cells: list[Cell] = []
    missing: list[UserError] = []
    for path in sorted(SHIPPED.glob("*.yaml")):
        node = compose_file(path)
        assert node is not None
        for problem in plain(node):
            if space not in (None, problem["space"]) or data not in (None, problem["data"]):
                continue
            try:
                records = open_table(source, problem["space"], problem["data"])
            except UserError as error:
                missing.append(error)
                records = None
            cells += _cells(problem, records)
    if missing and all(cell.looked_up is None for cell in cells):
        raise missing[0]
    return cells


def _cells(problem: Mapping[str, Any], records: Table | None) -> Iterator[Cell]:
    for result in problem["results"]:
        networks = result["networks"]
        facts = [] if records is None else [records[name].facts for name in networks]
        for metric in ("final_accuracy", "final_test_accuracy"):
            mean, spread = result[metric]
            values = [each[metric] for each in facts if metric in each]
            complete = len(values) == len(networks)
            yield Cell(
                problem["problem"],
                result["name"],
                metric,
                networks,
                Moments(float(mean), float(spread), len(networks)),
                Moments.of(values) if complete else None,
                result.get("note", ""),
            )
