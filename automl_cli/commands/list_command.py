"""`automl list`: what there is to name in a recipe, and what has been run."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from automl_cli.commands.options import json_option

KINDS: Final = (
    "algorithms", "programs", "recipes", "overlays", "costs", "executors", "studies",
)  # fmt: skip


@click.command()
@click.argument("kind", type=click.Choice([*KINDS, "all"]), default="all")
@json_option
def list_command(kind: str, as_json: bool) -> None:
    """List algorithms, programs (all symbols), recipes, overlays, costs, executors or studies."""
    kinds = KINDS if kind == "all" else (kind,)
    found = {each: _rows(each) for each in kinds}
    if as_json:
        click.echo(json.dumps(found if kind == "all" else found[kind]))
        return
    for each, rows in found.items():
        if kind == "all":
            click.echo(click.style(each, bold=True))
        indent = "  " if kind == "all" else ""
        heads = [
            [row["name"], *([row["family"].replace("_", " ")] if "family" in row else [])]
            for row in rows
        ]
        wide = [max(map(len, column)) for column in zip(*heads, strict=True)]
        for row, head in zip(rows, heads, strict=True):
            cells = [f"{cell:<{width}}" for cell, width in zip(head, wide, strict=True)]
            click.echo(f"{indent}{'  '.join([*cells, row['about']])}".rstrip())
        if not rows:
            click.echo(f"{indent}none")


def _rows(kind: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = globals()[f"_{kind}"]()
    return rows


def _algorithms() -> list[dict[str, Any]]:
    from automl_algorithms import catalogue

    return [
        {
            "name": e.name,
            "family": e.family,
            "about": catalogue.summary(e.name),
            "options": list(catalogue.signature(e.name).params),
        }
        for e in catalogue.entries()
    ]


def _programs() -> list[dict[str, Any]]:
    from automl_cli.shipped import register_shipped
    from automl_spaces import registry

    register_shipped()
    types = [t for n in registry.names() if (t := registry.registered(n)) is not None]
    return [
        {"name": t.name, "module": t.module, "about": f"({', '.join(t.signature.params)})"}
        for t in types
        if ".costs." not in t.module
    ]


def _recipes() -> list[dict[str, Any]]:
    from automl_cli.recipe_files import recipes_root, shipped_recipes

    return [{"name": n, "about": _doc(recipes_root() / f"{n}.yaml")} for n in shipped_recipes()]


def _overlays() -> list[dict[str, Any]]:
    from automl_cli.recipe_files import recipes_root, shipped_overlays

    return [{"name": n, "about": _doc(recipes_root() / f"{n}.yaml")} for n in shipped_overlays()]


def _doc(path: Any) -> str:
    """The first line of a recipe's `doc`, or its first comment."""
    from automl_cli.recipe_files import child
    from automl_spaces.yaml_reader import compose_file

    node = compose_file(path)
    doc = child(node, "doc") if node is not None else None
    if doc is not None:
        return str(doc.value).strip().partition("\n")[0]
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def _costs() -> list[dict[str, Any]]:
    from automl_cli import costs

    return [{"name": n, "about": (costs.load(n).__doc__ or "").partition("\n")[0]}
            for n in costs.names()]  # fmt: skip


def _executors() -> list[dict[str, Any]]:
    import importlib

    from automl_cli import executors

    found = []
    for name in executors.names():
        doc = importlib.import_module(f"automl_cli.executors.{name}").__doc__ or ""
        found.append({"name": name, "about": doc.partition("\n")[0]})
    return found


def _studies() -> list[dict[str, Any]]:
    from automl_cli.ledger import Ledger
    from automl_cli.studies import ledger_path

    if not ledger_path().exists():
        return []
    with Ledger(ledger_path(), read_only=True) as ledger:
        found = []
        for study in ledger.studies():
            states = [t.state for t in ledger.trials(study.id)]
            counts = {s: states.count(s) for s in dict.fromkeys(states)}
            text = ", ".join(f"{n} {s}" for s, n in counts.items())
            rows = ledger.supernets(study.id) if not states else ()
            if rows:
                text = f"supernet at step {rows[-1].step} of {rows[-1].steps}"
            row = {"name": study.name, "state": study.state, "algorithm": study.algorithm}
            found.append({**row, "trials": counts, "about": f"{study.state}: {text or 'empty'}"})
        return found
