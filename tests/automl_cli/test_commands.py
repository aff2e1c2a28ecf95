"""The commands as a user or a script meets them: what goes where, and what can be done with it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from automl_cli.recipe import load_recipe
from automl_cli.recipe_files import recipes_root, shipped_overlays, shipped_recipes
from automl_cli.runner import trial_seed
from automl_cli.session import Session
from automl_spaces.space import Space
from tests.automl_cli.command_line import Project

HEAVY = ("torch", "mlflow", "optuna", "rich", "numpy", "matplotlib", "sklearn", "ray")


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A project folder with a recipe."""
    made = Project(tmp_path, monkeypatch, capsys)
    made.recipe()
    return made


def data(project: Project, *arguments: str) -> Any:
    """What a command prints as JSON; nothing else may be on standard output."""
    code, out, _ = project(*arguments)
    assert code == 0
    return json.loads(out)


# Output ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ["show", "recipe.yaml", "--json"],
        ["diff", "recipe.yaml", "--space", "none", "--json"],
        ["best", "--json"],
        ["best", "recipe", "--trial", "2", "--json"],
        ["run", "recipe.yaml", "--trials", "6", "--json"],
        ["run", "recipe.yaml", "--trials", "2", "--json"],
        ["report", "--json"],
        ["schema"],
        ["list", "--json"],
        *(["list", kind, "--json"] for kind in ("algorithms", "programs", "recipes", "overlays")),
        *(["list", kind, "--json"] for kind in ("costs", "executors", "studies")),
    ],
    ids=" ".join,
)
def test_json_output_is_json_and_nothing_else(command: list[str], project: Project) -> None:
    """A script can read standard output as it is; nobody talks to it on standard error."""
    assert project("run", "recipe.yaml").code == 0
    code, out, err = project(*command)
    assert code == 0
    assert json.loads(out)
    assert err == ""


def test_the_summary_of_a_run_counts_exactly(project: Project) -> None:
    """The JSON summary, the ledger and `best` tell the same."""
    found = data(project, "run", "recipe.yaml", "--trials", "9", "--json")
    assert found["study"] == "recipe-random-0"
    assert found["state"] == "completed"
    assert found["counts"] == {"completed": 9, "pruned": 0, "failed": 0}
    rows = {row.id: json.loads(row.metrics)["score"] for row in project.trials()}
    assert len(rows) == 9
    assert found["best"]["metrics"]["score"] == max(rows.values()) == rows[found["best"]["trial"]]
    best = data(project, "best", "--json")
    assert best["trial"] == found["best"]["trial"]
    assert best["decisions"] == found["best"]["decisions"]


def test_data_goes_to_standard_output_and_talk_to_standard_error(project: Project) -> None:
    """The table of a run can be piped; what happens meanwhile and what to type next cannot."""
    code, out, err = project("run", "recipe.yaml")
    assert code == 0
    assert "trial" in out
    assert "decisions" in out
    assert "automl best" not in out
    assert "automl best recipe-random-0" in err
    assert "4 completed" in err


def test_without_a_terminal_a_trial_is_a_line_at_most(project: Project) -> None:
    """Fast searches print far less than that, and failures no more than the first few."""
    assert len(project("run", "recipe.yaml", "--trials", "200").err.splitlines()) < 20
    project.recipe(
        program="!prog.fault",
        space="[{at: how, replace: !oneof [fine, raises, nan, none]}]",
        algorithm="grid",
    )
    err = project("run", "recipe.yaml", "--study", "faults").err
    for id in range(4):
        assert len(re.findall(rf"^  .*\btrial {id} failed|^  {id + 1}/4 trials", err, re.M)) <= 1


def test_output_is_plain_without_a_terminal(project: Project) -> None:
    """No colours and no cursor movements in a log file."""
    for command in (["run", "recipe.yaml"], ["show", "recipe.yaml"], ["best"], ["list"]):
        outcome = project.run(*command)
        assert outcome.code == 0
        assert "\x1b" not in outcome.out + outcome.err


