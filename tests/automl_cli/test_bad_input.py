"""Mistakes of the user: one message each, where it was made, with what was probably meant.

Nothing is run or written then, and the exit code is 2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.automl_cli.command_line import RECIPE, Project, as_text

USUAL = {k: v for k, v in RECIPE.items() if k not in ("run", "tracking")}  # a line each, from 1
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 8)
)


class Case(NamedTuple):
    """A wrong recipe or command line, and what is said of it.

    Args:
        keys: what is different from the usual recipe. Its keys stand in lines 1 to 6: imports,
            program, space, objective, algorithm, budget; further ones follow.
        expected: one text for each message: the place where it begins, and what it contains,
            separated by ` | `.
        arguments: of the command line, after the recipe.
        files: further files; `recipe.yaml` stands for the recipe as a whole.
    """

    name: str
    keys: Mapping[str, str | None]
    expected: list[str]
    arguments: tuple[str, ...] = ()
    files: Mapping[str, str] = {}


CASES = [
    # Names
    Case(
        "tag: name in a module",
        {"program": "!prog.scroe {lr: 0.1}"},
        ["recipe.yaml:2:10 | scroe | did you mean score?"],
    ),
    Case(
        "tag: bare name",
        {"program": "!Clasifier {epochs: 1}"},
        ["recipe.yaml:2:10 | Clasifier | did you mean Classifier?"],
    ),
    Case(
        "arguments",
        {"program": "!prog.score {lrr: 0.1, depht: 2}"},
        [
            "recipe.yaml:2:23 | no argument lrr | did you mean lr?",
            "recipe.yaml:2:33 | no argument depht | did you mean depth?",
        ],
    ),
    Case(
        "algorithm",
        {"algorithm": "evolutoin"},
        ["recipe.yaml:5:12 | evolutoin | did you mean evolution?"],
    ),
    Case(
        "algorithm on the command line",
        {},
        ["--algorithm evolutoin | did you mean evolution?"],
        ("--algorithm", "evolutoin"),
    ),
    Case(
        "algorithm's option",
        {"algorithm": "{name: evolution, tournment: 10}"},
        ["recipe.yaml:5:30 | no option tournment | did you mean tournament?"],
    ),
    Case(
        "algorithm's option: type",
        {"algorithm": "{name: evolution, tournament: many}"},
        ["recipe.yaml:5:30 | algorithm.tournament | int | 'many'"],
    ),
    Case(
        "algorithm's option: range",
        {"algorithm": "{name: evolution, population: 5, tournament: 99}"},
        ["recipe.yaml:5:1 | algorithm | between 1 and population (5), got 99"],
    ),
    Case(
        "algorithm that cannot search this",
        {"algorithm": "grid"},
        ["recipe.yaml:5:1 | grid cannot search lr: it is continuous | random"],
    ),
    Case(
        "recipe's key",
        {"objectve": "{maximize: score}"},
        ["recipe.yaml:7:1 | objectve | did you mean objective?"],
    ),
    Case(
        "section's key",
        {"budget": "{trails: 4}"},
        ["recipe.yaml:6:10 | budget.trails | did you mean trials?"],
    ),
    Case(
        "cost",
        {"costs": "[madds, parms]"},
        ["recipe.yaml:7 | there is no cost parms | did you mean params?"],
    ),
    Case(
        "constraint's cost",
        {"constraints": "{parms: {max: 10}}"},
        ["recipe.yaml:7 | there is no cost parms | did you mean params?"],
    ),
    Case(
        "executor",
        {"run": "{executor: pol}"},
        ["recipe.yaml:7:1 | run | there is no executor pol | did you mean pool?"],
    ),
    Case("executor on the command line", {}, ["did you mean inline?"], ("--executor", "inlin")),
    Case(
        "children",
        {"tracking": "{children: bst}"},
        ["recipe.yaml:7:22 | tracking.children | did you mean best?"],
    ),
    # Types and ranges
    Case(
        "types of a section",
        {"budget": "{trials: many, seconds: soon}"},
        [
            "recipe.yaml:6:18 | budget.trials | expected int or null, got 'many'",
            "recipe.yaml:6:33 | budget.seconds | expected float or null, got 'soon'",
        ],
    ),
    Case(
        "types of keys",
        {"seed": "0.5", "baseline": "no"},
        [
            "recipe.yaml:7:7 | seed | expected int, got 0.5",
            "recipe.yaml:8:11 | baseline | expected bool, got 'no'",
        ],
    ),
    Case(
        "types of arguments",
        {"program": "!prog.score {lr: fast, depth: 2.5}"},
        [
            "recipe.yaml:2:23 | lr | expected float, got str 'fast'",
            "recipe.yaml:2:33 | depth | expected int, got float 2.5",
        ],
    ),
    Case(
        "type of a candidate",
        {"space": "[{at: depth, replace: !oneof [1, deep]}]"},
        ["recipe.yaml:3 | depth | expected int | 'deep'"],
    ),
    Case(
        "no program in the program",
        {"program": "{lr: 0.1}"},
        ["recipe.yaml:2:10 | program | !Name"],
    ),
    Case(
        "empty choice",
        {"space": "[{at: depth, replace: !oneof []}]"},
        ["recipe.yaml:3:30 | no candidates"],
    ),
    Case(
        "ranges",
        {"space": "[{at: lr, replace: !floatv [1.0, 0.1]}, {at: depth, replace: !intv [4, 1]}]"},
        [
            "recipe.yaml:3:27 | min 1.0 is above max 0.1",
            "recipe.yaml:3:69 | min 4 is above max 1",
        ],
    ),
    Case(
        "logarithm of 0",
        {"space": "[{at: lr, replace: !floatv [0.0, 0.1, log]}]"},
        ["recipe.yaml:3:27 | log scale needs min above 0, not 0.0"],
    ),
    Case(
        "constraint's range",
        {"constraints": "{params: {min: 10, max: 1}}"},
        ["recipe.yaml:7:23 | constraints.params | min 10 is above max 1"],
    ),
    Case(
        "constraint's bound",
        {"constraints": "{params: {max: many}}"},
        ["recipe.yaml:7:29 | constraints.params | expected a number, got 'many'"],
    ),
    Case(
        "budget of 0",
        {"budget": "{trials: 0}"},
        ["recipe.yaml:6:18 | budget.trials | at least 1, not 0"],
    ),
    Case(
        "budget of 0 on the command line",
        {},
        ["--set budget.trials=0 | at least 1, not 0"],
        ("--trials", "0"),
    ),
    Case(
        "limits that are no limits",
        {"run": "{workers: 0, timeout: 0, retries: -1}"},
        [
            "recipe.yaml:7:16 | run.workers | at least 1, not 0",
            "recipe.yaml:7:28 | run.timeout | not 0",
            "recipe.yaml:7:40 | run.retries | at least 0, not -1",
        ],
    ),
    Case("seconds that are no number", {"budget": "{seconds: .nan}"}, ["recipe.yaml:6:19 | nan"]),
    Case(
        "seed that no file can hold",
        {"seed": str(2**70)},
        ["recipe.yaml:7:7 | seed | 64 bits"],
    ),
    Case(
        "overlay's keys",
        {"space": "[far.yaml]"},
        [
            "far.yaml:2:3 | replac | did you mean replace?",
            "far.yaml:1:3 | a rule needs | at, replac",
        ],
        files={"far.yaml": "- at: lr\n  replac: !floatv [1, 2]\n"},
    ),
    # What is missing
    Case("no objective", {"objective": None}, ["recipe.yaml | objective | {maximize: metric}"]),
    Case(
        "objective in other words",
        {"objective": "{maximise: score}"},
        ["recipe.yaml:4:12 | objective | did you mean maximize?"],
    ),
    Case("no budget", {"budget": None}, ["recipe.yaml | budget | {trials: 25}"]),
    Case("empty budget", {"budget": "{trials: null}"}, ["recipe.yaml:6:1 | budget | trials"]),
    Case("no program", {"program": None}, ["recipe.yaml | program | !Name"]),
    Case(
        "cost of a program that has none",
        {"costs": "[madds]"},
        ["recipe.yaml:7:1 | costs | unknown before training"],
    ),
    # Overlays
    Case(
        "overlays that match nothing",
        {"space": "[{at: block, replace: 1}, {at: depht, replace: 1}]"},
        [
            "recipe.yaml:3:14 | block matches nothing",
            "recipe.yaml:3:39 | depht matches nothing | did you mean depth?",
        ],
    ),
    Case(
        "an overlay file that matches nothing",
        {"space": "[far.yaml]"},
        ["far.yaml:2:7 | dept matches nothing | did you mean depth?"],
        files={"far.yaml": "# A comment.\n- at: dept\n  replace: !intv [1, 4]\n"},
    ),
    Case(
        "mistakes in two files",
        {"space": "[one.yaml, two.yaml]", "sed": "1"},
        [
            "one.yaml:1:7 | lrr matches nothing | did you mean lr?",
            "recipe.yaml:7:1 | sed | did you mean seed?",
            "two.yaml:2:12 | min 4 is above max 1",
        ],
        files={
            "one.yaml": "- at: lrr\n  replace: !floatv [1, 2]\n",
            "two.yaml": "- at: depth\n  replace: !intv [4, 1]\n",
        },
    ),
    # Files
    Case("missing recipe", {}, ["recpie.yaml | did you mean recipe?"], ("recpie.yaml",)),
    Case("missing shipped recipe", {}, ["mobilenet/s7 | mobilenet/s"], ("mobilenet/s7",)),
    Case(
        "missing base",
        {"extends": "bas.yaml"},
        ["recipe.yaml:7:10 | there is no recipe bas.yaml | did you mean base?"],
        files={"base.yaml": "seed: 1\n"},
    ),
    Case(
        "missing overlay",
        {"space": "[spcae.yaml]"},
        ["recipe.yaml:3:9 | there is no overlay spcae.yaml | did you mean space?"],
    ),
    Case(
        "missing overlay on the command line",
        {},
        ["--space +overlays/mobilenet_s9 | did you mean overlays/mobilenet_s"],
        ("--space", "+overlays/mobilenet_s9"),
    ),
    Case(
        "overlay that is not there to take away",
        {},
        ["--space -overlays/mobilenet_s1 | not in the space"],
        ("--space", "-overlays/mobilenet_s1"),
    ),
    Case(
        "a ring of recipes",
        {"extends": "b.yaml"},
        ["c.yaml:1:10 | recipe.yaml -> b.yaml -> c.yaml -> recipe.yaml"],
        files={"b.yaml": "extends: c.yaml\n", "c.yaml": "extends: recipe.yaml\n"},
    ),
    Case(
        "mistakes in what is extended",
        {"extends": "b.yaml", "program": None},
        ["b.yaml:1:23 | no argument lrr", "b.yaml:2:1 | sede | did you mean seed?"],
        files={"b.yaml": "program: !prog.score {lrr: 1}\nsede: 2\n"},
    ),
    Case("empty recipe", {}, ["recipe.yaml | empty"], files={"recipe.yaml": ""}),
    Case("list as a recipe", {}, ["recipe.yaml:1:1 | mapping"], files={"recipe.yaml": "- a\n"}),
    # YAML
    Case(
        "keys written twice",
        {},
        [
            "recipe.yaml:5:1 | seed | written twice; first at line 3",
            "recipe.yaml:6:21 | trials | written twice; first at line 6",
        ],
        files={
            "recipe.yaml": "imports: [prog]\nprogram: !prog.score\nseed: 1\n"
            "objective: {maximize: score}\nseed: 2\nbudget: {trials: 1, trials: 2}\n"
        },
    ),
    Case("YAML bomb", {}, ["recipe.yaml:5:5 | aliases"], files={"recipe.yaml": BOMB}),
    Case(
        "deep nesting",
        {},
        ["recipe.yaml:1 | deep"],
        files={"recipe.yaml": "a: " + "[" * 100_000 + "\n"},
    ),
    Case(
        "not YAML",
        {},
        ["recipe.yaml:2:2 | not valid YAML"],
        files={"recipe.yaml": "a: [1\nb: 2\n"},
    ),
    Case(
        "key that is no name",
        {},
        ["recipe.yaml:1:3 | a key must be a plain value"],
        files={"recipe.yaml": "? [a, b]\n: 2\n"},
    ),
    # Code
    Case(
        "Python's own tag",
        {"program": "!!python/object/apply:os.system ['touch pwned']"},
        ["recipe.yaml:2:10 | !!python/object/apply:os.system is not allowed"],
    ),
    Case(
        "Python's own tag in an argument",
        {"program": "!prog.score {lr: !!python/object/apply:os.system ['touch pwned']}"},
        ["recipe.yaml:2:27 | !!python/object/apply:os.system is not allowed"],
    ),
    Case(
        "module that is not imported",
        {"program": "!os.system {command: 'touch pwned'}"},
        ["recipe.yaml:2:10 | os is not listed under imports | imports: [prog, os]"],
    ),
    Case(
        "module inside of an imported one",
        {"imports": "[logging]", "program": "!logging.os.system {command: 'touch pwned'}"},
        ["recipe.yaml:2:10 | logging has no callable os.system of its own"],
    ),
    Case(
        "module that raises",
        {"imports": "[broken]", "program": "!broken.train"},
        ["recipe.yaml:2:10 | cannot import broken | RuntimeError: no licence"],
        files={"broken.py": "raise RuntimeError('no licence')\n"},
    ),
    Case(
        "module that is not there",
        {"imports": "[brokn]", "program": "!brokn.train"},
        ["recipe.yaml:2:10 | cannot import brokn | No module named 'brokn'"],
    ),
    # --set
    Case("--set without =", {}, ["--set seed | path=value"], ("--set", "seed")),
    Case("--set without a path", {}, ["--set =1 | path=value"], ("--set", "=1")),
    Case("--set of no path", {}, ["--set a[=1 | not a path"], ("--set", "a[=1")),
    Case(
        "--set of an argument that is not there",
        {},
        ["--set program.lrr=1 | no argument lrr | did you mean lr?"],
        ("--set", "program.lrr=1"),
    ),
    Case(
        "--set of a key that is not there",
        {},
        ["--set programm.lr=1 | no key programm | did you mean program?"],
        ("--set", "programm.lr=1"),
    ),
    Case(
        "--set of a section's key that is not there",
        {},
        ["--set budget.trails=3 | budget.trails | did you mean trials?"],
        ("--set", "budget.trails=3"),
    ),
    Case(
        "--set of a place that is not there",
        {},
        ["--set space[3]=space.yaml | space[3]"],
        ("--set", "space[3]=space.yaml"),
    ),
    Case(
        "--set of a wrong type", {}, ["--set seed=x | expected int, got 'x'"], ("--set", "seed=x")
    ),
    Case("--set of no YAML", {}, ["--set seed=[1 | not valid YAML"], ("--set", "seed=[1")),
    Case("--set extends", {}, ["--set extends=x | extends"], ("--set", "extends=x")),
    # All at once
    Case(
        "five mistakes",
        {
            "program": "!prog.score {lrr: 0.1}",
            "objective": "{max: score}",
            "algorithm": "{name: evolution, tournment: 1}",
            "budget": "{trails: 1}",
            "seed": "x",
        },
        [
            "recipe.yaml:2:23 | lrr",
            "recipe.yaml:4:12 | objective",
            "recipe.yaml:5:30 | tournment",
            "recipe.yaml:6:10 | trails",
            "recipe.yaml:7:7 | seed",
        ],
    ),
]


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """An empty folder but for a program and an overlay."""
    return Project(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_mistake_is_told_where_it_was_made(case: Case, project: Project) -> None:
    """Exit code 2, the expected messages and no others, each with its line, nothing written."""
    project.write("recipe.yaml", as_text({**USUAL, **case.keys}))
    for name, text in case.files.items():
        project.write(name, text)
    before = project.files()
    names_recipe = case.arguments and not case.arguments[0].startswith("-")
    arguments = case.arguments if names_recipe else ("recipe.yaml", *case.arguments)
    code, out, err = project("run", *arguments)

    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    assert project.files() == before
    messages = [line for line in err.splitlines() if not line.startswith("      ")]
    assert len(messages) == len(case.expected), err
    for expected in case.expected:
        place, *words = expected.split(" | ")
        at_place = (
            [m for m in messages if m.removeprefix("error: ").startswith(place)]
            or [m for m in messages if not words and place in m]
            or [m for m in messages if m.startswith("error: ") and place in m]
        )
        assert any(all(word in m for word in words) for m in at_place), (expected, err)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_line_is_shown_with_a_caret(case: Case, project: Project) -> None:
    """Below each message with a place stands that line, and a caret under that column."""
    project.write("recipe.yaml", as_text({**USUAL, **case.keys}))
    for name, text in case.files.items():
        project.write(name, text)
    lines = project("run", "recipe.yaml", *case.arguments).err.splitlines()
    for i, line in enumerate(lines):
        place = re.match(r"(\w+\.yaml):(\d+):(\d+): ", line)
        if place is None:
            continue
        source = (project.folder / place[1]).read_text("utf-8").splitlines()[int(place[2]) - 1]
        indent = len(source) - len(source.lstrip())
        assert lines[i + 1].strip() == source.strip()[: len(lines[i + 1].strip())]
        assert lines[i + 2].index("^") == 6 + int(place[3]) - 1 - indent


def test_an_unknown_command_or_option_names_the_nearest(project: Project) -> None:
    """The command line itself is checked in the same way."""
    for arguments, hint in (
        (["rnu"], "did you mean run?"),
        (["run", "x", "--trails", "3"], "--trials"),
    ):
        code, _, err = project(*arguments)
        assert code == 2
        assert hint in err


@pytest.mark.parametrize("command", ["show", "diff"])
def test_other_commands_say_the_same(command: str, project: Project) -> None:
    """A wrong recipe is wrong whatever is done with it."""
    project.recipe(algorithm="evolutoin")
    code, _, err = project(command, "recipe.yaml", *["space.yaml"] * (command == "diff"))
    assert code == 2
    assert "recipe.yaml:5:12" in err
    assert "did you mean evolution?" in err


def test_files_that_cannot_be_written_are_told(project: Project) -> None:
    """A file in the place of a folder is a message and no traceback."""
    project.recipe()
    assert project("run", "recipe.yaml").code == 0
    for arguments in (
        ["best", "-o", "prog.py/best.yaml"],
        ["diff", "recipe.yaml", "-a", "evolution", "-o", "prog.py/new.yaml"],
        ["init", "prog.py"],
    ):
        code, _, err = project(*arguments)
        assert code == 2, arguments
        assert "cannot write prog.py" in err


def test_a_folder_that_is_no_ledger_is_told(project: Project) -> None:
    """`.automl` may be something else already."""
    project.recipe()
    project.write(".automl", "mine")
    code, _, err = project("run", "recipe.yaml")
    assert code == 2
    assert ".automl" in err
    assert (project.folder / ".automl").read_text("utf-8") == "mine"
