"""Pictures of several searches side by side, in the style of `plots`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Final, Literal

from automl_cli.plots import BEST, CYCLE, DOT, FAINT, INK, canvas, short
from automl_spaces.objective import Objective

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from automl_cli.report_curves import Band, Floats

_Place = Literal["best", "lower right", "upper right"]

_STYLES: Final = [(c, line) for line in ("-", "--", ":") for c in CYCLE]
_LOWEST, _LOW, _MIDDLE, _HIGH, _HIGHEST = range(5)  # of `report_curves.QUANTILES`
_WARM_UP: Final = 0.05  # the share of the x axis that does not decide the range of the y axis
_BINS: Final = 30
_INSIDE: Final = 7  # lines of a legend that the axes have room for


def bands(
    curves: Mapping[str, Band],
    objective: Objective,
    x: str = "trial",
    title: str = "Best so far",
    *,
    wide: bool = False,
) -> Figure:
    """The median over seeds of the best so far, and the half of the seeds around it.

    Args:
        wide: shade also where nine of ten seeds are.
    """
    drawn = {name: band for name, band in curves.items() if len(band.x)}
    with canvas(7.0, 4.2 + _legend_height(len(drawn))) as figure:
        axes = figure.add_subplot(title=title, xlabel=x, ylabel=f"best {objective.metric}")
        for (name, band), (colour, line) in zip(drawn.items(), cycle(_STYLES), strict=False):
            levels = band.levels
            if wide:
                axes.fill_between(band.x, levels[_LOWEST], levels[_HIGHEST], step="post",
                                  color=colour, alpha=0.12, linewidth=0)  # fmt: skip
            axes.fill_between(band.x, levels[_LOW], levels[_HIGH], step="post", color=colour,
                              alpha=0.18, linewidth=0)  # fmt: skip
            axes.step(band.x, levels[_MIDDLE], line, where="post", color=colour, label=name)
        if drawn:
            _frame(axes, list(drawn.values()), objective, wide=wide)
        if len(drawn) > 1:
            place: _Place = "lower right" if objective.direction == "maximize" else "upper right"
            _legend(figure, len(drawn), place)
    return figure


def finals(values: Sequence[float], objective: Objective, title: str = "Final values") -> Figure:
    """How the final values of the seeds are distributed, with their quartiles."""
    import numpy as np

    with canvas(7.0, 2.8) as figure:
        axes = figure.add_subplot(title=title, xlabel=f"best {objective.metric}", ylabel="seeds")
        told = [v for v in values if math.isfinite(v)]
        if told:
            axes.hist(told, bins=min(_BINS, max(5, len(told) // 3)), color=DOT, edgecolor="white")
            low, middle, high = np.quantile(told, (0.25, 0.5, 0.75))
            axes.axvspan(low, high, color=BEST, alpha=0.12, linewidth=0)
            axes.axvline(middle, color=BEST, linewidth=1.8)
            axes.annotate(
                f"median {middle:.5g}", (middle, 1.0), xycoords=("data", "axes fraction"),
                xytext=(0, 3), textcoords="offset points", ha="center", color=BEST, weight="bold",
            )  # fmt: skip
        axes.grid(visible=False, axis="x")
    return figure


def reached(spent: Mapping[str, Floats], cost: str, title: str) -> Figure:
    """The share of the seeds that have reached a target, over what they had spent until then.

    Args:
        spent: per group, float64 [seeds]; infinite for a seed that never reached it.
    """
    import numpy as np

    with canvas(7.0, 3.6 + _legend_height(len(spent))) as figure:
        axes = figure.add_subplot(title=title, xlabel=cost, ylabel="share of the seeds")
        end = max((float(s[np.isfinite(s)].max(initial=0.0)) for s in spent.values()), default=0.0)
        for (name, values), (colour, line) in zip(spent.items(), cycle(_STYLES), strict=False):
            there = np.sort(values[np.isfinite(values)])
            shares = np.arange(len(there) + 1) / max(len(values), 1)
            places = np.concatenate([[0.0], there, [end]])
            axes.step(places, [*shares, shares[-1]], line, where="post", color=colour, label=name)
        axes.set_ylim(0.0, 1.02)
        if end:
            axes.set_xlim(0.0, end)
        if spent:
            _legend(figure, len(spent), "best")
    return figure


def ranks(means: Mapping[str, float], blocks: int, title: str = "Mean rank") -> Figure:
    """The mean rank of each algorithm, the best on top."""
    with canvas(6.0, 1.1 + 0.3 * max(len(means), 1)) as figure:
        axes = figure.add_subplot(title=title, xlabel=f"mean rank over {blocks} searches of each")
        places = range(len(means))
        axes.hlines(places, 1.0, list(means.values()), color=FAINT, linewidth=1.0)
        axes.plot(list(means.values()), places, "o", color=BEST, markersize=6)
        for place, mean in enumerate(means.values()):
            axes.annotate(f"{mean:.2f}", (mean, place), xytext=(7, 0), va="center",
                          textcoords="offset points", color=INK)  # fmt: skip
        axes.set_yticks(places, [short(name, 44) for name in means])
        axes.set_xticks(range(1, len(means) + 1))
        axes.set_xlim(0.9, len(means) + 0.4)
        axes.set_ylim(-0.6, len(means) - 0.4)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
    return figure


def fronts(
    points: Mapping[str, Sequence[tuple[float, ...]]],
    objectives: tuple[Objective, Objective],
    reference: Sequence[float] | None = None,
    title: str = "Pareto fronts over all seeds",
) -> Figure:
    """The fronts of groups, of all their seeds together; the first objective is upright."""
    first, second = objectives
    with canvas(6.0, 4.5 + _legend_height(len(points))) as figure:
        axes = figure.add_subplot(title=title, xlabel=second.metric, ylabel=first.metric)
        for (name, front), (colour, line) in zip(points.items(), cycle(_STYLES), strict=False):
            ordered = sorted((p[1], p[0]) for p in front)
            axes.plot([x for x, _ in ordered], [y for _, y in ordered], line, color=colour,
                      marker="o", markersize=4, linewidth=1.3, label=name)  # fmt: skip
        if reference is not None:
            axes.plot([reference[1]], [reference[0]], "x", color=INK, label="reference")
        if points:
            _legend(figure, len(points), "best")
    return figure


def beside_published(
    rows: Mapping[str, tuple[tuple[float, float], tuple[float, float]]], metric: str, title: str
) -> Figure:
    """Our means and standard deviations beside the published ones: by name, (ours, published)."""
    with canvas(7.0, 1.2 + 0.42 * max(len(rows), 1)) as figure:
        axes = figure.add_subplot(title=title, xlabel=f"{metric}, mean ± standard deviation")
        for offset, colour, label, which in (
            (-0.13, BEST, "ours", 0),
            (0.13, FAINT, "published", 1),
        ):
            axes.errorbar(
                [pair[which][0] for pair in rows.values()],
                [place + offset for place in range(len(rows))],
                xerr=[pair[which][1] for pair in rows.values()],
                fmt="o", color=colour, markersize=5, capsize=3, label=label,
            )  # fmt: skip
        axes.set_yticks(range(len(rows)), [short(name, 44) for name in rows])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        if rows:
            axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)
    return figure


def _legend_height(count: int) -> float:
    """Inches that a legend below the axes takes; a short one has room inside of them."""
    return 0.19 * math.ceil(count / 2) if count > _INSIDE else 0.0


def _legend(figure: Figure, count: int, place: _Place) -> None:
    if count > _INSIDE:
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    else:
        figure.axes[0].legend(loc=place)


def _frame(axes: Axes, drawn: Sequence[Band], objective: Objective, *, wide: bool) -> None:
    """The first trials are far worse than the rest and must not flatten it."""
    start = min(float(band.x[0]) for band in drawn)
    end = max(float(band.x[-1]) for band in drawn)
    axes.set_xlim(start, end if end > start else start + 1.0)
    low, high = (_LOWEST, _HIGHEST) if wide else (_LOW, _HIGH)
    warm = start + _WARM_UP * (end - start)
    settled = [band.levels[:, band.x >= min(warm, band.x[-1])] for band in drawn]
    worst = min(float(levels[low].min()) for levels in settled)
    best = max(float(levels[high].max()) for levels in settled)
    margin = 0.05 * (best - worst) or 0.05 * abs(best) or 0.05
    axes.set_ylim(worst - margin, best + margin)
