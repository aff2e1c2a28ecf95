"""What makes the start of MLflow quicker."""

from __future__ import annotations

import gc
import importlib
import sys

import pytest

from automl_cli.mlflow_import import hidden, lasting

UNUSED = "sched"  # of the standard library; nothing here imports it


def test_a_hidden_package_cannot_be_imported_and_then_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it were not installed, meanwhile."""
    monkeypatch.delitem(sys.modules, UNUSED, raising=False)
    with hidden(UNUSED), pytest.raises(ImportError):
        importlib.import_module(UNUSED)
    assert importlib.import_module(UNUSED).scheduler


def test_what_is_imported_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hiding it then would make a second copy of it later."""
    module = importlib.import_module("json")
    with hidden("json"):
        assert importlib.import_module("json") is module
    assert sys.modules["json"] is module


def test_all_comes_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import that fails hides nothing for good."""
    monkeypatch.delitem(sys.modules, UNUSED, raising=False)
    with pytest.raises(ZeroDivisionError), hidden(UNUSED):
        1 / 0
    assert UNUSED not in sys.modules


@pytest.mark.parametrize("on", [True, False])
def test_garbage_is_left_alone_meanwhile(on: bool) -> None:
    """What is made inside is frozen, and the collector is afterwards what it was before."""
    before, frozen = gc.isenabled(), gc.get_freeze_count()
    (gc.enable if on else gc.disable)()
    try:
        with lasting():
            assert not gc.isenabled()
            made = [[i] for i in range(1000)]
        assert gc.isenabled() is on
        assert gc.get_freeze_count() >= frozen + len(made)
    finally:
        gc.unfreeze()
        (gc.enable if before else gc.disable)()
