"""Names, parameters and metrics of runs, as functions of the ledger alone."""

from __future__ import annotations

import json
import math
import posixpath
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cli.ledger_schema import StudyRow, TrialRow
from automl_cli.mlflow_curve import Curve
from automl_cli.mlflow_records import Names, best, final_samples, numbers, report_samples
from automl_spaces.objective import Objective

_key = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,12}", fullmatch=True)
_label = st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=20)
_part = st.one_of(
    _key.map(lambda k: f".{k}"),
    st.integers(0, 99).map(lambda i: f"[{i}]"),
    _label.map(lambda text: f"({text})"),
    st.integers(0, 99).map(lambda i: f".{i}"),
)
_id = st.tuples(_key, st.lists(_part, max_size=40)).map(lambda t: t[0] + "".join(t[1]))


@given(st.lists(st.one_of(_id, _label), max_size=30))
def test_names_are_different_and_mlflow_takes_them(ids: list[str]) -> None:
    """Different ids have different names, whatever the case, that pass MLflow's own checks."""
    names = Names()
    found = {id: names[id] for id in ids}
    assert len({name.casefold() for name in found.values()}) == len({*ids})
    for name in found.values():
        assert re.fullmatch(r"[\w.\- ]+", name)
        assert len(name) <= 250
        assert posixpath.normpath(name) == name
        assert name not in (".", "..")


def test_names_are_readable() -> None:
    """Ids keep their words, and where two would be one the second has a digest."""
    names = Names(["model.blocks[3].kernel_size", "optimizer(Adam).lr", "ops[0](Conv2d).width"])
    assert list(names.values()) == [
        "model.blocks.3.kernel_size",
        "optimizer.Adam.lr",
        "ops.0.Conv2d.width",
    ]
    assert re.fullmatch(r"optimizer\.Adam\.lr-[0-9a-f]{16}", names["optimizer.Adam.lr"])
    assert names["optimizer(Adam).lr"] == "optimizer.Adam.lr"


def test_numbers_reads_every_spelling_of_not_finite() -> None:
    """NaN and infinities are NaN; what is no number at all is left out."""
    found = numbers('{"a": 1, "b": NaN, "c": "inf", "d": "nan", "e": -Infinity, "f": "x"}')
    assert found.pop("a") == 1.0
    assert set(found) == {"b", "c", "d", "e"}
    assert all(map(math.isnan, found.values()))


def test_the_final_value_is_the_latest() -> None:
    """Even when a trial ended in the millisecond of its last report."""
    from automl_cli.ledger_schema import ReportRow

    names = Names()
    reported = report_samples([ReportRow(1, 9, '{"loss": 5.0}', 2.0)], names)
    (final,) = final_samples(_trial(1, {"loss": 4.0}, finished=2.0), reported, names)
    assert (final.step, final.timestamp) > (reported[0].step, reported[0].timestamp)


@pytest.mark.parametrize(
    ("goals", "expected"),
    [
        ([Objective("a")], [3, 2, 1]),
        ([Objective("a", "minimize")], [1, 2, 3]),
        ([Objective("a"), Objective("b", "minimize")], [3, 1]),
    ],
)
def test_best(goals: list[Objective], expected: list[int]) -> None:
    """Best first, completed and finite only; with two objectives the front only."""
    trials = [
        _trial(1, {"a": 1.0, "b": 1.0}),
        _trial(2, {"a": 2.0, "b": 3.0}),
        _trial(3, {"a": 3.0, "b": 2.0}),
        _trial(4, {"a": 9.0, "b": 0.0}, state="pruned"),
        _trial(5, {"a": math.nan, "b": math.nan}),
        _trial(6, {}, state="failed"),
    ]
    assert [t.id for t in best(trials, goals, 10)] == expected
    assert [t.id for t in best(trials, goals, 1)] == expected[:1]


def test_equal_trials_rank_by_who_was_first() -> None:
    """So that the best trial does not change when its equal comes."""
    trials = [_trial(n, {"a": 1.0}) for n in (1, 2, 3)]
    assert [t.id for t in best(trials, [Objective("a")], 2)] == [1, 2]


def test_a_study_row_may_lack_everything_optional() -> None:
    """An environment without points or commit, as an older ledger has it."""
    from automl_cli.mlflow_records import point_ids, study_params, study_tags

    study = StudyRow(1, "s", "u", 0.0, "", "", "h", "p", "random", "{}",
                     '[{"metric": "a", "direction": "maximize"}]', 0, "{}", "running")  # fmt: skip
    assert point_ids(study) == []
    assert "decision_points" not in study_params(study)
    assert "mlflow.source.git.commit" not in study_tags(study)


def _trial(
    number: int, metrics: dict[str, float], state: str = "completed", finished: float = 1.0
) -> TrialRow:
    record = json.dumps(metrics)
    return TrialRow(number, state, 1, "{}", "{}", 0, 0.0, finished, number, record, "")


def test_what_is_outside_of_constraints_is_no_best() -> None:
    """Neither in the curve nor in the table; its own value is kept."""
    rows = [_trial(1, {"m": 9.0, "constraints_met": 0.0}), _trial(2, {"m": 1.0})]
    assert [t.id for t in best(rows, [Objective("m")], 5)] == [2]
    curve = Curve([Objective("m")])
    told = [{s.key: s.value for s in curve.take(t)} for t in rows]
    assert told[0] == {"trial/m": 9.0, "trials": 1}
    assert told[1] == {"trial/m": 1.0, "best/m": 1.0, "trials": 2}


def test_several_objectives_have_a_hypervolume() -> None:
    """Of the front so far, from the worst so far; failed and forbidden trials have no part."""
    rows = [
        _trial(1, {"gain": 2.0, "cost": 5.0}),
        _trial(2, {"gain": 4.0, "cost": 3.0}),
        _trial(3, {"gain": 9.0, "cost": 0.0, "constraints_met": 0.0}),
        _trial(4, {"gain": 9.0, "cost": 0.0}, "failed"),
        _trial(5, {"gain": 3.0, "cost": 2.0}),
        _trial(6, {"gain": 1.0, "cost": 4.0}),
    ]
    curve = Curve([Objective("gain"), Objective("cost", "minimize")])
    told = [{s.key: s.value for s in curve.take(t)} for t in rows]
    assert [m.get("best/hypervolume") for m in told] == [0.0, 4.0, None, None, 5.0, 8.0]
    assert list(told[1])[-1] == "trials"  # which says that the others are there


def test_a_hypervolume_has_two_or_three_objectives() -> None:
    """One has its best value, and four would take too long after every trial."""
    for count, measured in ((1, False), (3, True), (4, False)):
        curve = Curve([Objective(f"m{i}") for i in range(count)])
        (*_, last) = [s.key for s in curve.take(_trial(1, {f"m{i}": 1.0 for i in range(count)}))]
        keys = {s.key for s in curve.take(_trial(2, {f"m{i}": 2.0 for i in range(count)}))}
        assert ("best/hypervolume" in keys) == measured
        assert last == "trials"
