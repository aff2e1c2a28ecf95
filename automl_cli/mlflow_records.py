"""What of the ledger becomes which parameter, metric and tag of a run: pure functions.

Everything here depends on the ledger alone, times included, so that projecting a study again
sends exactly the same again, which MLflow takes for the same.
"""

from __future__ import annotations

import getpass
import hashlib
import heapq
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from automl_algorithms.pareto import non_dominated
from automl_algorithms.weight_sharing.identified import entropy
from automl_cli.ledger_schema import ReportRow, StudyRow, SupernetRow, TrialRow
from automl_cli.policies import has_learned, read_policy
from automl_cli.progress import MET
from automl_spaces.objective import Objective

SUPERNET: Final = "supernet/"
STEP: Final = f"{SUPERNET}step"  # the last sample of each record of a supernet's training
MOST_ENTROPIES: Final = 40  # decisions that have a curve of their own
TRIALS: Final = "trials"  # the last sample of each trial in the curve of a study
INACTIVE: Final = "-"  # a decision that does not count in this trial
STATUS: Final = {
    "completed": "FINISHED",
    "failed": "FAILED",
    "pruned": "KILLED",
    "interrupted": "KILLED",
}
_LONGEST_NAME: Final = 240  # MLflow's limits: 250, 6000 and 8000
_LONGEST_VALUE: Final = 6000
_LONGEST_TAG: Final = 5000


class Sample(NamedTuple):
    """A metric value; `timestamp` in milliseconds since 1970."""

    key: str
    value: float
    timestamp: int
    step: int


class Names(dict[str, str]):
    """MLflow's names for decision points and metrics, injective: looked up, or made on demand.

    `model.blocks[3].kernel_size` is `model.blocks.3.kernel_size`, `optimizer(Adam).lr` is
    `optimizer.Adam.lr`. Where that is the name of another one already, or is too long, a digest
    of the whole id follows. Upper and lower case are the same to some databases.
    """

    def __init__(self, ids: Iterable[str] = ()) -> None:
        super().__init__()
        self._taken: set[str] = set()
        for id in ids:
            self[id]

    def __missing__(self, id: str) -> str:
        name = re.sub(r"[\[(]+", ".", id)
        name = re.sub(r"[\])]+", "", name)
        name = re.sub(r"[^\w.\- ]+", "_", name)
        name = re.sub(r"\.[. ]*", ".", name).strip(". ") or "_"
        digest = hashlib.sha256(id.encode()).hexdigest()
        if len(name) > _LONGEST_NAME:
            name = f"{name[: _LONGEST_NAME - 9]}-{digest[:8]}"
        if name.casefold() in self._taken:
            name = f"{name[: _LONGEST_NAME - 17]}-{digest[:16]}"
        self._taken.add(name.casefold())
        self[id] = name
        return name


def objectives(study: StudyRow) -> list[Objective]:
    """What the study is after."""
    return [Objective(**record) for record in json.loads(study.objectives)]


def point_ids(study: StudyRow) -> list[str]:
    """The ids of all decision points, as far as the study's environment records them."""
    return list(json.loads(study.environment or "{}").get("points", ()))


def numbers(record: str) -> dict[str, float]:
    """A JSON object of metrics; what is not finite, in whatever spelling, is NaN.

    MLflow would store an infinity as 1.8e308, which no chart survives.
    """
    found: dict[str, float] = {}
    for key, value in json.loads(record).items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            continue
        found[key] = number if math.isfinite(number) else math.nan
    return found


def values(trial: TrialRow, goals: Sequence[Objective]) -> list[float] | None:
    """The finite values of all objectives; None when one is missing, or a constraint not met."""
    metrics = numbers(trial.metrics)
    if metrics.get(MET, 1.0) <= 0:
        return None
    found = [metrics.get(goal.metric, math.nan) for goal in goals]
    return found if all(map(math.isfinite, found)) else None


def best(trials: Iterable[TrialRow], goals: Sequence[Objective], count: int) -> list[TrialRow]:
    """The best completed trials within the constraints, best first; with several objectives those
    of the Pareto front.

    A larger budget comes before any smaller one.
    """
    rated: list[tuple[tuple[float, ...], TrialRow]] = []
    for trial in trials:
        found = values(trial, goals) if trial.state == "completed" else None
        if found is not None:
            rewards = tuple(g.reward(v) for g, v in zip(goals, found, strict=True))
            rated.append((rewards, trial))
    if len(goals) > 1:
        rated = [rated[i] for i in non_dominated([rewards for rewards, _ in rated])]
    top = heapq.nsmallest(count, rated, key=lambda r: (-fidelity(r[1]), -r[0][0], r[1].order))
    return [trial for _, trial in top]


def fidelity(trial: TrialRow) -> float:
    """The budget as a number to compare by; full is more than any."""
    return math.inf if trial.budget is None else trial.budget


