"""Figures of a search: plain data in, a matplotlib Figure out, in one style.

Figures are made without pyplot, so nothing is global and no window system is needed: call
`figure.savefig`. Values are those of a metric, as a person reads them; None stands for a trial
that has none, because it failed. Colours are those of Okabe and Ito (2008), which people with
any kind of colour vision can tell apart.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from automl_spaces.objective import Objective

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, GRID = "#333333", "#8C8C8C", "#E6E6E6"
DOT, BEST, FAILED = "#56B4E9", "#0072B2", "#D55E00"
CYCLE: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLE: Final[dict[str, Any]] = {
    "axes.axisbelow": True,
    "axes.edgecolor": FAINT,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "figure.dpi": 120,
    "font.size": 9,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
    "savefig.dpi": 160,
    "text.color": INK,
    "xtick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.color": FAINT,
    "ytick.labelcolor": INK,
}
MAX_SLICES: Final = 12
_MAX_DOTS: Final = 5000
_MAX_KINDS: Final = 10  # numbers of more different values are drawn on a scale
_LOG_RATIO: Final = 100.0  # a positive range that is wider is drawn on a logarithmic axis


def best_so_far(values: Sequence[float | None], objective: Objective) -> list[float]:
    """The best value after each trial; NaN before the first that has one."""
    curve: list[float] = []
    best = math.nan
    for value in values:
        if value is not None and (math.isnan(best) or objective.better(value, best)):
            best = value
        curve.append(best)
    return curve


def search_curve(
    values: Sequence[float | None], objective: Objective, title: str = "Search"
) -> Figure:
    """Every trial as a dot in the order of finishing, the best so far as a line.

    A few hopeless trials must not flatten the rest: what is far worse than most lies at the edge
    of the picture, and failed trials are ticks below it.
    """
    with canvas(7.0, 4.0) as figure:
        axes = figure.add_subplot(title=title, xlabel="trial", ylabel=objective.metric)
        curve = best_so_far(values, objective)
        shown = [v for v in values if v is not None]
        if shown:
            low, high = _window(shown, objective)
            dots = [(i, min(max(v, low), high)) for i, v in enumerate(values, 1) if v is not None]
            axes.scatter(*_columns(_thinned(dots)), s=12, color=DOT, alpha=0.7, linewidths=0)
            axes.step(range(1, len(curve) + 1), curve, where="post", color=BEST, linewidth=1.8)
            _mark_best(axes, values, curve[-1])
            _limits(axes, low, high)
        failures = [i for i, v in enumerate(values, 1) if v is None]
        if failures:
            axes.plot(
                failures, [0.0] * len(failures), "|", color=FAILED, markersize=6, clip_on=False,
                transform=axes.get_xaxis_transform(), label=f"{len(failures)} without a result",
            )  # fmt: skip
            axes.legend(loc="best", handletextpad=0.2)
        axes.set_xlim(0.5, max(len(values), 1) + 0.5)
    return figure


def pareto_front(
    values: Sequence[tuple[float, float]],
    front: Sequence[int],
    objectives: tuple[Objective, Objective],
    title: str = "Pareto front",
) -> Figure:
    """Two objectives against each other; `front` holds the positions of the best trade-offs."""
    with canvas(6.0, 4.5) as figure:
        first, second = objectives
        axes = figure.add_subplot(title=title, xlabel=second.metric, ylabel=first.metric)
        axes.scatter(
            *_columns(_thinned([(y, x) for x, y in values])),
            s=12, color=DOT, alpha=0.7, linewidths=0,
        )  # fmt: skip
        best = sorted((values[i][1], values[i][0]) for i in front)
        if best:
            axes.plot(*_columns(best), "o-", color=BEST, linewidth=1.4, markersize=4.5,
                      label=f"{len(best)} best trade-offs")  # fmt: skip
            axes.legend(loc="best")
    return figure


def slices(
    decisions: Sequence[Mapping[str, Any]],
    values: Sequence[float | None],
    objective: Objective,
    title: str = "Decisions",
) -> Figure:
    """One small picture per decision: its value against the metric, darker means later.

    Decisions that never vary are left out, and so are those after the first twelve: put the
    mapping's keys in the order of their importance.
    """
    pairs = [(d, v) for d, v in zip(decisions, values, strict=True) if v is not None]
    keys = [k for k in dict.fromkeys(k for d, _ in pairs for k in d) if _varies(pairs, k)]
    keys = keys[:MAX_SLICES]
    columns = max(1, min(4, len(keys)))
    rows = max(1, math.ceil(len(keys) / columns))
    with canvas(max(3.6, 2.6 * columns), 0.5 + 2.2 * rows) as figure:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
        window = _window([v for _, v in pairs], objective) if pairs else (0.0, 1.0)
        for place, key in enumerate(keys, 1):
            axes = figure.add_subplot(rows, columns, place)
            _slice(axes, pairs, key, window)
            if (place - 1) % columns == 0:
                axes.set_ylabel(objective.metric)
            else:
                axes.tick_params(axis="y", labelleft=False)
    return figure


def importances(weights: Mapping[str, float], title: str = "Importance") -> Figure:
    """How much each decision matters for the metric, the most important first."""
    top = sorted(weights.items(), key=lambda item: -item[1])[:20]
    with canvas(6.0, 1.0 + 0.26 * max(len(top), 1)) as figure:
        axes = figure.add_subplot(title=title, xlabel="importance, as a share of 1")
        names = [short(name, 44) for name, _ in top]
        bars = axes.barh(range(len(top)), [weight for _, weight in top], color=BEST, height=0.7)
        axes.set_yticks(range(len(top)), names)
        axes.bar_label(bars, fmt="%.2f", padding=3, color=FAINT)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.1)
    return figure


@contextmanager
def canvas(width: float, height: float) -> Iterator[Figure]:
    """A figure of a size in inches; what is drawn inside of the block is in our style."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):  # type: ignore[arg-type] # matplotlib lists 300 literal keys
        yield Figure(figsize=(width, height), layout="constrained")