@pytest.mark.slow
def test_a_terminal_shows_progress_and_then_the_table(project: Project) -> None:
    """The live view counts trials up and goes away; the table of the best trials stays."""
    project.recipe(
        program="!prog.slow {seconds: 0.1}",
        space="[{at: x, replace: !intv [0, 9]}, {at: y, replace: !intv [0, 9]}]",
        budget="{trials: 12}",
    )
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "automl_cli", "run", "recipe.yaml"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "TERM": "xterm",
            "COLUMNS": "120",
        },
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown = _read(screen, process)
    assert process.returncode == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    counts = [int(n) for n in re.findall(r"(\d+)/12 trials", text)]
    assert counts == sorted(counts)
    assert len({*counts}) > 2
    assert "best score" in text
    assert "running" in text
    table = text.rpartition("the best of 12 trials")[2]
    assert "decisions" in table
    assert "12 completed" in table


def _read(screen: int, process: subprocess.Popen[bytes], seconds: float = 30.0) -> str:
    """All that a process writes to its terminal."""
    found, deadline = b"", time.monotonic() + seconds
    while time.monotonic() < deadline:
        ready, _, _ = select.select([screen], [], [], 0.1)
        try:
            found += os.read(screen, 65536) if ready else b""
        except OSError:  # the other end is closed
            break
    os.close(screen)
    process.wait(timeout=10)
    return found.decode(errors="replace")


# Shipped recipes -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_is_valid(name: str, project: Project) -> None:
    """`automl show` checks it, and says what it is about."""
    found = data(project, "show", name, "--json")
    assert found["objectives"]
    code, out, _ = project("show", name)
    assert code == 0
    assert "decision point" in out or "static program" in out
    assert data(project, "list", "recipes", "--json")
    about = {row["name"]: row["about"] for row in data(project, "list", "recipes", "--json")}
    assert len(about[name]) > 20


def test_a_recipe_shown_as_yaml_is_the_same_recipe(project: Project) -> None:
    """`show --yaml` writes what a recipe extends and its overlays into one file."""
    for name in ("mobilenet/s3", "first_run", "recipe.yaml"):
        costs = data(project, "show", name, "--json")["costs"]
        code, out, _ = project("show", name, "--yaml")
        assert code == 0
        project.write("whole.yaml", out)
        one, other = load_recipe(name), load_recipe("whole.yaml")
        assert Space.compile(one.template).hash == Space.compile(other.template).hash
        for key in ("name", "objectives", "algorithm", "options", "budget", "run", "costs", "seed"):
            assert getattr(one, key) == getattr(other, key), key
        assert data(project, "show", "whole.yaml", "--json")["costs"] == costs


def test_the_schema_knows_what_the_recipes_use() -> None:
    """Every key of every shipped recipe is in the schema, with its type."""
    from automl_cli.commands.schema_command import schema

    types = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
    types |= {"array": list, "object": dict, "null": type(None)}
    properties = schema()["properties"]
    for name in shipped_recipes():
        text = (recipes_root() / f"{name}.yaml").read_text("utf-8")
        keys = yaml.load(text, Loader=_Tagless)
        assert {*keys} <= {*properties}, name
        for key, value in keys.items():
            _fits(value, properties[key], types, f"{name}: {key}")


def _fits(value: Any, schema: dict[str, Any], types: dict[str, Any], where: str) -> None:
    kinds = schema.get("type")
    if kinds is not None:
        named = kinds if isinstance(kinds, list) else [kinds]
        assert isinstance(value, tuple(t for k in named for t in _tuple(types[k]))), where
    if isinstance(value, dict) and schema.get("additionalProperties") is False:
        for key, inner in value.items():
            _fits(inner, schema["properties"][key], types, f"{where}.{key}")


def _tuple(kind: Any) -> tuple[Any, ...]:
    return kind if isinstance(kind, tuple) else (kind,)


class _Tagless(yaml.SafeLoader):
    """Reads our tags as if they were not there."""


_Tagless.add_multi_constructor("!", lambda loader, suffix, node: None)


