"""Published results to print ours beside: YAML files, in the format that docs/report.md shows."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from automl_cli.report_budget import Budget
from automl_cli.study_report import Group
from automl_spaces.errors import Mark, UserError
from automl_spaces.yaml_reader import compose_file, mark_of, plain

SHIPPED: Final = Path(__file__).parent / "published"


class Published(NamedTuple):
    """One row of a published table.

    Attributes:
        name: what the publication calls the algorithm.
        options: those that the algorithm must have been given, with these values.
        values: (mean, standard deviation) by metric.
    """

    problem: str
    recipe: re.Pattern[str]
    at: Budget
    source: str
    name: str
    algorithm: str
    options: dict[str, Any]
    values: dict[str, tuple[float, float]]

    def fits(self, group: Group) -> bool:
        """Whether a group repeats this row: its recipe by name, its algorithm and options."""
        row = group.studies[0].row
        given: dict[str, Any] = json.loads(row.options)
        return (
            self.recipe.search(group.problem.name) is not None
            and row.algorithm == self.algorithm
            and all(key in given and given[key] == v for key, v in self.options.items())
        )


def shipped() -> list[Published]:
    """The rows of all files that come with automl."""
    return [row for path in sorted(SHIPPED.glob("*.yaml")) for row in load(path)]


def load(path: Path) -> list[Published]:
    """The rows of a file.

    Raises:
        UserError: when it cannot be read or is no list of published results.
    """
    node = compose_file(path)
    tables = None if node is None else plain(node)
    if node is None or not isinstance(tables, list):
        raise UserError("expected a list of published results", Mark(str(path)), hint=_HINT)
    rows = []
    for item, table in zip(node.value, tables, strict=True):
        try:
            rows += _rows(**table)
        except (TypeError, ValueError, KeyError, AttributeError, re.error) as error:
            reason = f"not a table of published results: {type(error).__name__}: {error}"
            raise UserError(reason, mark_of(item), hint=_HINT) from None
    return rows


def match(rows: Sequence[Published], group: Group) -> Published | None:
    """The row that a group repeats; None when there is none."""
    return next((row for row in rows if row.fits(group)), None)


_HINT: Final = "docs/report.md shows the format"


def _rows(
    problem: str, recipe: str, at: dict[str, float], source: str, results: list[dict[str, Any]]
) -> list[Published]:
    ((metric, amount),) = at.items()
    pattern = re.compile(recipe, re.IGNORECASE)
    return [
        _row(Published(problem, pattern, Budget(metric, float(amount)), source, "", "", {}, {}), r)
        for r in results
    ]


def _row(table: Published, result: dict[str, Any]) -> Published:
    left = dict(result)
    name, algorithm, options = left.pop("name"), left.pop("algorithm"), left.pop("options", {})
    values = {metric: (float(mean), float(spread)) for metric, (mean, spread) in left.items()}
    return table._replace(name=name, algorithm=algorithm, options=dict(options), values=values)
