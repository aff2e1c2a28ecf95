"""From decision records to a benchmark's names and back, and published networks as studies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl_cli.programs.cell_net import cell_of
from automl_cli.recipe import load_recipe
from automl_cli.tables.sources import open_table
from automl_spaces.space import Space
from tests.automl_cli.command_line import Project
from tests.automl_cli.report_studies import record, row
from tests.automl_cli.tables.sources import CONVS, DATA, needs_npz

GDAS = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|nor_conv_1x1~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|avg_pool_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|nor_conv_3x3~0|nor_conv_1x1~1|"
    "nor_conv_1x1~2|",
)
"""Of three searches on CIFAR-10, from the README of NATS-Bench."""


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Project:
    """A project folder, and the tables."""
    monkeypatch.setenv("AUTOML_NATS", str(DATA))
    open_table.cache_clear()
    return Project(tmp_path, monkeypatch, capsys)


def test_every_cell_has_its_name() -> None:
    """Records of the space that trains, as the ledger has them, in the space that looks up.

    All 15,625 names differ, and each leads back to the record.
    """
    trained = Space.compile(load_recipe("cells/topology").template)
    looked_up = Space.compile(load_recipe("nats/topology").template)
    names = set()
    for decisions in trained.enumerate():
        text = decisions.to_json()
        model = looked_up.materialise(looked_up.decode(text)).build().model
        names.add(model.arch)
        assert cell_of(model.arch) == model.cell
        assert _decisions(model.arch) == json.loads(text)
    assert len(names) == 15_625


@needs_npz
def test_published_networks_score_as_published(project: Project) -> None:
    """GDAS's three cells come to 89.68 +- 0.72, by population; ENAS's one to 90.20."""
    ledger = project.folder / ".automl" / "ledger.db"
    for seed, arch in enumerate(GDAS):
        record(ledger, row("cells", seed, "gdas"), [{"m": 0.9}], [_decisions(arch)])
    record(ledger, row("cells", 0, "enas"), [{"m": 0.9}], [_decisions(CONVS)])
    outcome = project("score", "cells", "--on", "nats/topology", "--json")
    groups = json.loads(outcome.out)["groups"]
    assert groups["cells gdas"]["final_accuracy"] == pytest.approx([89.68, 0.72, 3], abs=0.005)
    assert groups["cells enas"]["final_accuracy"] == pytest.approx([90.20, 0, 1], abs=0.005)


@needs_npz
def test_the_published_table_is_printed(project: Project) -> None:
    """To the second decimal, beside what is looked up."""
    out = project("score", "--published", "--on", "nats/topology").out
    (line,) = [x for x in out.splitlines() if x.startswith("GDAS") and " final_accuracy" in x]
    assert line.split()[-8:] == ["3", "89.68", "±", "0.72", "89.68", "±", "0.72", "yes"]


def _decisions(arch: str) -> dict[str, str]:
    """The record of a cell."""
    return {
        f"model.cell[{node}][{source}]": operation
        for node, edges in enumerate(cell_of(arch))
        for source, operation in enumerate(edges)
    }
