"""`automl score`: what studies found, judged by another recipe, and published networks."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from automl_cli.commands.score_command import score_command
from automl_cli.ledger import Ledger
from automl_cli.published_networks import SHIPPED, Cell, looked_up
from automl_cli.score import Moments
from automl_cli.tables.architectures import LAYERS, WIDTHS, check, size_name
from automl_cli.tables.sources import open_table
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from automl_spaces.yaml_reader import compose_file, plain
from tests.automl_cli.command_line import Project
from tests.automl_cli.report_studies import record, row
from tests.automl_cli.tables.sources import DATA, needs_npz

JUDGE = '''"""What judges."""


def judge(x: int = 0, y: int = 0, seconds: float = 0.0) -> dict[str, float]:
    """Best at x 3; larger y costs more."""
    import time

    time.sleep(seconds)
    if x == 7:
        raise ValueError("seven")
    return {"worth": 10 - abs(x - 3) + y / 10, "price": float(x + y)}
'''
SPACE = "[{at: x, replace: !intv [0, 9]}, {at: y, replace: !intv [0, 5]}]"


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A recipe that judges, and no study yet."""
    made = Project(tmp_path, monkeypatch, capsys)
    made.write("judge.py", JUDGE)
    monkeypatch.delitem(sys.modules, "judge", raising=False)
    goal = "{maximize: worth}"
    made.recipe(
        "judge.yaml", imports="[judge]", program="!judge.judge {}", space=SPACE, objective=goal
    )
    return made


def studied(project: Project, seed: int, *trials: tuple[float, int, int], **about: Any) -> None:
    """A completed study of m, x and y."""
    path = project.folder / ".automl" / "ledger.db"
    decisions = [{"x": x, "y": y} for _, x, y in trials]
    record(path, row("search", seed, **about), [{"m": m} for m, _, _ in trials], decisions)


def scored(project: Project, *arguments: str) -> dict[str, Any]:
    """The command's JSON."""
    outcome = project("score", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)
    return found


def test_the_best_record_is_judged(project: Project) -> None:
    """Not the last one; what the study itself said of it stands beside it."""
    studied(project, 0, (0.1, 1, 1), (0.8, 4, 2), (0.5, 3, 5))
    (found,) = scored(project, "search", "--on", "judge.yaml")["studies"]
    assert found["trial"] == 2
    assert (found["metric"], found["value"]) == ("m", 0.8)
    assert found["decisions"] == {"x": 4, "y": 2}
    assert found["scores"] == pytest.approx({"worth": 9.2, "price": 6.0})


def test_of_a_loss_the_least_is_the_best(project: Project) -> None:
    """By the study's own direction."""
    studied(project, 0, (0.1, 1, 1), (0.8, 4, 2), goals=(Objective("m", "minimize"),))
    (found,) = scored(project, "search", "--on", "judge.yaml")["studies"]
    assert found["trial"] == 1


def test_what_a_study_recommends_comes_first(project: Project) -> None:
    """As `automl best` has it."""
    recipe = str(project.recipe())
    assert project("run", recipe).code == 0
    (before,) = scored(project, "recipe", "--on", recipe)["studies"]
    other = (before["trial"] + 1) % 4
    with Ledger(project.folder / ".automl" / "ledger.db") as ledger:
        ledger.recommend(ledger.studies()[0].id, other)
    (found,) = scored(project, "recipe", "--on", recipe)["studies"]
    assert found["trial"] == json.loads(project("best", "--json").out)["trial"] == other
    assert found["scores"]["score"] == found["value"] < before["value"]


def test_studies_of_one_algorithm_are_a_group(project: Project) -> None:
    """Mean and population standard deviation over the seeds."""
    studied(project, 0, (0.1, 1, 0))
    studied(project, 1, (0.4, 3, 0))
    studied(project, 2, (0.2, 2, 0), algorithm="evolution")
    groups = scored(project, "search", "--on", "judge.yaml")["groups"]
    assert list(groups) == ["search random", "search evolution"]
    assert groups["search random"]["worth"] == pytest.approx([9, 1, 2])
    assert groups["search random"]["own m"] == pytest.approx([0.25, 0.15, 2])
    assert groups["search evolution"]["price"] == [2, 0, 1]


