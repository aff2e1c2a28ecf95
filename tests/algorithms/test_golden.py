"""Golden trajectories: a search of each algorithm, written down with its own configuration.

A change of a trajectory is a change of every user's results with the same seed: it belongs into
the change log. To write the files again: `python -m tests.algorithms.test_golden`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from automl_algorithms import catalogue
from automl_algorithms.contract import Observation
from automl_algorithms.proposer import Proposer
from automl_spaces.json_form import from_json, to_json
from automl_spaces.objective import Objective
from automl_spaces.space import Space
from tests.algorithms.spaces import cells, mixed, numbers, reward_of

FOLDER = Path(__file__).parent / "golden"
FILES = sorted(FOLDER.glob("*.json"))

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "random": {"algorithm": "random", "options": {}, "program": mixed},
    "grid": {"algorithm": "grid", "options": {"resolution": 2}, "program": mixed},
    "evolution": {
        "algorithm": "evolution",
        "options": {"population": 5, "tournament": 2, "crossover": 0.3},
        "program": mixed,
    },
    "evolution_nats": {
        "algorithm": "evolution",
        "options": {"preset": "nats"},
        "program": cells,
    },
    "evolution_nats_size": {
        "algorithm": "evolution",
        "options": {"preset": "nats_size", "mutation": "hierarchical"},
        "program": mixed,
    },
    "local_search": {"algorithm": "local_search", "options": {}, "program": mixed},
    "local_search_best": {
        "algorithm": "local_search",
        "options": {"improvement": "best", "restart": "perturb", "kick": 2, "numbers": 1},
        "program": numbers,
    },
    "nsga2": {"algorithm": "nsga2", "options": {"population": 6}, "program": mixed},
    "hyperband": {"algorithm": "hyperband", "options": {"max_budget": 9}, "program": cells},
    "asha": {"algorithm": "asha", "options": {"max_budget": 9}, "program": mixed},
    "bohb": {
        "algorithm": "bohb",
        "options": {"max_budget": 9, "random_fraction": 0.1, "min_bandwidth": 0.1},
        "program": mixed,
    },
    "bohb_nats": {
        "algorithm": "bohb",
        "options": {"preset": "nats", "max_budget": 12},
        "program": cells,
    },
    "pbt": {
        "algorithm": "pbt",
        "options": {"population": 6, "max_budget": 8, "interval": 2},
        "program": mixed,
    },
    "reinforce": {
        "algorithm": "reinforce",
        "options": {"policy": "autoregressive"},
        "program": mixed,
    },
    "reinforce_nats": {"algorithm": "reinforce", "options": {"preset": "nats"}, "program": cells},
    "ppo": {"algorithm": "ppo", "options": {"batch": 4}, "program": mixed},
    "gaussian_process": {
        "algorithm": "gaussian_process",
        "options": {"startup": 4},
        "program": cells,
    },
}


def trajectory(golden: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the search that a golden file describes; every sixth trial fails."""
    space = Space.compile(from_json(json.dumps(golden["program"])))
    algorithm = catalogue.create(golden["algorithm"], golden["options"])
    objectives = [Objective(**o) for o in golden["objectives"]]
    proposer = Proposer(algorithm, space, objectives, golden["seed"], baseline=golden["baseline"])
    lines: list[dict[str, Any]] = []
    for trial_id in range(golden["trials"]):
        plan = proposer.next(trial_id).plan
        reward = None if trial_id % 6 == 5 else round(reward_of(plan.decisions), 9)
        rewards, state = ((), "failed") if reward is None else ((reward,), "completed")
        proposer.feedback(Observation(trial_id, plan, state, rewards))  # type: ignore[arg-type]
        line = {"decisions": plan.decisions.as_dict(), "reward": reward}
        if plan.budget is not None:
            line |= {"budget": plan.budget, "parent": plan.parent}
        lines.append(line)
    return lines


@pytest.mark.parametrize("path", FILES, ids=[f.stem for f in FILES])
def test_golden_trajectory(path: Path) -> None:
    """The search is proposal for proposal what it was; numbers to 9 digits."""
    golden = json.loads(path.read_text(encoding="utf-8"))
    found = trajectory(golden)
    assert len(found) == len(golden["trajectory"])
    for now, then in zip(found, golden["trajectory"], strict=True):
        assert now["decisions"] == {
            k: pytest.approx(v, rel=1e-9) if isinstance(v, float) else v
            for k, v in then["decisions"].items()
        }
        assert now["reward"] == (None if then["reward"] is None else pytest.approx(then["reward"]))
        assert (now.get("budget"), now.get("parent")) == (then.get("budget"), then.get("parent"))


def test_every_algorithm_of_our_own_has_a_golden_trajectory() -> None:
    """Those whose proposals depend on a library's version have none."""
    own = {
        name
        for name in catalogue.names(family="multi_trial")
        if not catalogue.load(name).capabilities.engine
    }
    written = {json.loads(f.read_text(encoding="utf-8"))["algorithm"] for f in FILES}
    assert written == own


def write(name: str) -> None:
    """Run a configuration and write its golden file."""
    configuration = CONFIGURATIONS[name]
    golden = {
        "algorithm": configuration["algorithm"],
        "options": configuration["options"],
        "seed": 42,
        "trials": 24,
        "baseline": True,
        "objectives": [{"metric": "accuracy", "direction": "maximize"}],
        "reward": "tests.algorithms.spaces.reward_of, rounded to 9 digits; trials 5, 11, .. fail",
        "program": json.loads(to_json(configuration["program"]())),
    }
    lines = ",\n".join(f"    {json.dumps(line)}" for line in trajectory(golden))
    head = json.dumps(golden, indent=2).removesuffix("\n}")
    text = f'{head},\n  "trajectory": [\n{lines}\n  ]\n}}\n'
    (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for each in CONFIGURATIONS:
        write(each)
