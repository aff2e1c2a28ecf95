"""A search by weight sharing through the command line: supernet, records, trials, what is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from automl_algorithms import catalogue
from automl_cli.ledger import Ledger
from automl_cli.output import trial_table
from automl_cli.progress import Finished
from automl_cli.rank_correlation import kendall_tau
from automl_spaces.objective import Objective
from tests.automl_cli.command_line import Project
from tests.automl_cli.supernets import toy, write_recipe

SHARING = catalogue.names(family="weight_sharing")


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A project folder with a recipe that compares."""
    made = Project(tmp_path, monkeypatch, capsys)
    write_recipe(made, sharing="{compare: 3, derived: 2}")
    return made


def test_a_run_ends_with_what_it_came_to(project: Project) -> None:
    """Rows of the supernet, trials with both values, one line of price and truth, one of rank."""
    code, out, err = project("run", "recipe.yaml", "--study", "s")
    assert code == 0, err
    trials = [(json.loads(t.costs), json.loads(t.metrics)) for t in project.trials()]
    assert len(trials) == 6
    assert all(costs == {"shared_error": m["shared_error"]} for costs, m in trials)
    with Ledger(project.folder / ".automl" / "ledger.db", read_only=True) as ledger:
        study = ledger.study("s")
        assert study is not None
        rows = ledger.supernets(study.id)
        assert [row.step for row in rows] == list(range(1, 25))
    tau = kendall_tau([m["shared_error"] for _, m in trials], [m["error"] for _, m in trials])
    assert f"shared weights rank 6 trials with Kendall's tau {tau:.2f}" in err
    (line,) = [x for x in err.splitlines() if x.startswith("supernet: 2 epochs")]
    assert " trainings; derived error " in line
    first = trials[1][1]  # the static program is before it
    assert f"{first['shared_error']:.4g} with shared weights, {first['error']:.4g} from" in line
    assert "shared_error" in out
    assert "6 completed in" in err
    assert "nothing is left to propose" not in err


def test_the_end_as_json(project: Project) -> None:
    """Seconds, steps, units, tau and the derived records."""
    code, out, err = project("run", "recipe.yaml", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)["supernet"]
    assert (found["epochs"], found["steps"], found["of_steps"]) == (2, 24, 24)
    assert (found["skipped"], found["ranked"], found["metric"]) == (0, 6, "error")
    assert found["seconds"] > 0
    baseline = json.loads(project.finished()[0].metrics)
    assert found["units"] == pytest.approx(found["seconds"] / baseline["seconds"], rel=0.05)
    assert -1 <= found["tau"] <= 1
    assert [record["trial"] for record in found["derived"]] == [1, 2]
    for record in found["derived"]:
        trial = project.finished()[record["trial"]]
        assert record["decisions"] == json.loads(trial.decisions)
        assert record["scratch"] == json.loads(trial.metrics)["error"]
        assert record["shared"] == json.loads(trial.costs)["shared_error"]


def test_without_a_static_program_there_are_no_units(project: Project) -> None:
    """Nor a tau of two trials."""
    write_recipe(project, baseline="false", sharing="{derived: 2}")
    _, out, _ = project("run", "recipe.yaml", "--json")
    found = json.loads(out)["supernet"]
    assert (found["units"], found["tau"], found["ranked"]) == (None, None, 2)
    assert len(project.finished()) == 2


def test_the_comparison_does_not_depend_on_the_algorithm(project: Project) -> None:
    """The same random records, as far as they were not derived."""
    write_recipe(project, sharing="{compare: 5}")
    found = []
    for name in ("{name: rsps, candidates: 2}", "tunas"):
        project("run", "recipe.yaml", "-a", name, "--study", name)
        with Ledger(project.folder / ".automl" / "ledger.db", read_only=True) as ledger:
            study = ledger.study(name)
            assert study is not None
            found.append([t.decisions for t in ledger.trials(study.id)][-5:])
    assert len({*found[0]} & {*found[1]}) >= 4


