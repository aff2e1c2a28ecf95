"""Published results: the file that ships, and files of one's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from automl_cli.report_budget import Budget
from automl_cli.report_published import load, match, shipped
from automl_spaces.errors import UserError
from tests.automl_cli.report_studies import group

NATS = {"preset": "nats"}


@pytest.mark.parametrize(
    ("recipe", "algorithm", "options", "expected", "seconds"),
    [
        ("nats-topology-cifar10", "random", {}, (91.07, 0.26), 20_000),
        ("nats-topology-cifar10", "evolution", NATS, (91.25, 0.31), 20_000),
        ("nats-topology-cifar100", "reinforce", NATS, (71.80, 0.94), 40_000),
        ("nats-tss-ImageNet16-120", "bohb", NATS, (45.55, 0.79), 120_000),
        ("nats-size-cifar10", "evolution", {**NATS, "x": 1}, (90.37, 0.20), 20_000),
        ("nats-sss-cifar100", "bohb", NATS, (69.75, 0.60), 40_000),
        ("nats_size_imagenet16", "random", {}, (45.01, 0.74), 60_000),
    ],
)
def test_what_ships_is_found_by_recipe_and_algorithm(
    recipe: str,
    algorithm: str,
    options: dict[str, object],
    expected: tuple[float, float],
    seconds: float,
) -> None:
    """Each row belongs to its data set and algorithm."""
    found = match(shipped(), group([1.0], name=recipe, algorithm=algorithm, options=options))
    assert found is not None
    assert found.values["final_accuracy"] == expected
    assert found.at == Budget("simulated_seconds", seconds)


@pytest.mark.parametrize(
    ("recipe", "algorithm"),
    [
        ("nats-topology-cifar10", "evolution"),  # not the published constants
        ("nats-topology-cifar10", "grid"),
        ("nats-topology-digits", "random"),
        ("first_run", "random"),
    ],
)
def test_nothing_else_is_compared(recipe: str, algorithm: str) -> None:
    """Another algorithm, setting or data set has no published row."""
    assert match(shipped(), group([1.0], name=recipe, algorithm=algorithm)) is None


def test_the_shipped_table_is_whole() -> None:
    """Two spaces, three data sets, four algorithms, each with validation and test."""
    rows = shipped()
    assert len({(r.problem, r.name) for r in rows}) == len(rows) == 24
    assert all(set(r.values) == {"final_accuracy", "final_test_accuracy"} for r in rows)
    assert all(20 < mean < 95 and 0 < std < 1 for r in rows for mean, std in r.values.values())
    assert all("NATS-Bench" in r.source for r in rows)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a list"),
        ("a: 1", "expected a list"),
        ("- {problem: p}", "missing"),
        ("- {problem: p, recipe: '(', at: {s: 1}, source: s, results: [{}]}", "error"),
        ("- {problem: p, recipe: a, at: {s: 1, t: 2}, source: s, results: []}", "too many"),
        ("- {problem: p, recipe: a, at: {s: 1}, source: s, results: [{name: n}]}", "algorithm"),
        (
            "- {problem: p, recipe: a, at: {s: 1}, source: s, "
            "results: [{name: n, algorithm: a, m: 3}]}",
            "int",
        ),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, text: str, reason: str) -> None:
    """What is wrong, and where the format is shown."""
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=re.escape("docs/report.md")) as told:
        load(path)
    assert reason in str(told.value)


def test_a_missing_file(tmp_path: Path) -> None:
    """It cannot be read, and is named."""
    with pytest.raises(UserError, match=r"none\.yaml.*cannot read"):
        load(tmp_path / "none.yaml")