def test_regret_is_against_the_best_of_the_space(project: Project) -> None:
    """Of all networks, or of those within a limit; beyond it there is none."""
    project.recipe(
        "whole.yaml", imports="[judge]", program="!judge.judge {}", objective="{maximize: worth}",
        space="[{at: x, replace: !intv [0, 6]}, {at: y, replace: !intv [0, 5]}]",
    )  # fmt: skip
    studied(project, 0, (0.8, 1, 0))
    studied(project, 1, (0.8, 4, 5))
    found = scored(project, "search", "--on", "whole.yaml", "--regret", "worth")["studies"]
    assert [s["scores"]["regret"] for s in found] == pytest.approx([2.5, 1.0])
    limited = scored(project, "search", "--on", "whole.yaml", "--within", "price=3")
    assert limited["studies"][0]["scores"]["regret"] == pytest.approx(2.0)
    assert "regret" not in limited["studies"][1]["scores"]
    assert limited["groups"]["search random"]["regret"] == pytest.approx([2.0, 0.0, 1])
    text = project("score", "search", "--on", "whole.yaml", "--within", "price=3").out
    assert "2 ± 0 (of 1)" in text
    for wrong, message in (
        (["--within", "size=3"], "tells no size"),
        (["--within", "price=-1"], "no network of whole is within price=-1"),
        (["--regret", "wort"], "did you mean worth?"),
    ):
        outcome = project("score", "search", "--on", "whole.yaml", *wrong)
        assert outcome.code == 2
        assert message in outcome.err


def test_a_regret_that_would_take_hours_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found out by a few programs."""
    monkeypatch.setattr("automl_cli.score.PATIENCE", 0.1)
    studied(project, 0, (0.8, 4, 2))
    settings = ("--set", "program.seconds=0.01")
    outcome = project("score", "search", "--on", "judge.yaml", "--regret", "worth", *settings)
    assert outcome.code == 2
    assert "the best of 60 programs would take too long" in outcome.err


def test_mistakes_are_told(project: Project) -> None:
    """Each in a line, with what to do."""
    studied(project, 0, (0.8, 4, 9))
    for arguments, message in (
        (["search", "--on", "judge.yaml"], "search-random-0 ended with a record that judge has no"),
        (["search"], "by what are they to be judged?"),
        (["--on", "judge.yaml"], "which studies?"),
        (["serch", "--on", "judge.yaml"], "there is no study serch"),
        (["search", "--on", "judge.yaml", "--published"], "looks up no table"),
    ):
        outcome = project("score", *arguments)
        assert outcome.code == 2, arguments
        assert message in outcome.err
    outcome = project("score", "search", "--on", "judge.yaml", "--within", "price")
    assert outcome.code == 2
    assert "is no limit" in outcome.err


def test_a_program_that_fails_is_told(project: Project) -> None:
    """With what it raised."""
    studied(project, 0, (0.8, 7, 2))
    outcome = project("score", "search", "--on", "judge.yaml")
    assert outcome.code == 1
    assert "judge failed: ValueError: seven" in outcome.err


def test_a_study_without_a_result_is_told(project: Project) -> None:
    """No trial has completed."""
    path = project.folder / ".automl" / "ledger.db"
    record(path, row("search"), [{}], [{"x": 1, "y": 1}])
    outcome = project("score", "search", "--on", "judge.yaml")
    assert outcome.code == 2
    assert "no trial of search-random-0 has completed" in outcome.err


def test_the_tables(project: Project) -> None:
    """A line a study, and one an algorithm."""
    studied(project, 0, (0.1, 1, 0))
    studied(project, 1, (0.4, 3, 0))
    lines = [
        line.split() for line in project("score", "search", "--on", "judge.yaml").out.splitlines()
    ]
    assert lines[0] == ["study", "its", "own", "worth", "price", "network"]
    assert lines[1][:5] == ["search-random-0", "m", "0.1", "8", "1"]
    assert lines[-1][:3] == ["search", "random", "2"]
    assert " ".join(lines[-1][3:]) == "0.25 ± 0.15 9 ± 1 2 ± 1"


# Published networks ------------------------------------------------------------------------------


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tables that the tests marked so need."""
    monkeypatch.setenv("AUTOML_NATS", str(DATA))
    open_table.cache_clear()
    yield
    open_table.cache_clear()


def test_the_shipped_networks_exist() -> None:
    """Every name is one of its space."""
    for path in SHIPPED.glob("*.yaml"):
        node = compose_file(path)
        assert node is not None
        for problem in plain(node):
            for result in problem["results"]:
                assert len(result["networks"]) in (1, 3)
                for name in result["networks"]:
                    check(name, problem["space"])


@needs_npz
@pytest.mark.usefixtures("tables")
def test_published_values_agree_with_the_tables() -> None:
    """To the second decimal, population standard deviation, but where a note says why not."""
    cells = [cell for cell in looked_up() if cell.metric == "final_accuracy"]
    known = [cell for cell in cells if cell.looked_up is not None and not cell.note]
    assert len(known) == 11
    assert all(cell.agrees for cell in known), [c for c in known if not c.agrees]
    assert {(c.problem, c.name) for c in cells if c.note} == {
        ("NATS-Bench topology, CIFAR-10", "DARTS, first order"),
        ("NATS-Bench topology, CIFAR-10", "DARTS, second order"),
        ("NATS-Bench topology, ImageNet16-120", "DARTS, second order"),
    }


