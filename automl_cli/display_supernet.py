"""What is seen of a supernet while it is trained: how far it is, and what its policy prefers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from automl_algorithms.weight_sharing.derivation import preferred
from automl_algorithms.weight_sharing.identified import entropy
from automl_cli.formats import duration, number, short_name
from automl_cli.policies import Policy, has_learned, most_decided

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from automl_algorithms.weight_sharing.loop import Record
    from automl_cli.shared_search import SharedSearch
    from automl_spaces.space import Space

_FEW: Final = 8  # decisions: then all of them are shown
_ENDS: Final = 3  # else so many of the most and of the least decided ones


class SupernetView:
    """The training of a supernet, as far as it has been heard of.

    Args:
        space: whose decisions the policy is about.
        search: its counters are read while it runs.
    """

    def __init__(self, space: Space, search: SharedSearch) -> None:
        self.space, self.search = space, search
        self.steps, self.epochs = search.loop.steps, search.loop.epochs
        self.record: Record | None = None
        self._names: dict[int, str] = {}
        self._began: tuple[float, int] | None = None  # when, and at which step this process did

    def hear(self, record: Record) -> None:
        """Take note of the latest record."""
        self.record = record

    def line(self) -> str:
        """Where the training stands, in one line."""
        done = self.search.step
        parts = [f"supernet: step {done}/{self.steps}, epoch {self._epoch()}/{self.epochs}"]
        if self.record is not None:
            parts += [f"{name} {number(value)}" for name, value in self.record.metrics.items()]
        left = self._left()
        return ", ".join(parts) + (f"; {duration(left)} left" if left else "")

    def render(self) -> RenderableType:
        """The live view."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        done, left = self.search.step, self._left()
        if done >= self.steps:
            return Text("  supernet trained; deriving records ...", style="dim")
        head = Table.grid(padding=(0, 1))
        head.add_row(
            ProgressBar(total=self.steps, completed=done, width=32),
            Text(f"supernet {done}/{self.steps} steps"),
            Text(f"epoch {self._epoch()}/{self.epochs}", style="dim"),
            Text(f"{duration(left)} left" if left else "", style="dim"),
        )
        rows: list[RenderableType] = [head]
        if self.record is not None:
            metrics = (f"{name} {number(value)}" for name, value in self.record.metrics.items())
            rows.append(Text("  " + "  ".join(metrics), no_wrap=True, overflow="ellipsis"))
            if has_learned(self.record.policy):
                rows.append(self._decisions(self.record.policy))
        return Group(*rows)

    def _decisions(self, policy: Policy) -> Table:
        """What the policy prefers; of many decisions those that it is most and least sure of."""
        from rich.table import Table

        order = most_decided(policy)
        shown = order if len(order) <= _FEW else [*order[:_ENDS], None, *order[-_ENDS:]]
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("  decision", overflow="ellipsis", no_wrap=True, max_width=40)
        table.add_column("now", overflow="ellipsis", no_wrap=True, max_width=30)
        table.add_column("probability", justify="right", no_wrap=True)
        table.add_column("entropy", justify="right", no_wrap=True)
        for index in shown:
            if index is None:
                table.add_row("  ...")
                continue
            chances, point = policy[index], self.space.points[index]
            best = preferred(chances)
            table.add_row(
                "  " + self._name(index),
                str(point.show(point.at(best))),
                f"{chances[best]:.3f}",
                f"{entropy(chances):.3f}",
            )
        return table

    def _name(self, index: int) -> str:
        if index not in self._names:
            points = self.space.points
            self._names[index] = short_name(points[index].id, [p.id for p in points])
        return self._names[index]

    def _epoch(self) -> int:
        return min(self.search.loop.feed.epoch + 1, self.epochs)

    def _left(self) -> float | None:
        """Seconds, by the steps of this process; None while nothing is known."""
        now, done = time.monotonic(), self.search.step
        if self._began is None:
            self._began = now, done
        began, before = self._began
        if done <= before:
            return None
        return (now - began) / (done - before) * (self.steps - done)