def test_what_backs_the_found_program_is_told(project: Project) -> None:
    """Of tunas, which ends with the static program and what it can back; in words and as data."""
    write_recipe(project)
    _, out, _ = project("run", "recipe.yaml", "-a", "tunas", "--study", "t", "--json")
    found = json.loads(out)["supernet"]
    backing, (first, *_) = found["backing"], found["derived"]
    static = json.loads(project.finished()[0].decisions)
    changed = sum(static[id] != value for id, value in first["decisions"].items())
    assert (backing["changes"], backing["of"]) == (changed, len(found["decisions"]))
    assert backing["gain"] >= 0
    assert backing["error"] >= 0
    _, out, err = project("run", "recipe.yaml", "-a", "tunas", "--study", "t")
    assert "the static program" in out + err
    _, out, _ = project("run", "recipe.yaml", "--study", "r", "--json")
    assert json.loads(out)["supernet"]["backing"] is None


def test_constraints_hold_for_all_that_is_trained(tmp_path: Path, project: Project) -> None:
    """Derived and random records are within them; when none is, that is the message."""
    settings = {
        "program.data": "!Digits {}",
        "program.epochs": "1",
        "program.warmup_epochs": "0",
        "sharing": "{compare: 2}",
        "baseline": "false",
        "run.executor": "inline",
    }
    sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    algorithm = "{name: rsps, candidates: 20, finalists: 1}"
    arguments = ["cells/topology", "-a", algorithm, "--no-mlflow", *sets]
    code, _, err = project("run", *arguments, "--set", "constraints={params: {max: 25000}}")
    assert code == 0, err
    assert len(project.finished()) == 3
    assert all(json.loads(t.costs)["params"] <= 25000 for t in project.trials())
    none = ["--set", "constraints={params: {max: 10}}", "--study", "none"]
    code, _, err = project("run", *arguments, *none)
    assert code == 1
    assert "is within the constraints" in err
    assert project.states()["none"] == "failed"


def test_seeds_follow_each_other(project: Project) -> None:
    """Each is a study with a supernet of its own; those that are through are passed over."""
    for _ in range(2):
        code, _, err = project("run", "recipe.yaml", "--seeds", "2")
        assert code == 0, err
    assert set(project.states().values()) == {"completed"}
    with Ledger(project.folder / ".automl" / "ledger.db", read_only=True) as ledger:
        first, second = ledger.studies()
        assert (first.seed, second.seed) == (0, 1)
        rows = [ledger.supernets(study.id) for study in (first, second)]
        assert [len(found) for found in rows] == [24, 24]
        assert rows[0][5].metrics != rows[1][5].metrics
        assert [len(ledger.trials(study.id)) for study in (first, second)] == [6, 6]


def test_the_best_record_is_a_recipe(project: Project) -> None:
    """As of any study: static, and it trains to the same value."""
    project("run", "recipe.yaml", "--study", "s")
    code, out, _ = project("best", "s", "--json")
    assert code == 0
    best = json.loads(out)
    assert project("best", "s", "-o", "best.yaml").code == 0
    assert "oneof" not in (project.folder / "best.yaml").read_text("utf-8")
    _, out, _ = project("run", "best.yaml", "--json", "--set", "tracking.enabled=false")
    assert json.loads(out)["best"]["metrics"]["error"] == best["metrics"]["error"]


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_a_study_is_synced(project: Project) -> None:
    """Also its supernet."""
    from mlflow import MlflowClient

    project("run", "recipe.yaml", "--study", "s")
    code, out, _ = project("sync", "s", "--tracking-uri", "sqlite:///mlflow.db")
    assert (code, out) == (0, "s: 6 trials\n")
    client = MlflowClient("sqlite:///mlflow.db")
    experiment = client.get_experiment_by_name("recipe")
    (run,) = client.search_runs([experiment.experiment_id], "attributes.run_name = 's'")
    assert run.data.metrics["supernet/step"] == 24
    assert {"supernet/loss", "supernet/entropy", "trial/error"} <= run.data.metrics.keys()
    paths = [a.path for a in client.list_artifacts(run.info.run_id)]
    assert {"supernet.csv", "best_recipe.yaml"} <= {*paths}


# Reading commands -------------------------------------------------------------------------------