def candidates(study: StudyRow) -> list[list[str]]:
    """The candidates of each decision point, if a policy was learned on them."""
    return list(json.loads(study.environment or "{}").get("candidates", ()))


def supernet_samples(row: SupernetRow, ids: Sequence[str], names: Names) -> list[Sample]:
    """A record of a supernet's training, as metrics of the study's run.

    `supernet/<metric>` are those that the search tells, `entropy/<decision>` says how open a
    decision is (1 uniform, 0 decided) once anything has been learned. Last comes `supernet/step`:
    its latest value says how far a projection has come, as `trials` does of the trials.

    Args:
        ids: of the decision points, by index.
        names: of these and of the metrics.
    """
    policy = read_policy(row.policy)
    told = {SUPERNET + names[key]: value for key, value in numbers(row.metrics).items()}
    told[f"{SUPERNET}seconds"] = row.seconds
    if has_learned(policy):
        open_ones = [i for i, chances in policy.items() if len(chances) > 1 and i < len(ids)]
        for index in open_ones[:MOST_ENTROPIES]:
            told[f"entropy/{names[ids[index]]}"] = entropy(policy[index])
    told[STEP] = float(row.step)
    when = milliseconds(row.time)
    return [Sample(key, value, when, row.step) for key, value in told.items()]


def trial_params(trial: TrialRow, names: Names) -> dict[str, str]:
    """The decisions, under the same keys for every trial: MLflow's plots drop runs with gaps."""
    decisions: dict[str, Any] = json.loads(trial.decisions)
    keys = {**dict.fromkeys(names, INACTIVE), **decisions}
    return {names[id]: _cut(value, _LONGEST_VALUE) for id, value in keys.items()}


def report_samples(reports: Iterable[ReportRow], names: Names) -> list[Sample]:
    """What a trial reported, of all its attempts: one goes on where the last one was lost."""
    return [
        Sample(names[key], value, milliseconds(report.time), report.step)
        for report in reports
        for key, value in numbers(report.metrics).items()
    ]


def final_samples(trial: TrialRow, reported: Sequence[Sample], names: Names) -> list[Sample]:
    """The costs and metrics of a finished trial, later than anything it reported.

    MLflow calls latest what has the highest step, then the latest time.
    """
    assert trial.finished is not None
    step = max((s.step for s in reported), default=0)
    when = max([milliseconds(trial.finished), *(s.timestamp + 1 for s in reported)])
    metrics = {**numbers(trial.costs), **numbers(trial.metrics)}
    return [Sample(names[key], value, when, step) for key, value in metrics.items()]


def trial_tags(study: StudyRow, trial: TrialRow, parent: str) -> dict[str, str]:
    """The tags of a trial's run; those of the study are repeated, because filters are per run."""
    tags = {
        "automl.uid": f"{study.uid}/{trial.id}",
        "mlflow.parentRunId": parent,
        "trial": str(trial.id),
        **state_tags(trial),
    }
    if trial.budget is not None:
        tags["budget"] = f"{trial.budget:g}"
    if trial.parent is not None:
        tags["goes_on_from"] = str(trial.parent)
    return {**tags, **_study_tags(study)}


def state_tags(trial: TrialRow) -> dict[str, str]:
    """Those tags of a trial's run that change."""
    tags = {"state": trial.state, "attempt": str(trial.attempt)}
    if trial.reason:
        tags["reason"] = _cut(trial.reason, _LONGEST_TAG)
    return tags


def study_tags(study: StudyRow) -> dict[str, str]:
    """The tags of a study's run."""
    return {"automl.uid": study.uid, "state": study.state, **_study_tags(study)}


def study_params(study: StudyRow) -> dict[str, str]:
    """The parameters of a study's run: what a comparison of studies shows as columns."""
    options: Mapping[str, Any] = json.loads(study.options or "{}")
    points = point_ids(study)
    params: dict[str, Any] = {
        "algorithm": study.algorithm,
        "seed": study.seed,
        "space": study.space_hash,
        "program": study.program_hash,
        "objective": ", ".join(f"{g.direction} {g.metric}" for g in objectives(study)),
    }
    if points:
        params["decision_points"] = len(points)
    names = Names(params)
    params |= {names[f"{study.algorithm}.{key}"]: value for key, value in options.items()}
    return {key: _cut(value, _LONGEST_VALUE) for key, value in params.items()}


def _study_tags(study: StudyRow) -> dict[str, str]:
    tags = {
        "study": study.name,
        "algorithm": study.algorithm,
        "space": study.space_hash,
        "seed": str(study.seed),
        "mlflow.source.name": "automl",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _user(),
    }
    commit = json.loads(study.environment or "{}").get("commit")
    return {**tags, "mlflow.source.git.commit": commit} if commit else tags


def milliseconds(seconds: float) -> int:
    """MLflow's unit of time."""
    return round(seconds * 1000)


def _cut(value: Any, limit: int) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user that no passwd file knows
        return "unknown"
