"""What a search by weight sharing came to: its price, and whether shared weights tell the truth."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from automl_cli import shared_identified
from automl_cli.formats import duration, number
from automl_cli.rank_correlation import kendall_tau
from automl_cli.shared_identified import Found, identification

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl_cli.ledger import Ledger
    from automl_cli.ledger_schema import StudyRow
    from automl_cli.shared_search import SharedSearch

BACKED: Final = "backed/"  # before what a supernet's last record tells of such changes
SHARED: Final = "shared_"  # before a metric: its value with the weights of the supernet
_FEWEST: Final = 3  # trials to rank


class DerivedRecord(NamedTuple):
    """A record that the search ended with; trial and value are None until it has been trained."""

    decisions: dict[str, Any]
    shared: float
    trial: int | None
    scratch: float | None


class Backing(NamedTuple):
    """What is known of the changes to the static program that a search ended with.

    Args:
        changes: how many decisions are made otherwise.
        of: so many.
        gain: of all changes together, by the shared weights: in the loss, or in the objective.
        error: its standard error.
    """

    changes: int
    of: int
    gain: float
    error: float

    def line(self) -> str:
        """For a person."""
        if not self.changes:
            return "the static program: no change of it is backed by what shared weights show"
        return (
            f"the static program with {self.changes} of {self.of} decisions changed: by shared "
            f"weights this gains {self.gain:.2g} ± {self.error:.1g}"
        )


class SharedResult(NamedTuple):
    """The supernet of a study and what came out of it.

    Args:
        metric: the objective.
        epochs, steps: of the training, as far as it is; `of_steps` in all.
        seconds: of the training, and of the derivation if that is over.
        units: these seconds in trainings of the static program; None when it was not trained.
        skipped: steps that were left out.
        tau: Kendall's tau-b between shared and real values of `ranked` trials; None for few.
        decisions: what the policy came to in each, once there is one.
        backing: of the first derived record, where the algorithm ends with changes that are backed.
    """

    metric: str
    epochs: int
    steps: int
    of_steps: int
    seconds: float
    units: float | None
    skipped: int
    tau: float | None
    ranked: int
    derived: list[DerivedRecord]
    decisions: list[Found]
    backing: Backing | None

    def lines(self) -> list[str]:
        """For a person."""
        units = "" if self.units is None else f" = {self.units:.2g} trainings"
        if self.steps < self.of_steps:
            how = f"step {self.steps} of {self.of_steps}"
        else:
            how = f"{self.epochs} epoch{'s' * (self.epochs != 1)}"
        skipped = f", {self.skipped} steps skipped" if self.skipped else ""
        text = f"supernet: {how}, {duration(self.seconds)}{units}{skipped}"
        if self.derived:
            first = self.derived[0]
            text += f"; derived {self.metric} {number(first.shared)} with shared weights"
            if first.scratch is not None:
                text += f", {number(first.scratch)} from scratch"
        found = [text]
        if self.tau is not None:
            found.append(
                f"shared weights rank {self.ranked} trials with Kendall's tau {self.tau:.2f}"
            )
        if self.backing is not None and self.derived:
            found.append(self.backing.line())
        unclear = shared_identified.line(self.decisions)
        return found if unclear is None else [*found, unclear]

    def as_data(self) -> dict[str, Any]:
        """For a program."""
        return {
            **self._asdict(),
            "seconds": round(self.seconds, 3),
            "derived": [record._asdict() for record in self.derived],
            "decisions": [each.as_data() for each in self.decisions],
            "backing": None if self.backing is None else self.backing._asdict(),
        }


def shared_result(ledger: Ledger, study: StudyRow, search: SharedSearch) -> SharedResult:
    """The result of a search, as far as it is."""
    metric = search.recipe.objectives[0].metric
    completed: dict[str, tuple[int, dict[str, float]]] = {
        row.decisions: (row.id, json.loads(row.metrics))
        for row in ledger.trials(study.id, state="completed")
    }
    pairs = [
        (metrics[SHARED + metric], metrics[metric])
        for _, metrics in completed.values()
        if metric in metrics and SHARED + metric in metrics
    ]
    tau = kendall_tau(*zip(*pairs, strict=True)) if len(pairs) >= _FEWEST else math.nan
    derived = []
    for record in search.derived:
        row = completed.get(record.to_json())
        trial, scratch = (None, None) if row is None else (row[0], row[1].get(metric))
        derived.append(DerivedRecord(record.as_dict(), search.shared[record], trial, scratch))
    rows = ledger.supernets(study.id)
    last = rows[-1] if rows else None
    metrics = json.loads(last.metrics) if last else {}
    seconds = search.seconds or (last.seconds if last else 0.0)
    default = search.space.default()
    static = completed.get(default.to_json()) if default is not None else None
    training = static[1].get("seconds") if static is not None else None
    return SharedResult(
        metric,
        search.loop.epochs,
        last.step if last else 0,
        search.loop.steps,
        seconds,
        seconds / training if training else None,
        int(metrics.get("skipped", 0)),
        None if math.isnan(tau) else tau,
        len(pairs),
        derived,
        identification(search.space, last, search.derived[0] if search.derived else None),
        _backing(search, metrics),
    )


def _backing(search: SharedSearch, metrics: Mapping[str, float]) -> Backing | None:
    changes = metrics.get(f"{BACKED}changes")
    if changes is None:
        return None
    of = sum(gate.size > 1 for gate in search.loop.net.gates.values())
    return Backing(int(changes), of, metrics[f"{BACKED}gain"], metrics[f"{BACKED}error"])