def test_algorithms_are_listed_with_their_family(project: Project) -> None:
    """In the text and as data; the schema knows their names and the section."""
    text = project("list", "algorithms").out
    for name in ("rsps", "tunas"):
        (line,) = [x for x in text.splitlines() if x.split()[0] == name]
        assert "weight sharing" in line
    rows = {row["name"]: row for row in json.loads(project("list", "algorithms", "--json").out)}
    assert {rows[name]["family"] for name in SHARING} == {"weight_sharing"}
    schema = json.loads(project("schema").out)["properties"]
    assert set(SHARING) <= {*schema["algorithm"]["oneOf"][0]["enum"]}
    assert set(schema["sharing"]["properties"]) == {"epochs", "on_nan", "derived", "compare"}


def test_show_says_what_will_be_trained(project: Project) -> None:
    """The supernet and the trials after it; a number of trials does not count."""
    text = project("show", "recipe.yaml", "--set", "budget.trials=99").out
    assert "one supernet is trained; then, from scratch: the static program, 2 derived" in text
    assert "99" not in text
    text = project("show", "cells/topology", "-a", "rsps", "--set", "sharing.epochs=5").out
    assert "one supernet is trained for 5 epochs" in text


def test_a_switch_of_algorithm_is_a_line(project: Project) -> None:
    """`automl diff` does not care how an algorithm searches."""
    code, out, _ = project("diff", "cells/topology", "-a", "tunas")
    assert code == 0
    assert "random -> tunas" in out
    assert "+1 -1" in out


def test_nothing_to_read_needs_torch(project: Project) -> None:
    """Help, show, list, diff and a mistake that names other algorithms are answered at once."""
    for arguments in (
        ["--help"],
        ["run", "--help"],
        ["show", "cells/topology", "-a", "rsps"],
        ["show", "hyperparameters", "-a", "tunas"],
        ["list", "algorithms"],
        ["diff", "cells/topology", "-a", "rsps"],
    ):
        code = (
            "import sys\nfrom automl_cli.__main__ import main\n"
            f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
            "assert 'torch' not in sys.modules"
        )
        path = os.pathsep.join(p for p in sys.path if p)
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=project.folder,
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (arguments, done.stderr)


# The table of trials ----------------------------------------------------------------------------


def _shown(metrics: dict[str, float], width: int) -> list[str]:
    from rich.console import Console

    console = Console(width=width)
    record = json.dumps({f"model.cell[{i}]": "nor_conv_3x3" for i in range(6)})
    trials = [Finished(12345, "completed", record, metrics, "")]
    with console.capture() as capture:
        console.print(trial_table(trials, [Objective("accuracy")], "title", width))
    return capture.get().splitlines()


def test_the_table_keeps_ids_and_decisions(project: Project) -> None:
    """On 80 columns metrics give way, the shared value of the objective last of all."""
    names = ("seconds", "madds", "params", "shared_accuracy", "accuracy", "loss", "test_accuracy")
    metrics = dict.fromkeys(names, 123456.789)
    _, head, row = _shown(metrics, 80)
    assert head.split()[:3] == ["trial", "accuracy", "shared_accuracy"]
    assert row.split()[0] == "12345"
    assert len(row.partition("cell[0]=")[1] + row.partition("cell[0]=")[2]) >= 19
    wide = _shown(metrics, 160)[1]
    assert all(name in wide for name in names)
    narrow = _shown(metrics, 30)
    assert narrow[2].split()[:2] == ["12345", "123.5k"]


def test_seconds_are_those_of_the_whole_run(project: Project) -> None:
    """The supernet has half of them at most, its trials the rest; then nothing starts any more."""
    write_recipe(
        project,
        program=toy(pause=0.05),
        budget="{seconds: 2.5}",
        sharing="{epochs: 100, derived: 1, compare: 100}",
    )
    began = time.monotonic()
    code, out, err = project("run", "recipe.yaml", "--json")
    assert code == 0, err
    supernet = json.loads(out)["supernet"]
    assert supernet["steps"] < supernet["of_steps"]
    assert 1.2 < supernet["seconds"] < 2.5
    assert 1 <= len(project.finished()) < 100
    assert time.monotonic() - began < 20
    with Ledger(project.folder / ".automl" / "ledger.db", read_only=True) as ledger:
        (study,) = ledger.studies()
        recorded = ledger.supernets(study.id)[-1].seconds  # its derivation is part of it
    assert recorded == pytest.approx(supernet["seconds"], abs=1e-3)
