"""The tables of a report, as texts: the same for the terminal and for HTML."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from automl_algorithms.contract import DECISIONS
from automl_cli.formats import duration, number
from automl_cli.report_data import Entry, Report, by_goal
from automl_cli.report_supernets import Decided, Supernet, decided
from automl_cli.report_targets import Reached
from automl_cli.study_report import Group

SHOWN_METRICS: Final = 5
_SHOWN_DECISIONS: Final = 8  # of a group
_FIRST: Final = "recipe and algorithm"


class Table(NamedTuple):
    """Texts; the first `names` columns say what a row is about, the others are figures."""

    title: str
    head: list[str]
    rows: list[list[str]]
    note: str = ""
    names: int = 1


def main_table(groups: Sequence[Group], most: int = SHOWN_METRICS) -> Table:
    """Groups after the same goal: the metrics of their best trials, at most so many."""
    goal = groups[0].objectives[0].metric
    others = [m for m in groups[0].metrics if m not in (goal, "seconds")]
    metrics = [goal, *others[: most - 1]]
    shared = any(group.supernet_seconds is not None for group in groups)
    rows = [
        [
            *(g.name, str(len(g.studies)), f"{g.trials:g}"),
            *(_moments(*g.metrics[m], len(g.studies)) if m in g.metrics else "-" for m in metrics),
            *["-" if g.supernet_seconds is None else duration(g.supernet_seconds)] * shared,
            duration(g.seconds),
        ]
        for g in groups
    ]
    times = [*["time in supernet"] * shared, "time in trials"]
    return Table("", [_FIRST, "seeds", "trials", *metrics, *times], rows)


def main_tables(report: Report, most: int = SHOWN_METRICS) -> list[Table]:
    """A table per goal."""
    groups = [entry.group for entry in report.entries]
    return [main_table(members, most) for members in by_goal(groups).values()]


def further_tables(report: Report) -> list[Table]:
    """What was asked for, and the ranks when algorithms have recipes and seeds in common."""
    made = [
        *(*_at(report), _reached(report), *_fronts(report), _ranks(report)),
        *(_supernets(report), _decisions(report), _algorithms(report)),
    ]
    return [table for table in made if table is not None]


def _ranks(report: Report) -> Table | None:
    ranks = report.ranks
    if ranks is None:
        return None
    searches = _count(ranks.blocks, "search", "searches")
    note = f"over {searches} of each, on {_count(ranks.problems, 'recipe')}; ties are averaged"
    if ranks.left_out:
        note += f"; without {', '.join(ranks.left_out)}, for want of recipes and seeds in common"
    rows = [[name, f"{mean:.2f}"] for name, mean in ranks.mean.items()]
    return Table("Mean rank of the final value", ["algorithm", "mean rank"], rows, note)


def _reached(report: Report) -> Table | None:
    found = [(entry.group, entry.reached) for entry in report.entries if entry.reached]
    if not found:
        return None
    goal = found[0][0].objectives[0]
    costs = list(dict.fromkeys(cost for _, reached in found for cost in reached.until))
    rows = [
        [group.name, str(len(group.studies)), f"{100 * reached.share:.4g} %",
         *(_median(reached, cost) for cost in costs)]
        for group, reached in found
    ]  # fmt: skip
    sign = "≥" if goal.direction == "maximize" else "≤"
    title = f"Time to {goal.metric} {sign} {report.wishes.target:g}"
    note = "medians over the seeds that reached it"
    return Table(title, [_FIRST, "seeds", "reached", *costs], rows, note)


def _median(reached: Reached, cost: str) -> str:
    median = reached.median(cost) if cost in reached.until else None
    if median is None:
        return "-"
    return duration(median) if cost == "seconds" else number(median)


def _at(report: Report) -> list[Table]:
    """A table per metric; the notes stand below the last."""
    names = dict.fromkeys(name for e in report.entries if e.at for name in e.at.values)
    tables = [_at_metric(report, name) for name in names]
    return [*tables[:-1], *(table._replace(note=_at_note(report)) for table in tables[-1:])]


def _at_metric(report: Report, name: str) -> Table:
    found = [(e, e.at) for e in report.entries if e.at and name in e.at.values]
    published = any(entry.published for entry, _ in found)
    rows = [
        [
            *(entry.group.name, str(len(entry.group.studies)), f"{at.budget.amount:,.10g}"),
            _moments(*at.moments(name), len(entry.group.studies)),
            *[_published(entry, name)] * published,
            *[entry.published.name if entry.published else ""] * published,
        ]
        for entry, at in found
    ]
    spent = " or ".join(dict.fromkeys(at.budget.metric for _, at in found))
    head = [_FIRST, "seeds", "at", name, *["published", "as"] * published]
    return Table(f"{name} at a budget of {spent}", head, rows)


def _at_note(report: Report) -> str:
    notes = ["mean ± population standard deviation over seeds, by the protocol of NATS-Bench"]
    short = sum(entry.at.short for entry in report.entries if entry.at)
    if short:
        notes.append(f"{_count(short, 'search', 'searches')} ended before the budget")
    sources = dict.fromkeys(e.published.source for e in report.entries if e.at and e.published)
    return "; ".join([*notes, *(f"published: {source}" for source in sources)])


def _published(entry: Entry, name: str) -> str:
    if not entry.published or name not in entry.published.values:
        return "-"
    return plus_minus(*entry.published.values[name])


def _fronts(report: Report) -> list[Table]:
    tables = {}
    found = [(entry.group, entry.front) for entry in report.entries if entry.front]
    for goals in dict.fromkeys(tuple(group.objectives) for group, _ in found):
        mine = [(group, front) for group, front in found if tuple(group.objectives) == goals]
        reference = mine[0][1].reference
        head = [_FIRST, "seeds", "trials on the front", *["hypervolume"] * bool(reference)]
        rows = []
        for group, front in mine:
            mean = sum(front.sizes) / len(front.sizes)
            volume = [_moments(*front.moments(), len(group.studies))] if reference else []
            rows.append([group.name, str(len(group.studies)), f"{mean:.4g}", *volume])
        note = ""
        if reference:
            pairs = zip(goals, reference, strict=True)
            note = "measured from " + ", ".join(f"{o.metric} {number(v)}" for o, v in pairs)
            note += ", the worst seen" * (report.wishes.reference is None)
        names = ", ".join(f"{o.direction} {o.metric}" for o in goals)
        tables[goals] = Table(f"Pareto fronts: {names}", head, rows, note)
    return list(tables.values())


def _supernets(report: Report) -> Table | None:
    """What the supernets took; their groups' main table tells what the trials after them took."""
    rows = []
    for group, found in _sharing(report):
        trainings = [s.cost.trainings for s in found if s.cost.trainings is not None]
        decisions = decided(found)
        clear = sum(2 * each.identified > len(each.found) for each in decisions)
        cells = [group.name, str(len(found)), _all([s.cost.seconds for s in found], duration)]
        rows.append([*cells, _all(trainings), f"{clear} of {len(decisions)}" if decisions else "-"])
    if not rows:
        return None
    head = [_FIRST, "seeds", "time", "trainings", "decisions identified"]
    note = "trainings: the same time in trainings of the static program; identified: in most seeds"
    return Table("Supernets", head, rows, note)


