"""The section `constraints:`: its spellings, and what is said of a wrong one."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from automl_algorithms.constraints import Constraint
from automl_cli.recipe import load_recipe
from automl_cli.recipe_constraints import as_data, read_constraints, told
from automl_spaces.errors import Problems, UserError
from automl_spaces.yaml_reader import compose
from automl_spaces.yaml_writer import dump


def _read(text: str) -> tuple[dict[str, Constraint], list[str]]:
    node, problems = compose(text, "r.yaml"), Problems()
    assert node is not None
    found = read_constraints(node, problems)
    return found, [str(problem) for problem in problems.found]


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("<= 0.3", -math.inf, 0.3),
        ("<=3e8", -math.inf, 3e8),
        ("'>= 1'", 1.0, math.inf),
        ("0.2 .. 0.3", 0.2, 0.3),
        ("0.2..0.3", 0.2, 0.3),
        (".. 0.3", -math.inf, 0.3),
        ("1 ..", 1.0, math.inf),
        ("-1 .. 1", -1.0, 1.0),
        ("{max: 0.3}", -math.inf, 0.3),
        ("{min: 0.2, max: 0.3}", 0.2, 0.3),
    ],
)
def test_bounds(text: str, low: float, high: float) -> None:
    """A bound in words is the bound of the mapping."""
    found, problems = _read(f"madds: {text}\n")
    assert (found, problems) == ({"madds": Constraint(low, high)}, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{max: 2, reward: hard}", Constraint(high=2.0, reward="hard", weight=-1.0)),
        ("{max: 2, reward: soft}", Constraint(high=2.0, reward="soft", weight=-0.07)),
        ("{min: 2, reward: absolute, weight: -3}", Constraint(2.0, math.inf, "absolute", -3.0)),
    ],
)
def test_rewards(text: str, expected: Constraint) -> None:
    """Each has a weight of its own; the metric may be one that only the program knows."""
    assert _read(f"anything: {text}\n") == ({"anything": expected}, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("madd: <= 3", "r.yaml:1:1: constraints.madd: there is no cost madd (did you mean madds?"),
        ("made_up: <= 3", "the program returns needs {..., reward: hard, soft or absolute}"),
        ("madds: 3", "r.yaml:1:8: constraints.madds: expected <= 0.3, '>= 1', 0.2 .. 0.3"),
        ("madds: 3", "did you mean <= 3?"),
        ("madds: < 3", "did you mean <= 3?"),
        ("madds: '> 3'", "did you mean '>= 3'?"),
        ("madds: <= many", "expected a number, got 'many'"),
        ("madds: 1 .. b", "expected a number, got 'b'"),
        ("madds: ..", "expected <= 0.3"),
        ("madds: <= nan", "expected a number, got 'nan'"),
        ("madds: [1, 2]", "r.yaml:1:8: constraints.madds: expected <= 0.3"),
        ("madds: 3 .. 2", "min 3 is above max 2"),
        ("madds: {}", "expected <= 0.3"),
        ("madds: {maxi: 3}", "r.yaml:1:9: constraints.madds.maxi: a constraint has no key maxi"),
        ("madds: {max: '3'}", "expected a number, got '3'"),
        ("madds: {max: true}", "expected a number, got True"),
        ("madds: {max: 3, reward: sofd}", "one of hard, soft, absolute (did you mean soft?)"),
        ("madds: {max: 3, weight: -1}", "a weight needs a reward"),
        ("madds: {reward: hard}", "expected <= 0.3"),
        ("madds: {max: 3, reward: hard, weight: 1}", "must not be positive"),
        ("madds: {max: 0, reward: hard}", "needs bounds above 0"),
        ("[madds]", "r.yaml:1:1: constraints: expected {cost: <= 0.3}"),
    ],
)
def test_mistakes(text: str, said: str) -> None:
    """Each is one message, at its place."""
    _, problems = _read(f"{text}\n")
    assert len(problems) == 1
    assert said in problems[0]


def test_all_mistakes_at_once() -> None:
    """Not one after the other."""
    _, problems = _read("madd: <= 3\nparams: 3\nmadds: {max: 3, reward: no}\n")
    assert len(problems) == 3


@pytest.mark.parametrize("text", ["madds: >= 1\n", "{madds: >= 1}\n", "a: 1\nmadds: >= 1\n"])
def test_a_bound_from_below_needs_quotes(text: str) -> None:
    """To YAML it is the beginning of a folded text; the message says what to do."""
    with pytest.raises(UserError, match=r"not valid YAML.*stands in quotes: '>= 1'"):
        compose(text, "r.yaml")


@pytest.mark.parametrize(
    "constraint",
    [Constraint(high=0.3), Constraint(0.2, 0.3), Constraint(low=2.0, reward="soft", weight=-0.5)],
)
def test_what_is_written_reads_back(constraint: Constraint) -> None:
    """The recipe that is kept with a study means the same."""
    assert _read(dump({"madds": as_data(constraint)})) == ({"madds": constraint}, [])


def test_as_a_person_reads_it() -> None:
    """Bounds, and what becomes of what is outside."""
    constraints = {"a": Constraint(high=2.0), "b": Constraint(1.0, 2.0, "hard", -1.0)}
    assert list(told(constraints)) == ["a <= 2", "b 1 .. 2, hard reward (weight -1)"]


BASE = """\
extends: mobilenet/static
constraints:
  madds: {max: 4.0e+6, reward: hard, weight: -2}
  params: <= 1.0e6
"""


@pytest.mark.parametrize(
    ("own", "set_", "expected"),
    [
        ("madds: <= 3.9e+6", (), {"madds": Constraint(high=3.9e6), "params": Constraint(high=1e6)}),
        ("params: null", (), {"madds": Constraint(high=4e6, reward="hard", weight=-2.0)}),
        (
            "params: null",
            ("constraints.madds={max: 3.9e+6, reward: soft}",),
            {"madds": Constraint(high=3.9e6, reward="soft", weight=-0.07)},
        ),
        ("params: null", ("constraints={madds: <= 3.9e+6}",), {"madds": Constraint(high=3.9e6)}),
        (
            "params: null",
            ("constraints.madds.max=3.9e+6",),
            {"madds": Constraint(high=3.9e6, reward="hard", weight=-2.0)},
        ),
    ],
)
def test_a_bound_replaces_the_one_that_is_extended(
    own: str,
    set_: tuple[str, ...],
    expected: dict[str, Constraint],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its reward too; null takes it away; only a path to one end changes a part of it."""
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(BASE, encoding="utf-8")
    Path("own.yaml").write_text(f"extends: base.yaml\nconstraints: {{{own}}}\n", encoding="utf-8")
    assert load_recipe("own.yaml", settings=set_).constraints == expected