@needs_npz
@pytest.mark.usefixtures("tables")
def test_tests_of_one_training_are_near() -> None:
    """The published ones are means over up to three trainings, which this source has not."""
    cells = [c for c in looked_up() if c.metric == "final_test_accuracy" and not c.note]
    near = [abs(c.published.mean - c.looked_up.mean) for c in cells if c.looked_up is not None]
    assert len(near) == 5
    assert max(near) < 1


@needs_npz
@pytest.mark.usefixtures("tables")
def test_the_published_size_row_is_the_largest_network() -> None:
    """Of 64 channels everywhere: nothing that a search had to find."""
    (cell,) = [c for c in looked_up(space="size", data="cifar10") if c.metric == "final_accuracy"]
    assert cell.looked_up == pytest.approx((90.71, 0, 3), abs=0.005)
    assert set(cell.networks) == {"64:64:64:64:64"}


def test_agreement_is_to_the_second_decimal() -> None:
    """Of the mean and of the spread."""
    cell = Cell("", "", "m", [], Moments(90.20, 0.72, 3), Moments(90.1951, 0.7249, 3), "")
    assert cell.agrees
    assert not cell._replace(looked_up=Moments(90.1949, 0.7249, 3)).agrees
    assert not cell._replace(looked_up=Moments(90.2, 0.73, 3)).agrees
    assert cell._replace(looked_up=None).agrees is None
    values = [1.0, 2.0, 4.0]
    assert Moments.of(values).spread == statistics.pstdev(values)


@needs_npz
@pytest.mark.usefixtures("tables")
def test_the_command_prints_them(project: Project) -> None:
    """All of them, or those of a recipe; nothing is asked of a ledger."""
    out = project("score", "--published").out
    assert "GDAS (NATS-Bench topology, CIFAR-10)" in out
    assert "* the README names one network of three" in out
    found = scored(project, "--published", "--on", "nats/size")["published"]
    assert {cell["problem"] for cell in found} == {"NATS-Bench size, CIFAR-10"}
    found = scored(
        project, "--published", "--on", "nats/topology", "--set", "program.data=cifar100"
    )
    assert {c["problem"] for c in found["published"]} == {"NATS-Bench topology, CIFAR-100"}
    assert found["published"][0]["agrees"] is True


@needs_npz
@pytest.mark.usefixtures("tables")
def test_a_network_that_was_trained_is_looked_up(project: Project) -> None:
    """The decision points of recipes/cells are those of recipes/nats; costs count too."""
    decisions = {f"model.widths[{i}]": width for i, width in enumerate((64, 8, 16, 24, 32))}
    path = project.folder / ".automl" / "ledger.db"
    record(path, row("cells-size"), [{"m": 0.8}], [decisions])
    on = ("--on", "nats/size", "--set", "costs=[nats_flops]")
    (found,) = scored(project, "cells-size", *on)["studies"]
    table = open_table("auto", "size", "cifar10")["64:8:16:24:32"]
    assert found["scores"]["final_accuracy"] == table.facts["final_accuracy"]
    assert found["scores"]["flops"] == table.facts["flops"]
    assert found["scores"]["nats_flops"] == pytest.approx(1e6 * table.facts["flops"])


@needs_npz
@pytest.mark.slow
@pytest.mark.usefixtures("tables")
def test_the_best_within_half_of_the_flops(project: Project) -> None:
    """137.2 MFLOP on CIFAR-10: the network of least regret has none."""
    names = [size_name([*widths]) for widths in product(WIDTHS, repeat=LAYERS)]
    table = open_table("auto", "size", "cifar10")
    best = max(
        (n for n in names if table[n].facts["flops"] <= 137.2),
        key=lambda name: table[name].facts["final_accuracy"],
    )
    decisions = {f"model.widths[{i}]": int(w) for i, w in enumerate(best.split(":"))}
    record(project.folder / ".automl" / "ledger.db", row("size"), [{"m": 0.8}], [decisions])
    (found,) = scored(project, "size", "--on", "nats/size", "--within", "flops=137.2")["studies"]
    assert found["scores"]["regret"] == 0


def test_help_says_what_it_takes() -> None:
    """The first line of the command is the table's."""
    assert "another recipe" in (score_command.help or "")


def test_no_table_at_all_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how to get one."""
    monkeypatch.setenv("AUTOML_NATS", "")
    monkeypatch.setenv("TORCH_HOME", "")
    monkeypatch.setattr("automl_cli.tables.sources.package_folder", lambda: None)
    open_table.cache_clear()
    with pytest.raises(UserError, match="no table of NATS-Bench"):
        looked_up()
