"""Figures: what is drawn is what was given, and every strange input can be drawn."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from typing import Any

import pytest

from automl_cli import plots
from automl_spaces.objective import Objective

ACCURACY, LOSS = Objective("accuracy"), Objective("loss", "minimize")


def test_best_so_far() -> None:
    """The best after each trial, in either direction; failed trials keep it."""
    values = [0.5, None, 0.25, 0.75]
    assert plots.best_so_far(values, ACCURACY) == [0.5, 0.5, 0.5, 0.75]
    assert plots.best_so_far(values, LOSS) == [0.5, 0.5, 0.25, 0.25]
    assert math.isnan(plots.best_so_far([None, 1.0], LOSS)[0])


def test_search_curve_draws_dots_line_and_failures() -> None:
    """A dot per result, the best so far as a line, a tick per failure."""
    figure = plots.search_curve([0.5, None, 0.25, 0.75], ACCURACY, "title")
    (axes,) = figure.axes
    (dots,) = axes.collections
    assert dots.get_offsets().tolist() == [[1, 0.5], [3, 0.25], [4, 0.75]]
    assert list(axes.lines[0].get_ydata()) == [0.5, 0.5, 0.5, 0.75]
    assert axes.get_title(loc="left") == "title"
    assert axes.get_legend().get_texts()[0].get_text() == "1 without a result"
    assert axes.texts[0].get_text() == "0.75"


def test_a_hopeless_trial_does_not_flatten_the_others() -> None:
    """A loss of a million is drawn at the edge of the losses that matter."""
    values = [1.0 + i / 100 for i in range(50)] + [1e6]
    (axes,) = plots.search_curve(values, LOSS).axes
    assert axes.get_ylim()[1] < 10
    assert len(axes.collections[0].get_offsets()) == 51


def test_slices_draw_each_decision_that_varies() -> None:
    """Numbers on a scale (logarithmic when wide), labels side by side, constants not at all."""
    decisions: list[dict[str, Any]] = [
        {"lr": 10.0 ** (-i / 10), "width": i / 7, "op": "ab"[i % 2], "fixed": 3} for i in range(30)
    ]
    values = [float(i) for i in range(30)]
    drawn = {a.get_title(loc="left"): a for a in plots.slices(decisions, values, LOSS).axes}
    assert set(drawn) == {"lr", "width", "op"}
    assert drawn["lr"].get_xscale() == "log"
    assert drawn["width"].get_xscale() == "linear"
    assert [t.get_text() for t in drawn["op"].get_xticklabels()] == ["a", "b"]
    assert len(drawn["op"].collections[0].get_offsets()) == 30


def test_slices_draw_twelve_at_most() -> None:
    """A space of a hundred decisions stays readable."""
    decisions = [{f"d{k}": i * k for k in range(1, 100)} for i in range(5)]
    figure = plots.slices(decisions, [float(i) for i in range(5)], ACCURACY)
    assert [a.get_title(loc="left") for a in figure.axes] == [f"d{k}" for k in range(1, 13)]


def test_importances_are_sorted() -> None:
    """The most important one is on top."""
    (axes,) = plots.importances({"a": 0.2, "b": 0.8}).axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["b", "a"]
    assert [bar.get_width() for bar in axes.patches] == [0.8, 0.2]


def test_pareto_front_joins_the_best() -> None:
    """The second objective is on the horizontal axis, and only the front is joined."""
    values = [(0.9, 5.0), (0.8, 1.0), (0.7, 6.0)]
    (axes,) = plots.pareto_front(values, [0, 1], (ACCURACY, Objective("ms", "minimize"))).axes
    assert list(axes.lines[0].get_xdata()) == [1.0, 5.0]
    assert list(axes.lines[0].get_ydata()) == [0.8, 0.9]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("ms", "accuracy")


@pytest.mark.parametrize(
    "figure",
    [
        lambda: plots.search_curve([], ACCURACY),
        lambda: plots.search_curve([None, None], ACCURACY),
        lambda: plots.search_curve([1.0], LOSS),
        lambda: plots.search_curve([0.5] * 10, LOSS),
        lambda: plots.search_curve([0.1 * i for i in range(20_000)], LOSS),
        lambda: plots.slices([], [], ACCURACY),
        lambda: plots.slices([{"a": 1}, {"b": "x"}], [1.0, 2.0], ACCURACY),
        lambda: plots.slices([{"a": 1}, {"a": "x"}, {"a": True}], [1.0, 2.0, None], ACCURACY),
        lambda: plots.slices([{"$_{^": "$x"}, {"$_{^": "$y"}], [1.0, 2.0], ACCURACY),
        lambda: plots.importances({}),
        lambda: plots.pareto_front([], [], (ACCURACY, LOSS)),
    ],
)
def test_every_input_can_be_drawn(figure: Any) -> None:
    """Nothing, one value, equal values, many, mixed kinds, and names that look like formulas."""
    image = io.BytesIO()
    figure().savefig(image, format="png", dpi=40)
    assert image.getvalue().startswith(b"\x89PNG")


def test_importing_plots_is_cheap() -> None:
    """Matplotlib is imported when something is drawn."""
    script = "import sys, automl_cli.plots; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