def _slice(
    axes: Axes,
    pairs: Sequence[tuple[Mapping[str, Any], float]],
    key: str,
    window: tuple[float, float],
) -> None:
    low, high = window
    found = _thinned([(d[key], v, i) for i, (d, v) in enumerate(pairs) if key in d])
    kinds = sorted({x for x, _, _ in found}, key=_order)
    if len(kinds) > _MAX_KINDS and all(map(_is_number, kinds)):
        places = [float(x) for x, _, _ in found]
        if kinds[0] > 0 and kinds[-1] / kinds[0] > _LOG_RATIO:
            axes.set_xscale("log")
    else:
        jitter = random.Random(0)
        places = [kinds.index(x) + jitter.uniform(-0.18, 0.18) for x, _, _ in found]
        axes.set_xticks(range(len(kinds)), [short(str(kind), 12) for kind in kinds])
        axes.set_xlim(-0.5, len(kinds) - 0.5)
        axes.grid(visible=False, axis="x")
        if sum(len(str(kind)) for kind in kinds) > 24:
            axes.tick_params(axis="x", labelrotation=60)
    heights = [min(max(v, low), high) for _, v, _ in found]
    axes.scatter(
        places, heights, c=[i for _, _, i in found], cmap="Blues", vmin=-len(pairs) / 2,
        s=10, linewidths=0,
    )  # fmt: skip
    axes.set_title(short(key, 30), fontsize=8)
    _limits(axes, low, high)


def _mark_best(axes: Axes, values: Sequence[float | None], best: float) -> None:
    if math.isnan(best):
        return
    place = values.index(best) + 1
    axes.plot([place], [best], "o", color=BEST, markersize=6)
    left = place > len(values) / 2
    axes.annotate(
        f"{best:.5g}", (place, best), xytext=(-8 if left else 8, -12), color=BEST,
        textcoords="offset points", ha="right" if left else "left", weight="bold",
    )  # fmt: skip


def _window(values: Sequence[float], objective: Objective) -> tuple[float, float]:
    """The range worth showing: the best, and at most three interquartile ranges below most."""
    ordered = sorted(values)
    n = len(ordered)
    lower, upper = ordered[n // 4], ordered[(3 * n) // 4]
    reach = 3.0 * (upper - lower)
    low, high = ordered[0], ordered[-1]
    if reach > 0 and objective.direction == "maximize":
        low = max(low, lower - reach)
    elif reach > 0:
        high = min(high, upper + reach)
    return low, high


def _limits(axes: Axes, low: float, high: float) -> None:
    margin = 0.09 * (high - low) or 0.05 * abs(high) or 0.05
    axes.set_ylim(low - margin, high + margin)


def _varies(pairs: Sequence[tuple[Mapping[str, Any], float]], key: str) -> bool:
    return len({repr(d[key]) for d, _ in pairs if key in d}) > 1


def _thinned(items: Sequence[Any]) -> list[Any]:
    """At most `_MAX_DOTS` of the items, evenly."""
    if len(items) <= _MAX_DOTS:
        return list(items)
    return [items[i * len(items) // _MAX_DOTS] for i in range(_MAX_DOTS)]


def _columns(rows: Sequence[tuple[float, ...]]) -> tuple[list[float], list[float]]:
    return [row[0] for row in rows], [row[1] for row in rows]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _order(value: Any) -> tuple[bool, float, str]:
    """Numbers by size, then labels by name."""
    return not _is_number(value), value if _is_number(value) else 0.0, str(value)


def short(text: str, limit: int) -> str:
    """The end of a name tells more than its beginning."""
    return text if len(text) <= limit else f"…{text[1 - limit :]}"
