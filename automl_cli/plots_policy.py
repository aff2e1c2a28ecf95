"""A picture of how a policy came to be: a row for each candidate, the darker the likelier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from automl_algorithms.weight_sharing.derivation import preferred
from automl_cli.plots import FAINT, INK, canvas, short
from automl_cli.policies import Policy, most_decided

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_DECISIONS: Final = 40
_MOST_ROWS: Final = 240  # candidates of all decisions together
_MOST_COLUMNS: Final = 300
_ROW: Final = 0.11  # inches


def policy(
    steps: Sequence[int],
    policies: Sequence[Policy],
    decisions: Mapping[int, tuple[str, Sequence[str]]],
    title: str = "Policy",
) -> Figure:
    """The probabilities of the candidates over the steps of the search.

    Of many decisions those are shown that the policy is most sure of in the end, in the order of
    the program; on the right stands what each of them prefers then.

    Args:
        steps: ascending, from 1; probabilities hold from one to the next.
        policies: after each of these steps.
        decisions: by index, the name of the decision and of its candidates.
    """
    last = policies[-1]
    shown, rows = [], 0
    for index in most_decided(last)[:MOST_DECISIONS]:
        if rows + len(last[index]) <= _MOST_ROWS:
            shown.append(index)
            rows += len(last[index])
    shown.sort()
    places = _thinned(len(steps))
    edges = [0, *(steps[place] for place in places)]
    bands = [[p[index][k] for p in (policies[i] for i in places)]
             for index in shown for k in range(len(last[index]))]  # fmt: skip
    with canvas(8.0, 1.2 + max(_ROW * rows, 0.24 * len(shown))) as figure:
        axes = figure.add_subplot(title=title, xlabel="step")
        axes.grid(visible=False)
        if bands:
            mesh = axes.pcolormesh(
                edges, range(rows + 1), bands, cmap="Blues", vmin=0, vmax=1, rasterized=True
            )
            figure.colorbar(mesh, ax=axes, label="probability", fraction=0.04, aspect=40)
        axes.set_ylim(max(rows, 1), 0)
        _label(axes, last, shown, decisions)
    return figure


def _label(
    axes: Axes,
    last: Policy,
    shown: Sequence[int],
    decisions: Mapping[int, tuple[str, Sequence[str]]],
) -> None:
    """Names on the left, the present preference on the right, lines between decisions."""
    middles, names, right = [], [], axes.get_xlim()[1]
    top = 0
    for index in shown:
        name, labels = decisions[index]
        best = preferred(last[index])
        middles.append(top + len(last[index]) / 2)
        names.append(short(name, 36))
        axes.text(
            right, top + best + 0.5, f" {short(labels[best], 18)} {last[index][best]:.2f}",
            va="center", color=INK, fontsize=6.5, clip_on=False,
        )  # fmt: skip
        top += len(last[index])
        axes.axhline(top, color=FAINT, linewidth=0.6)
    axes.set_yticks(middles, names, fontsize=7)
    axes.tick_params(axis="y", length=0)


def _thinned(count: int) -> list[int]:
    """At most `_MOST_COLUMNS` of so many places, evenly, the last one among them."""
    stride = -(-count // _MOST_COLUMNS)
    return list(range(count - 1, -1, -stride))[::-1]
