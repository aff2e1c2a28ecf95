"""Pictures of several searches: what is drawn is what was given, and anything can be drawn."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from automl_cli import plots_comparison as plots
from automl_cli.report_curves import Band
from automl_spaces.objective import Objective

ACCURACY, LOSS = Objective("accuracy"), Objective("loss", "minimize")
EMPTY = Band(np.empty(0), np.empty((5, 0)))


def _band(*middle: float) -> Band:
    x = np.arange(1.0, len(middle) + 1)
    return Band(x, np.array([[m + d for m in middle] for d in (-2, -1, 0, 1, 2)], np.float64))


def test_bands_draw_medians_and_the_half_around_them() -> None:
    """A line and a shade per group; groups without a curve are left out."""
    given = {"a": _band(1, 2, 3), "b": _band(4, 5), "none": EMPTY}
    (axes,) = plots.bands(given, ACCURACY, "seconds", "title").axes
    assert [list(line.get_ydata()) for line in axes.lines] == [[1, 2, 3], [4, 5]]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["a", "b"]
    assert len(axes.collections) == 2
    assert axes.collections[0].get_paths()[0].get_extents().ymin == 0.0
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("seconds", "best accuracy")


def test_the_first_trials_do_not_flatten_the_rest() -> None:
    """Twenty times worse for the first of a hundred trials: outside of the picture."""
    (axes,) = plots.bands({"a": _band(-2000.0, *[100.0] * 99)}, ACCURACY).axes
    low, high = axes.get_ylim()
    assert (low > 90, high < 110) == (True, True)


def test_a_group_alone_shows_nine_tenths_of_its_seeds() -> None:
    """Two shades, and no legend that names the only line."""
    (axes,) = plots.bands({"a": _band(1, 2)}, ACCURACY, wide=True).axes
    assert len(axes.collections) == 2
    assert axes.get_legend() is None


def test_finals_are_counted() -> None:
    """Every seed with a result is in one bar, the median is marked."""
    (axes,) = plots.finals([1.0, 2.0, 3.0, float("nan"), 9.0], LOSS).axes
    bars = [p for p in axes.patches if p.get_height() in (0, 1, 2, 3)]
    assert sum(bar.get_height() for bar in bars if bar.get_width() > 0) >= 4
    assert axes.texts[0].get_text() == "median 2.5"


def test_shares_that_reached_a_target() -> None:
    """A step up for each seed; one that never reached it keeps the share below 1."""
    (axes,) = plots.reached({"a": np.array([5.0, np.inf, 2.0, 8.0])}, "trials", "t").axes
    assert list(axes.lines[0].get_xdata()) == [0, 2, 5, 8, 8]
    assert list(axes.lines[0].get_ydata()) == [0, 0.25, 0.5, 0.75, 0.75]


def test_ranks_and_published_keep_their_order() -> None:
    """The first on top."""
    (axes,) = plots.ranks({"good": 1.2, "bad": 1.8}, 30).axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["good", "bad"]
    assert [t.get_text() for t in axes.texts] == ["1.20", "1.80"]
    pairs = {"REA": ((91.3, 0.29), (91.25, 0.31)), "RANDOM": ((91.1, 0.27), (91.07, 0.26))}
    (axes,) = plots.beside_published(pairs, "accuracy", "t").axes
    ours, theirs = (container.lines[0] for container in axes.containers)
    assert list(ours.get_xdata()) == [91.3, 91.1]
    assert list(theirs.get_xdata()) == [91.25, 91.07]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_fronts_and_reference() -> None:
    """Each front in the order of the second objective, which is on the horizontal axis."""
    points = {"a": [(0.9, 5.0), (0.8, 1.0)]}
    (axes,) = plots.fronts(points, (ACCURACY, LOSS), (0.1, 9.0)).axes
    assert list(axes.lines[0].get_xdata()) == [1.0, 5.0]
    assert list(axes.lines[0].get_ydata()) == [0.8, 0.9]
    assert axes.lines[1].get_xydata().tolist() == [[9.0, 0.1]]


@pytest.mark.parametrize(
    "figure",
    [
        lambda: plots.bands({}, ACCURACY),
        lambda: plots.bands({"a": EMPTY}, LOSS),
        lambda: plots.bands({"a": _band(1.0)}, LOSS),
        lambda: plots.bands({f"$_{{^{i}": _band(1.0, 1.0) for i in range(30)}, LOSS),
        lambda: plots.finals([], LOSS),
        lambda: plots.finals([1.0] * 500, LOSS),
        lambda: plots.reached({}, "trials", "t"),
        lambda: plots.reached({"a": np.array([np.inf])}, "trials", "t"),
        lambda: plots.ranks({}, 0),
        lambda: plots.fronts({}, (ACCURACY, LOSS)),
        lambda: plots.beside_published({}, "m", "t"),
    ],
)
def test_every_input_can_be_drawn(figure: Any) -> None:
    """Nothing, one value, equal values, many groups, names that look like formulas."""
    image = io.BytesIO()
    figure().savefig(image, format="png", dpi=40)
    assert image.getvalue().startswith(b"\x89PNG")
