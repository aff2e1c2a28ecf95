"""What constraints that shape the reward are to an algorithm of weight sharing."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_cli.checks import checked_algorithm, shaping_options
from automl_cli.recipe import load_recipe
from automl_cli.recipe_text import lines
from automl_spaces.space import Space


def _load(algorithm: str, constraints: str) -> tuple[list[str], dict[str, object], object]:
    recipe = load_recipe(
        "cells/topology", algorithm=algorithm, settings=[f"constraints={constraints}"]
    )
    space = Space.compile(recipe.template)
    return list(lines(recipe, space)), shaping_options(recipe), checked_algorithm(recipe, space)


@pytest.mark.parametrize(
    ("reward", "shape", "beta"), [("absolute", "absolute", -0.07), ("soft", "mnas", -0.07),
                                  ("hard", "mnas_hard", -1.0)],
)  # fmt: skip
def test_tunas_takes_the_reward_as_its_own(
    reward: str, shape: str, beta: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same line of a recipe means the same, and `show` says as what."""
    monkeypatch.chdir(tmp_path)
    shown, options, algorithm = _load("tunas", f"{{params: {{max: 1.0e6, reward: {reward}}}}}")
    assert options == {"shape": shape, "beta": beta}
    assert algorithm.shape == shape  # type: ignore[attr-defined]
    assert algorithm.options.beta == beta  # type: ignore[attr-defined]
    assert f"  as tunas's shape: {shape}, beta: {beta:g}" in shown


def test_its_own_options_come_first() -> None:
    """What the recipe says of the algorithm itself is not changed."""
    _, _, algorithm = _load("{name: tunas, beta: -3}", "{params: {max: 1.0e6, reward: hard}}")
    assert algorithm.options.beta == -3  # type: ignore[attr-defined]


def test_rewards_that_differ_leave_the_bounds() -> None:
    """One shape is all that it has."""
    two = "{madds: {max: 1.0e6, reward: hard}, params: {max: 1.0e6, reward: soft}}"
    shown, options, _ = _load("tunas", two)
    assert options == {}
    assert "  tunas holds the bounds by its own options; rewards act in trials" in shown


def test_other_algorithms_have_options_of_their_own() -> None:
    """The bounds reach them as ever."""
    shown, options, _ = _load("rsps", "{params: {max: 1.0e6, reward: hard}}")
    assert options == {}
    assert "  rsps holds the bounds by its own options; rewards act in trials" in shown