def _decisions(report: Report) -> Table | None:
    """What the policies came to; of many decisions, those that were not identified come first."""
    rows, hidden = [], 0
    for group, found in _sharing(report):
        decisions = decided(found)
        open_first = sorted(decisions, key=lambda each: each.identified == len(each.found))
        shown = decisions if len(decisions) <= _SHOWN_DECISIONS else open_first[:_SHOWN_DECISIONS]
        hidden += len(decisions) - len(shown)
        names = [group.name, *[""] * len(shown)]
        rows += [[name, *_decision(each)] for name, each in zip(names, shown, strict=False)]
    if not rows:
        return None
    note = f"{_count(hidden, 'further decision')}: --json" if hidden else ""
    head = [_FIRST, "decision", "value", "probability", "candidates", "evidence", "identified"]
    return Table("What the policies came to", head, rows, note, names=2)


def _sharing(report: Report) -> Iterator[tuple[Group, list[Supernet]]]:
    for entry in report.entries:
        if entry.supernets:
            yield entry.group, list(entry.supernets.values())


def _decision(decision: Decided) -> list[str]:
    """Of several seeds the value that most of them prefer, and means."""
    found, seeds = decision.found, len(decision.found)
    ((value, times),) = Counter(str(each.value) for each in found).most_common(1)
    evidence = [each.evidence for each in found if each.evidence is not None]
    if seeds == 1:
        identified = "yes" if decision.identified else "not identified"
    else:
        identified = (
            f"{decision.identified} of {seeds}" if decision.identified else "not identified"
        )
    return [
        decision.id,
        value if times == seeds else f"{value} ({times} of {seeds})",
        f"{statistics.fmean(each.probability for each in found):.2f}",
        str(found[0].candidates),
        f"{statistics.fmean(evidence):.1f}" if evidence else "-",
        identified,
    ]


def _algorithms(report: Report) -> Table | None:
    """The comparison of the talk, a tick for each kind of decision that is accepted."""
    if report.algorithms is None:
        return None
    methods: set[str] = set()
    rows = []
    for row in report.algorithms:
        method = "" if row.method in methods else row.method.value
        methods.add(row.method)
        ticks = ["✓" if kind in row.accepts else "×" for kind in DECISIONS]
        costs = [_all(row.trainings), _all(row.memory), str(len(row.costs) or "")]
        rows.append([method, row.algorithm, *ticks, *costs])
    kinds = [kind.replace("_", " ") for kind in DECISIONS]
    head = ["method", "algorithm", *kinds, "trainings", "memory, MB", "searches"]
    note = (
        "trainings: of the searches here, as multiples of a training of their static program; a "
        "search by trials is all of them, one of weight sharing its supernet; memory: what that "
        "needs at its peak above what its process had before"
    )
    title = "Which decisions algorithms accept, and what their searches cost"
    return Table(title, head, rows, note, names=2)


def _all(values: Sequence[float], form: Callable[[float], str] = number) -> str:
    """Mean, and standard deviation where there are several; nothing where there are none."""
    if not values:
        return ""
    spread = statistics.stdev(values) if len(values) > 1 and form is number else 0.0
    return (
        plus_minus(statistics.fmean(values), spread) if spread else form(statistics.fmean(values))
    )


def _moments(mean: float, spread: float, seeds: int) -> str:
    return plus_minus(mean, spread) if seeds > 1 and spread else number(mean)


def plus_minus(mean: float, spread: float) -> str:
    """Mean and spread: two significant digits of the spread, and as many decimals of the mean."""
    if not (math.isfinite(mean) and math.isfinite(spread)):
        return "-"
    decimals = 1 - math.floor(math.log10(spread)) if spread > 0 else 7
    if abs(mean) >= 1e5 or decimals > 6:
        return f"{number(mean)} ± {spread:.2g}"
    return f"{mean:.{max(decimals, 0)}f} ± {spread:.{max(decimals, 0)}f}"


def _count(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
