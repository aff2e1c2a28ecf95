"""Algorithms are found by their text and imported when used."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from automl_algorithms import catalogue
from automl_algorithms.contract import DECISIONS
from automl_algorithms.multi_trial.evolution import Evolution
from automl_spaces.errors import Mark, UserError


def test_names_are_the_module_names() -> None:
    """The shipped algorithms are there, helpers with an underscore are not."""
    found = catalogue.names(family="multi_trial")
    assert {"random", "grid", "evolution", "bayesian"} <= set(found)
    assert not any(name.startswith("_") for name in found)
    assert catalogue.entry("evolution").family == "multi_trial"


def test_listing_and_signatures_import_no_algorithm() -> None:
    """Names, options and summaries come from text: no algorithm, no optuna, no numpy."""
    code = (
        "import sys; from automl_algorithms import catalogue as c; c.names('multi_trial')\n"
        "[(c.signature(n), c.summary(n)) for n in c.names('multi_trial')]\n"
        "print([m for m in sys.modules if m.startswith('automl_algorithms.multi_trial')\n"
        "       or m in ('optuna', 'numpy', 'torch')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_listing_is_quick() -> None:
    """A scan of the files takes less than 2 ms (best of five, the machine is shared)."""

    def scan() -> float:
        catalogue._shipped.cache_clear()
        start = time.perf_counter()
        catalogue.names(family="multi_trial")
        return time.perf_counter() - start

    assert min(scan() for _ in range(5)) < 2e-3


def test_signature_is_that_of_the_class() -> None:
    """What the text tells is what the constructor takes."""
    assert list(catalogue.signature("random").params) == []
    params = catalogue.signature("evolution").params
    assert list(params) == [
        *("preset", "population", "tournament", "replacement"),
        *("mutation", "repeat", "crossover", "mutation_rate", "nearby"),
    ]
    assert params["preset"].default == "default"


def test_every_wrong_option_is_told_at_once_with_its_place_and_the_nearest_name() -> None:
    """A misspelt and an ill-typed option are two problems of one error."""
    marks = {"tournment": Mark("r.yaml", 3, 3), "population": Mark("r.yaml", 4, 3)}
    with pytest.raises(UserError) as caught:
        catalogue.check_options(
            "evolution", {"tournment": 10, "population": "many"}, Mark("r.yaml", 2, 3), marks
        )
    assert str(caught.value).splitlines() == [
        "r.yaml:3:3: algorithm.tournment: evolution has no option tournment "
        "(did you mean tournament?)",
        "r.yaml:4:3: algorithm.population: expected int or null, got 'many'",
    ]


def test_a_value_that_is_not_one_of_a_few() -> None:
    """A `Literal` option lists what it may be."""
    with pytest.raises(UserError, match="expected one of tpe, gp, cmaes, nsga2, qmc, got 'tp'"):
        catalogue.create("bayesian", {"sampler": "tp"})


def test_unknown_algorithm() -> None:
    """A misspelt algorithm gives the nearest one."""
    with pytest.raises(UserError, match=r"no algorithm evoluton \(did you mean evolution\?\)"):
        catalogue.load("evoluton")


def test_create() -> None:
    """Options arrive in the instance."""
    made = catalogue.create("evolution", {"population": 20, "tournament": 5})
    assert isinstance(made, Evolution)
    assert (made.population, made.tournament) == (20, 5)


def test_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point adds an algorithm; it cannot replace one of ours."""
    where = "automl_algorithms.multi_trial.evolution"
    mine = catalogue.Entry("mine", "plugin", where, "Evolution", None)
    theirs = mine._replace(name="random")
    monkeypatch.setattr(catalogue, "_plugins", lambda: {"mine": mine, "random": theirs})
    assert catalogue.names("plugin") == ["mine"]
    assert catalogue.load("mine") is Evolution
    assert catalogue.load("random") is not Evolution
    assert "population" in catalogue.signature("mine").params
    assert catalogue.summary("mine").startswith("Tournament selection")


def test_an_algorithm_whose_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import that fails is a message with what to install, not a traceback."""
    lost = catalogue.Entry("lost", "plugin", "no_such_library_anywhere", "X", None)
    monkeypatch.setattr(catalogue, "_plugins", lambda: {"lost": lost})
    with pytest.raises(UserError, match="install no_such_library_anywhere"):
        catalogue.load("lost")


@pytest.mark.parametrize("name", ["../multi_trial/random", "_axes", "Random", ""])
def test_a_name_is_no_path(name: str) -> None:
    """A recipe names algorithms, not files."""
    with pytest.raises(UserError, match="there is no algorithm"):
        catalogue.entry(name)


def test_what_is_accepted_is_read_from_the_text(tmp_path: Path) -> None:
    """From the class, else from a base in the same module or in another one."""
    own = tmp_path / "own.py"
    own.write_text(
        "import not_installed\n"
        "from automl_algorithms.multi_trial.pbt import Pbt\n\n"
        "class Base:\n    accepts: ClassVar[frozenset[str]] = frozenset({'dropout'})\n\n"
        "class Own(Base):\n    accepts: ClassVar[frozenset[str]] = frozenset(['architecture'])\n\n"
        "class Heir(Base):\n    name = 'heir'\n\n"
        "class Stranger(Pbt):\n    name = 'stranger'\n"
    )
    assert catalogue._declared(own, "Own") == {"architecture"}
    assert catalogue._declared(own, "Heir") == {"dropout"}
    with pytest.raises(LookupError, match="contract does not say"):
        catalogue._declared(own, "Stranger")


@pytest.mark.parametrize("name", catalogue.names("weight_sharing"))
def test_what_is_accepted_is_what_the_class_says(name: str) -> None:
    """Of every algorithm of weight sharing, one of the known kinds at least."""
    accepts = catalogue.accepts(name)
    assert accepts == catalogue.load(name).accepts
    assert accepts
    assert accepts <= set(DECISIONS)


def test_who_searches_by_trials_accepts_everything() -> None:
    """But for an architecture that must stay."""
    assert catalogue.accepts("random") == set(DECISIONS)
    assert catalogue.accepts("pbt") == set(DECISIONS) - {"architecture"}