def test_the_schema_validates(project: Project) -> None:
    """It is a JSON Schema, and tells a good recipe from a bad one."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = data(project, "schema")
    jsonschema.Draft202012Validator.check_schema(schema)
    good = {"program": {}, "objective": {"maximize": "score"}, "budget": {"trials": 5}}
    jsonschema.validate(good, schema)
    for bad in ({**good, "budgte": {}}, {**good, "budget": {"trials": "x"}}, {"objective": {}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, schema)


# Switching -------------------------------------------------------------------------------------


def test_the_lines_of_a_switch(project: Project) -> None:
    """From the static MobileNetV2 to a search: four lines, and an overlay that others use too."""
    found = data(project, "diff", "mobilenet/static", "mobilenet/s1", "--json")
    own = (recipes_root() / "mobilenet/s1.yaml").read_text("utf-8").splitlines()
    lines = [x for x in own if x and not x.startswith(("#", "doc:"))]
    assert sorted(found["added"]) == sorted(lines)
    assert (found["lines_added"], found["lines_removed"]) == (len(lines), 0)
    assert found["overlay_lines"] == [4, 0]
    assert found["points"] == [0, 33]
    assert found["size"] == [1, 3**17 * 2**16]
    assert "program" not in found["changes"], "the space leaves the program as it is"
    code, out, _ = project("diff", "mobilenet/static", "mobilenet/s1")
    assert code == 0
    assert f"+{len(lines)} -0" in out


def test_a_switch_of_algorithm_or_space_is_one_line(project: Project) -> None:
    """The line that changes, and no other."""
    for switch in (["-a", "evolution"], ["--space", "overlays/mobilenet_s2"]):
        found = data(project, "diff", "mobilenet/s1", *switch, "--json")
        assert (found["lines_added"], found["lines_removed"]) == (1, 1)
    assert data(project, "diff", "mobilenet/s1", "mobilenet/s1", "--json")["changes"] == {}


@pytest.mark.parametrize("target", ["switched.yaml", "elsewhere/switched.yaml"])
@pytest.mark.parametrize(
    "switch",
    [
        ["-a", "{name: evolution, population: 7, tournament: 3}"],
        ["--space", "none"],
        ["--space", "other.yaml"],
        ["--space", "+other.yaml", "-a", "evolution"],
        ["--space", "-space.yaml"],
    ],
    ids=" ".join,
)
def test_a_switch_can_be_written(switch: list[str], target: str, project: Project) -> None:
    """The file that it writes is the recipe that the options make, comments and all."""
    project.write("other.yaml", "- at: kind\n  replace: !oneof [a, b]\n")
    text = project.recipe(program="!prog.score {lr: 0.1, kind: a}  # kept").read_text("utf-8")
    text = text.replace("[space.yaml]", "[space.yaml]  # the first space")
    space = "- at: lr\n  replace: !floatv [0.1, 0.2]\n"
    project.write("recipe.yaml", f"# A comment of mine.\n{text}")
    project.write("space.yaml", space)
    code, _, err = project("diff", "recipe.yaml", *switch, "-o", target)
    assert code == 0
    assert f"written: {target}" in err
    written = (project.folder / target).read_text("utf-8")
    assert "# A comment of mine." in written
    assert "# kept" in written
    wanted = data(project, "show", "recipe.yaml", *switch, "--json")
    found = data(project, "show", target, "--json")
    for key in ("program", "points", "space_hash", "objectives", "algorithm", "budget", "run"):
        assert found[key] == wanted[key], key
    assert (project.folder / "recipe.yaml").read_text("utf-8").startswith("# A comment of mine.")


def test_a_switch_can_be_run(project: Project) -> None:
    """`diff --run` runs what it shows."""
    project.write("other.yaml", "- at: kind\n  replace: !oneof [a, b]\n")
    code, out, _ = project("diff", "recipe.yaml", "-a", "evolution", "--run")
    assert code == 0
    assert "evolution" in out
    assert project.states() == {"recipe-evolution-0": "completed"}


def test_what_a_recipe_extends_gives_way(project: Project) -> None:
    """Sections are changed key by key; an objective, or another algorithm, is replaced."""
    project.recipe(
        "base.yaml",
        algorithm="{name: evolution, population: 9, tournament: 2}",
        budget="{trials: 5, seconds: 60}",
    )
    project.write("same.yaml", "extends: base.yaml\nalgorithm: {name: evolution, population: 8}\n")
    project.write(
        "other.yaml",
        "extends: base.yaml\nobjective: {minimize: loss}\nalgorithm: {name: random}\n"
        "budget: {trials: 6}\n",
    )
    same, other = (data(project, "show", f"{n}.yaml", "--json") for n in ("same", "other"))
    assert same["algorithm"] == {"name": "evolution", "population": 8, "tournament": 2}
    assert other["objectives"] == [{"minimize": "loss"}]
    assert other["algorithm"] == {"name": "random"}
    assert other["budget"]["trials"] == 6
    assert other["budget"]["seconds"] == 60


def test_set_changes_any_key(project: Project) -> None:
    """Arguments, sections that are empty, overlays by name, all places of a list at once."""
    project.recipe(run="null", space="null", program="!prog.score {blocks: [1, 2, 3]}")
    found = data(
        project,
        *("show", "recipe.yaml", "--json"),
        *("--set", "run.executor=inline"),
        *("--set", "space=[space.yaml]"),
        *("--set", "program.blocks[*]=7"),
        *("--set", "program.lr=1e-3"),
        *("--set", "objective={minimize: loss}"),
    )
    assert found["run"]["executor"] == "inline"
    assert [p["id"] for p in found["points"]] == ["lr", "depth"]
    assert found["program"] == found["program"] | {"lr": 0.001, "blocks": [7, 7, 7]}
    assert found["objectives"] == [{"minimize": "loss"}]


# The best program ------------------------------------------------------------------------------


@pytest.mark.parametrize("trial", [None, 3])
def test_the_best_program_is_a_recipe(trial: int | None, project: Project) -> None:
    """It runs as one training, and comes to the same result even when that hangs on the seed."""
    project.recipe(
        program="!prog.noise", space="[{at: x, replace: !intv [1, 9]}]", costs="[]", seed="11"
    )
    assert project("run", "recipe.yaml", "--trials", "8", "--study", "mine").code == 0
    chosen = ["--trial", str(trial)] if trial is not None else []
    found = data(project, "best", "mine", *chosen, "--json")
    code, out, err = project("best", "mine", *chosen, "-o", "static.yaml")
    assert (code, out) == (0, "")
    assert "written: static.yaml" in err
    text = (project.folder / "static.yaml").read_text("utf-8")
    assert text.startswith(f"# Trial {found['trial']} of mine: score ")
    assert "space" not in text
    assert "executor: inline" in text
    again = data(project, "run", "static.yaml", "--no-mlflow", "--json")
    assert again["counts"]["completed"] == 1
    for metric in ("score", "more"):
        assert again["best"]["metrics"][metric] == found["metrics"][metric]


def test_trial_seeds_differ_and_the_first_is_the_study_s() -> None:
    """The law that lets a static recipe repeat a trial."""
    seeds = [trial_seed(seed, trial) for seed in range(20) for trial in range(500)]
    assert len({*seeds}) == len(seeds)
    assert trial_seed(12, 0) == 12
    assert trial_seed(trial_seed(12, 345), 0) == trial_seed(12, 345)
    assert 0 <= trial_seed(-3, 1) < 2**31


def test_the_best_program_can_be_trained_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a study of its own each time, from a recipe beside the ledger."""
    monkeypatch.setattr(Session, "_projection", lambda *_: None)
    assert project("run", "recipe.yaml").code == 0
    best = data(project, "best", "--json")
    name = f"recipe-random-0-trial-{best['trial']}"
    for _ in range(2):
        again = data(project, "best", "recipe-random-0", "--train", "--json")
        assert again["best"]["metrics"]["score"] == best["metrics"]["score"]
    assert set(project.states()) == {"recipe-random-0", name, f"{name}-2"}
    code, out, _ = project("best", "recipe-random-0", "--train", "-o", "mine.yaml")
    assert code == 0
    assert "score" in out
    assert (project.folder / "mine.yaml").exists()


