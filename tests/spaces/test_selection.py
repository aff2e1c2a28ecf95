"""Which decision points a pattern means."""

from __future__ import annotations

import pytest

from automl_spaces.choices import intv, manyof, oneof
from automl_spaces.errors import UserError
from automl_spaces.selection import select
from automl_spaces.space import Space

SPACE = Space.compile(
    {
        "model": {
            "blocks": [{"kernel": oneof([3, 5]), "size": intv(1, 3)} for _ in range(3)],
            "tied": [oneof([1, 2], name="shared"), oneof([1, 2], name="shared")],
        },
        "models": oneof(["a", "b"]),
        "augment": manyof(2, ["flip", "crop", "blur"]),
        "optimizer": oneof({"sgd(fast)": {"lr": oneof([1, 2])}, "adam": {"lr": oneof([3, 4])}}),
    }
)


def _ids(pattern: str) -> set[str]:
    return {SPACE.points[i].id for i in select(SPACE, pattern)}


@pytest.mark.parametrize(
    ("pattern", "ids"),
    [
        ("models", {"models"}),
        ("model.blocks[1]", {"model.blocks[1].kernel", "model.blocks[1].size"}),
        ("model.blocks[*].kernel", {f"model.blocks[{i}].kernel" for i in range(3)}),
        ("model.blocks[1:].size", {"model.blocks[1].size", "model.blocks[2].size"}),
        ("**.kernel", {f"model.blocks[{i}].kernel" for i in range(3)}),
        ("augment[0]", {"augment[0]", "augment[1]"}),
        ("optimizer.lr", {"optimizer(sgd(fast)).lr", "optimizer(adam).lr"}),
        ("optimizer(adam)", {"optimizer(adam).lr"}),
        ("shared", {"shared"}),
        ("model.tied[1]", {"shared"}),
    ],
)
def test_patterns(pattern: str, ids: set[str]) -> None:
    """Places, wildcards, spans, slots together, candidates' insides, names by name and place."""
    assert _ids(pattern) == ids


def test_a_prefix_is_a_whole_key() -> None:
    """`model` is not `models`."""
    assert {id.partition(".")[0] for id in _ids("model")} == {"model", "shared"}


def test_everything_is_meant_by_two_stars() -> None:
    """`**` is all of the space."""
    assert len(_ids("**")) == len(SPACE.points)


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [("modell", "model"), ("model.block[*].kernel", "kernel"), ("optimiser", "optimizer")],
)
def test_the_nearest_place_is_named(pattern: str, hint: str) -> None:
    """Also for a pattern with wildcards."""
    with pytest.raises(UserError, match=rf"no decision point is at .*did you mean .*{hint}"):
        select(SPACE, pattern)
