"""A search while it runs: a live view on a terminal, at most one line a trial elsewhere.

The live view is drawn by a thread of its own from counters, so it costs a trial nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from automl_cli.formats import decisions_text, duration, objective_text
from automl_cli.progress import Finished, Progress

if TYPE_CHECKING:
    from rich.console import RenderableType

    from automl_algorithms.weight_sharing.loop import Record
    from automl_cli.display_supernet import SupernetView

_QUIET_LINE: Final = 10.0  # seconds between plain lines while nothing improves
_SUPERNET_LINE: Final = 5.0  # seconds between plain lines while a supernet is trained
_BUSY_LINE: Final = 0.5  # seconds between plain lines while a fast search improves all the time
_SHOWN_FAILURES: Final = 3


def say(text: str = "") -> None:
    """A line to the person at the terminal."""
    click.echo(text, err=True)


class Display:
    """Shows a search while it runs. A context manager around the search.

    Args:
        supernet: what is seen of the training that comes before the trials, if there is one.
    """

    def __init__(
        self,
        progress: Progress,
        study: str,
        *,
        quiet: bool = False,
        warnings: Callable[[], str | None] | None = None,
        supernet: SupernetView | None = None,
    ) -> None:
        self.progress, self.study, self.quiet = progress, study, quiet
        self.supernet = supernet
        self._warnings = warnings
        self._live: Any = None
        self._last_line = 0.0
        self._worst: list[str] = []

    def __enter__(self) -> Display:
        if self.quiet or not sys.stderr.isatty():
            return self
        from rich.console import Console
        from rich.live import Live

        self._live = Live(
            get_renderable=self._render,
            console=Console(stderr=True),
            refresh_per_second=4,
            transient=True,
        )
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def finished(self, trial: Finished, best: bool) -> None:
        """Hear of a finished trial."""
        self._warn()
        if self.quiet or self._live is not None:
            return
        now = time.monotonic()
        failed = trial.state == "failed" and len(self._worst) < _SHOWN_FAILURES
        if failed:
            self._worst.append(trial.reason)
            say(f"  trial {trial.id} failed: {trial.reason.partition(chr(10))[0]}")
            return
        due = now - self._last_line > (_BUSY_LINE if best else _QUIET_LINE)
        if due or self.progress.finished == self.progress.trials:
            self._last_line = now
            say("  " + self.line())

    def trained(self, record: Record) -> None:
        """Hear how the training of the supernet goes on."""
        assert self.supernet is not None
        self.supernet.hear(record)
        self._warn()
        if self.quiet or self._live is not None:
            return
        now = time.monotonic()
        if now - self._last_line > _SUPERNET_LINE or record.at.step + 1 == record.at.steps:
            self._last_line = now
            say("  " + self.supernet.line())

    def trials_begin(self) -> None:
        """From now on there are trials to see."""
        self.supernet = None

    def _warn(self) -> None:
        warning = self._warnings() if self._warnings is not None else None
        if warning is not None:
            say(click.style("warning: ", fg="yellow") + warning)

    def line(self) -> str:
        """Where the search stands, in one line."""
        p = self.progress
        total = f"/{p.trials}" if p.trials else ""
        left = p.seconds_left()
        parts = [f"{p.finished}{total} trials", *self._counts()]
        if left and p.finished != p.trials:
            parts.append(f"{duration(left)} left")
        return ", ".join(parts) + ("; " + self.best_line() if p.best else "")

    def _counts(self) -> list[str]:
        p = self.progress
        counts = [f"{n} {state}" for state, n in p.counts.items() if n and state != "completed"]
        if p.outside:
            counts.append(f"{len(p.outside)} outside of the constraints")
        if p.rejected:
            counts.append(f"{p.rejected} rejected unrun")
        if p.retried:
            counts.append(f"{p.retried} retried")
        return counts

    def best_line(self) -> str:
        """The best trial so far."""
        best = self.progress.best
        if best is None:
            return "no result yet"
        where = "" if best.feasible else ", outside of the constraints"
        return f"best {objective_text(best, self.progress.objectives)} (trial {best.id}{where})"

    def _render(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        supernet = self.supernet  # this is a thread of its own
        if supernet is not None:
            return supernet.render()
        p = self.progress
        head = Table.grid(padding=(0, 1))
        elapsed = time.monotonic() - p.started
        left = p.seconds_left()
        timing = duration(elapsed) + (f" · {duration(left)} left" if left else "")
        total = f"/{p.trials}" if p.trials else ""
        head.add_row(
            ProgressBar(total=p.trials, completed=p.finished, width=32, pulse=p.trials is None),
            Text(f"{p.finished}{total} trials"),
            Text(timing, style="dim"),
            Text(", ".join(self._counts()), style="yellow"),
        )
        rows: list[RenderableType] = [head]
        if p.best is not None:
            best = Text.assemble(("  best ", "bold green"), (
                objective_text(p.best, p.objectives), "bold"))  # fmt: skip
            best.append(f"  trial {p.best.id}  {decisions_text(p.best.decisions, 70)}", "dim")
            best.no_wrap, best.overflow = True, "ellipsis"
            rows.append(best)
        now = time.monotonic()
        running = [f"{i} ({duration(now - t)})" for i, t in list(p.running.items())[:8]]
        if running:
            rows.append(Text("  running " + ", ".join(running), style="dim"))
        return Group(*rows)
