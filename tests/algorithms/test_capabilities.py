"""What an algorithm cannot search is refused before the run, with the point and a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_algorithms import catalogue
from automl_algorithms.contract import Capabilities, check_capabilities, kinds
from automl_spaces.choices import floatv, oneof
from automl_spaces.errors import Mark, UserError
from automl_spaces.objective import Objective
from automl_spaces.space import Space
from tests.algorithms.driving import ONE, TWO
from tests.algorithms.spaces import space_of


def test_every_shortfall_is_told_at_once() -> None:
    """Continuous, conditional and grouped points are each named by their first occurrence."""
    nothing = Capabilities(continuous=False, conditional=False, groups=False)
    with pytest.raises(UserError) as caught:
        check_capabilities("fancy", nothing, space_of("mixed"), TWO, Mark("r.yaml", 4, 12))
    lines = str(caught.value).splitlines()
    assert [line.split(": ", 2)[2].split(":")[0] for line in lines] == [
        "fancy cannot search optimizer(adam).lr",
        "fancy cannot search optimizer(adam).lr",
        "fancy cannot search augment[0]",
        "fancy takes at most 1 objective(s), got accuracy, latency (these can",
    ]
    assert all(line.startswith("r.yaml:4:12: algorithm: ") for line in lines)
    assert lines[-1].endswith("(these can: bayesian, nsga2, random)")


def test_a_grid_needs_a_resolution_for_a_continuous_point() -> None:
    """The capability depends on the option, and the hint names who needs none."""
    from automl_algorithms.multi_trial.grid import Grid

    space = space_of("numbers")
    with pytest.raises(UserError, match="grid cannot search lr: it is continuous"):
        check_capabilities("grid", Grid().capabilities, space, ONE)
    check_capabilities("grid", Grid(resolution=2).capabilities, space, ONE)


def test_any_number_of_objectives() -> None:
    """None means no limit."""
    many = [Objective(f"m{i}") for i in range(9)]
    check_capabilities("x", Capabilities(max_objectives=None), space_of("cells"), many)


@pytest.mark.parametrize("name", catalogue.names())
def test_capabilities_are_known_without_an_import(name: str) -> None:
    """What the catalogue tells is what the class has."""
    assert catalogue.capabilities(name) == catalogue.load(name).capabilities


def test_capabilities_are_read_from_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an algorithm that shares weights, whose import would be that of torch."""
    source = tmp_path / "narrow.py"
    source.write_text(
        "import not_installed\n\nclass Narrow:\n    name = 1\n"
        "    capabilities = Capabilities(continuous=False, groups=False)\n"
    )
    found = catalogue.Entry("narrow", "weight_sharing", "narrow", "Narrow", source)
    monkeypatch.setattr(catalogue, "entry", lambda _: found)
    assert catalogue.capabilities("narrow") == Capabilities(continuous=False, groups=False)


@pytest.mark.parametrize(
    ("space", "kind", "sharing"),
    [
        (Space.compile({"optimizer": {"lr": floatv(0.1, 1.0)}}), "learning_rate", "hypergradient"),
        (
            Space.compile({"optimizer": oneof([{"weight_decay": floatv(0.1, 1.0)}, 1])}),
            "weight_decay",
            None,  # a choice of optimisers, too: no gradient tells of it
        ),
        (
            Space.compile({"augment": [{"alpha": floatv(0.1, 1.0)}]}),
            "augmentation",
            "implicit_gradients",
        ),
        (
            Space.compile({"label_smoothing": floatv(0.1, 1.0)}),
            "augmentation",
            "implicit_gradients",
        ),
        (Space.compile({"model": {"p": floatv(0.1, 1.0)}}), "architecture", None),
    ],
)
def test_who_takes_no_such_decision_is_not_told_of(
    space: Space, kind: str, sharing: str | None
) -> None:
    """What takes a range of one kind of numbers need not take one of another kind."""
    assert kinds(space.points) == {kind}
    with pytest.raises(UserError) as caught:
        check_capabilities("autohas", catalogue.capabilities("autohas"), space, ONE)
    told = caught.value.problems[-1].hint.removeprefix("these can: ").split(", ")
    assert [name for name in told if name in catalogue.names("weight_sharing")] == [
        "autohas_differentiable",
        *([] if sharing is None else [sharing]),
    ]
    assert "random" in told


def test_a_name_may_tell_nothing() -> None:
    """Then nobody is left out."""
    assert not kinds(Space.compile({"optimizer": oneof([1, 2]), "x": floatv(0.0, 1.0)}).points)


def test_who_shares_weights_is_told_of_its_like_first() -> None:
    """And others are not told of them: whether a program can be taken apart is not known here."""
    wide = Capabilities(max_objectives=0)
    for name, ours in (("tunas", True), ("random", False)):
        with pytest.raises(UserError) as caught:
            check_capabilities(name, wide, space_of("cells"), ONE)
        hint = caught.value.problems[0].hint.removeprefix("these can: ").split(", ")
        assert ("rsps" in hint) is ours
        assert "evolution" in hint
        assert not ours or hint.index("rsps") < hint.index("evolution")


def test_the_place_of_a_point_is_told() -> None:
    """Where it was written, if it was."""
    space = space_of("numbers")
    point = next(p for p in space.points if p.cardinality is None)
    point.mark = Mark("overlay.yaml", 3, 12)
    with pytest.raises(UserError, match=rf"search {point.id}: .*\), at overlay.yaml:3:12"):
        check_capabilities("x", Capabilities(continuous=False), space, ONE)