def test_best_says_what_there_is_not(project: Project) -> None:
    """No ledger, no such study, no such trial, nothing completed: exit code 2 and a hint."""
    assert project("best").code == 2
    assert project("run", "recipe.yaml").code == 0
    code, _, err = project("best", "recipe-randm-0")
    assert code == 2
    assert "did you mean recipe-random-0?" in err
    assert project("best", "--trial", "99").code == 2
    assert project("best", "--top", "0").code == 2
    project.recipe(program="!prog.fault {how: none}", space="[{at: x, replace: !intv [1, 3]}]")
    assert project("run", "recipe.yaml", "--study", "bad").code == 1
    code, _, err = project("best", "bad")
    assert code == 2
    assert "no trial of bad has completed" in err


def test_reading_commands_write_nothing(project: Project) -> None:
    """Without a ledger none is made."""
    before = project.files()
    for command in (["list"], ["show", "recipe.yaml"], ["best"], ["list", "studies"], ["report"]):
        project(*command)
    assert project.files() == before


# Starting out ----------------------------------------------------------------------------------


def test_init_writes_a_search_that_runs(project: Project) -> None:
    """Into a new folder; what is there is not overwritten unless that is asked for."""
    code, out, err = project("init", "new")
    assert (code, out) == (0, "")
    assert "automl run new/recipe.yaml" in err
    assert project("show", "new/recipe.yaml").code == 0
    outcome = project("run", "new/recipe.yaml", "--no-mlflow", "--executor", "inline")
    assert outcome.code == 0
    assert len(project.trials()) == 40
    project.write("new/train.py", "mine = 1\n")
    code, _, err = project("init", "new")
    assert code == 2
    assert "--force" in err
    assert (project.folder / "new/train.py").read_text("utf-8") == "mine = 1\n"
    assert project("init", "new", "--force").code == 0
    assert "def train" in (project.folder / "new/train.py").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("automl ru", {"run"}),
        ("automl run mob", {n for n in shipped_recipes() if n.startswith("mob")}),
        ("automl run rec", {"recipe.yaml"}),
        ("automl run ./rec", {"./recipe.yaml"}),
        ("automl run x --algorithm evo", {"evolution"}),
        ("automl run x --space +overlays/mob", {f"+{n}" for n in shipped_overlays() if "mob" in n}),
        ("automl list stu", {"studies"}),
        ("automl best rec", {"recipe-random-0"}),
    ],
)
def test_the_shell_completes(words: str, expected: set[str], project: Project) -> None:
    """Commands, recipes, files, algorithms, overlays and studies, as the shell asks for them."""
    assert project("run", "recipe.yaml").code == 0
    done = subprocess.run(
        [sys.executable, "-m", "automl_cli"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            "_AUTOML_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    found = {line.partition(",")[2] for line in done.stdout.splitlines()}
    assert expected <= found
    assert all(n.startswith(words.rsplit(maxsplit=1)[-1]) for n in found)


def test_the_completion_script_names_the_command(project: Project) -> None:
    """Of every shell that is offered."""
    for shell in ("bash", "zsh", "fish"):
        code, out, _ = project("completion", shell)
        assert code == 0
        assert "_AUTOML_COMPLETE" in out


@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["run", "--help"],
        ["show", "first_run"],
        ["show", "mobilenet/s1", "--space", "+overlays/mobilenet_s2"],
        ["diff", "mobilenet/static", "mobilenet/s1"],
        ["list"],
        ["schema"],
    ],
    ids=" ".join,
)
def test_quick_commands_import_nothing_heavy(command: list[str], project: Project) -> None:
    """Programs are checked from their text."""
    code = (
        "import sys\nfrom automl_cli.__main__ import main\n"
        f"code = main({command!r})\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "[]"


def test_every_command_has_help(project: Project) -> None:
    """And the table of commands has a line for each, laid out as it is written."""
    from automl_cli.cli import COMMANDS

    code, out, _ = project("--help")
    assert code == 0
    assert "\\b" not in out
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", out, re.M)
        code, text, _ = project(name, "--help")
        assert code == 0
        assert "\\b" not in text
        assert "Usage: automl" in text
