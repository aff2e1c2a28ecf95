"""`automl report` from end to end, on ledgers that are written directly."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from automl_cli.__main__ import main
from automl_spaces.objective import Objective
from tests.automl_cli.report_studies import record, row

LEDGER = Path(".automl") / "ledger.db"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder, and a terminal that is wide enough."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


def _nats(seeds: int, algorithms: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Searches on NATS-Bench that reach 19,000 and 20,500 simulated seconds."""
    for place, (algorithm, options) in enumerate(algorithms):
        for seed in range(seeds):
            about = row("nats-topology-cifar10", seed, algorithm, options,
                        goals=[Objective("accuracy")])  # fmt: skip
            gain = 0.1 * place + 0.2 * seed
            trials = [
                {"accuracy": 80.0, "simulated_seconds": 19_000.0, "final_accuracy": 90.0 + gain,
                 "final_test_accuracy": 93.0, "seconds": 1.0},
                {},
                {"accuracy": 82.0 + gain, "simulated_seconds": 1_500.0,
                 "final_accuracy": 92.0 + gain, "final_test_accuracy": 94.0, "seconds": 1.0},
            ]  # fmt: skip
            record(LEDGER, about, trials)


def _report(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["report", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_published_rows_are_beside_ours(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The budget of the published table, its metrics, and its protocol: 91.333 at 20,000."""
    _nats(2, [("random", {}), ("evolution", {"preset": "nats"}), ("evolution", {})])
    random, rea, other = _report(capsys, "nats-")["groups"]
    assert random["at"]["metrics"]["final_accuracy"] == pytest.approx({"mean": 91.4333, "std": 0.1})
    assert random["at"]["metrics"]["final_test_accuracy"]["mean"] == pytest.approx(93.6667)
    assert (random["at"]["metric"], random["at"]["amount"]) == ("simulated_seconds", 20_000)
    assert random["published"]["metrics"]["final_accuracy"] == {"mean": 91.07, "std": 0.26}
    assert rea["published"]["name"] == "REA"
    assert (other["at"], other["published"]) == (None, None)
    assert main(["report"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"random +2 +20,000 +91\.43 ± 0\.10 +91\.07 ± 0\.26 .* RANDOM", text)
    assert "TPAMI 2021" in text


def test_another_budget_has_no_published_row(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Values at 19,000 are not compared with those at 20,000."""
    _nats(1, [("random", {})])
    arguments = ["--at", "simulated_seconds=19,000", "--value", "final_accuracy"]
    (random,) = _report(capsys, *arguments)["groups"]
    assert random["at"]["metrics"] == {"final_accuracy": {"mean": 90.0, "std": 0.0}}
    assert random["published"] is None
    (random,) = _report(capsys, "--at", "trials=3")["groups"]
    assert random["at"]["metrics"] == {"accuracy": {"mean": 82.0, "std": 0.0}}


def test_a_table_of_ones_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Instead of those that ship; one that fits nothing is a mistake."""
    record(LEDGER, row("mine"), [{"m": 1.0, "cost": 2.0}, {"m": 3.0, "cost": 2.0}])
    (folder / "own.yaml").write_text(
        "- {problem: p, recipe: mine, at: {cost: 3}, source: a book,\n"
        "   results: [{name: RS, algorithm: random, m: [2.5, 0.5]}]}\n",
        encoding="utf-8",
    )
    (mine,) = _report(capsys, "--published", "own.yaml")["groups"]
    assert mine["at"]["metrics"] == {"m": {"mean": 2.0, "std": 0.0}}
    assert mine["published"] == {
        "name": "RS", "source": "a book", "metrics": {"m": {"mean": 2.5, "std": 0.5}},
    }  # fmt: skip
    text = (folder / "own.yaml").read_text(encoding="utf-8")
    (folder / "own.yaml").write_text(text.replace("mine", "yours"), encoding="utf-8")
    assert main(["report", "--published", "own.yaml"]) == 2
    assert "own.yaml has no row for any of these studies" in capsys.readouterr().err


def test_ranks_and_targets(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both are printed below the main table, and their numbers are in the JSON."""
    _nats(3, [("random", {}), ("local_search", {})])
    found = _report(capsys, "--target", "82.15")
    assert found["ranks"]["mean"] == {"local_search": 1.0, "random": 2.0}
    random, local = (group["reached"] for group in found["groups"])
    assert (random["share"], local["share"]) == (2 / 3, 2 / 3)
    assert random["median"] == {"trials": 3, "seconds": 2, "simulated_seconds": 20_500}
    assert [s["reached"]["trials"] for s in found["groups"][0]["studies"]] == [None, 3, 3]
    assert main(["report", "--target", "82.15"]) == 0
    text = capsys.readouterr().out
    assert "Time to accuracy ≥ 82.15" in text
    assert re.search(r"local_search +1\.00", text)
    assert "over 3 searches of each, on 1 recipe" in text


def test_curves_over_seconds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The x axis is what was added up."""
    _nats(2, [("random", {})])
    curve = _report(capsys, "--x", "simulated_seconds")["groups"][0]["curve"]
    assert curve["x"][-1] == 20_500
    assert curve["0.5"][0] == 80.0
    assert curve["0.5"][-1] == pytest.approx(82.1)
    assert _report(capsys)["groups"][0]["curve"]["x"] == [1, 2, 3]


def test_hypervolume(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of two objectives, from the worst seen or from a given point."""
    goals = [Objective("gain"), Objective("cost", "minimize")]
    trials = [{"gain": 2.0, "cost": 1.0}, {"gain": 4.0, "cost": 3.0}, {"gain": 1.0, "cost": 5.0}]
    for seed in range(2):
        record(LEDGER, row("two", seed, goals=goals), trials)
    (group,) = _report(capsys)["groups"]
    assert group["front"]["reference"] == [1, 5]
    assert group["front"]["hypervolume"] == {"mean": 1 * 4 + 2 * 2, "std": 0}
    (group,) = _report(capsys, "--reference", "0,4")["groups"]
    assert [s["hypervolume"] for s in group["studies"]] == [8, 8]
    assert main(["report", "--png", "p"]) == 0
    assert "measured from gain 1, cost 5, the worst seen" in capsys.readouterr().out
    assert (folder / "p" / "comparison" / "fronts-gain-cost.png").exists()
    assert (folder / "p" / "two-random-0" / "pareto.png").exists()


def test_one_file_holds_everything(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All tables and pictures, no reference to any other file, a section per study."""
    _nats(2, [("random", {}), ("evolution", {"preset": "nats"})])
    assert main(["report", "-o", "out/report.html", "--target", "82", "--png", "p"]) == 0
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    pictures = sorted(p.relative_to(folder / "p") for p in (folder / "p").rglob("*.png"))
    assert page.count("data:image/png;base64,") == len(pictures)
    assert {p.stem for p in pictures if p.parent.name == "comparison"} == {
        "accuracy", "accuracy-target-by-trials", "accuracy-target-by-seconds",
        "accuracy-target-by-simulated_seconds", "ranks",
        "NATS-Bench-topology-CIFAR-10-final_accuracy",
        "NATS-Bench-topology-CIFAR-10-final_test_accuracy",
    }  # fmt: skip
    for name in ("comparison", "nats-topology-cifar10-random-0"):
        assert f"<h2>{name}</h2>" in page
    for title in ("final_accuracy at a budget", "Time to accuracy", "Mean rank of the final value"):
        assert f"<h3>{title}" in page


def test_many_seeds_are_drawn_as_one(folder: Path) -> None:
    """No section per study: a band, the final values, the importances of pooled trials."""
    values = [0.1, 0.7, 0.3, 0.9, 0.5]
    for seed in range(6):
        trials = [{"m": values[(i + seed) % 5] + i / 100} for i in range(12)]
        record(LEDGER, row("many", seed), trials)
    assert main(["report", "--png", "p", "-o", "r.html"]) == 0
    assert sorted(p.name for p in (folder / "p").iterdir()) == ["comparison", "many-random"]
    names = {p.name for p in (folder / "p" / "many-random").iterdir()}
    assert names == {"best-so-far.png", "final-values.png", "importance.png"}
    assert (folder / "r.html").stat().st_size < 1_000_000


def test_recipes_that_several_algorithms_ran_have_their_own_curves(folder: Path) -> None:
    """Values of different data sets are not in one picture when there are many lines."""
    for data in ("one", "two", "three", "four"):
        for algorithm in ("random", "evolution"):
            record(LEDGER, row(data, 0, algorithm, space=data), [{"m": 1.0}])
    assert main(["report", "--png", "p"]) == 0
    names = {p.stem for p in (folder / "p" / "comparison").iterdir()}
    assert names == {"one-m", "two-m", "three-m", "four-m", "ranks"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nats-topologi-cifar10-random-0"], "did you mean nats-topology-cifar10-random-0?"),
        (["--x", "second"], "--x: no trial tells second (did you mean seconds?)"),
        (["--at", "simulated_second=3"], "did you mean simulated_seconds?"),
        (["--at", "trials=2", "--value", "final"], "--value: no trial tells final"),
        (["--at", "20000"], "'20000' is no budget: simulated_seconds=20000, say"),
        (["--at", "seconds=-1"], "is no budget"),
        (["--reference", "1,2"], "for studies with several objectives, and these have one"),
        (["--reference", "a,b"], "'a,b' is no point: 0.5,200, say"),
        (["--published", "none.yaml"], "none.yaml"),
        (["--png", "file/p"], "cannot write"),
    ],
)
def test_a_mistake_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """One message with the nearest name or an example, exit code 2."""
    (folder / "file").write_text("", encoding="utf-8")
    _nats(1, [("random", {})])
    assert main(["report", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_target_needs_one_goal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The metrics are named."""
    record(LEDGER, row("a"), [{"m": 1.0}])
    record(LEDGER, row("b", goals=[Objective("loss", "minimize")]), [{"loss": 1.0}])
    assert main(["report", "--target", "1"]) == 2
    assert "there are maximize m, minimize loss" in capsys.readouterr().err


def test_nothing_has_finished(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A study without a finished trial has nothing to show."""
    record(LEDGER, row(), [])
    assert main(["report"]) == 2
    assert "no trial of these studies has finished" in capsys.readouterr().err
