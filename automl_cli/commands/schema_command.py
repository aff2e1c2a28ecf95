"""`automl schema`: a JSON Schema of recipes, for completion and checks in editors."""

from __future__ import annotations

import json
from typing import Any, Final

import click

_TYPES: Final = {"int": "integer", "float": "number", "str": "string", "bool": "boolean"}


@click.command()
def schema_command() -> None:
    """Print a JSON Schema of recipes.

    In VS Code: "yaml.schemas": {"automl.schema.json": "recipes/**/*.yaml"}, and
    "yaml.customTags" with the names that `automl list programs` prints.
    """
    click.echo(json.dumps(schema(), indent=2))


def _type(hint: str) -> dict[str, Any]:
    names = [n.strip() for n in hint.split("|")]
    if names == ["list[str]"]:
        return {"type": "array", "items": {"type": "string"}}
    kinds = ["null" if n == "None" else _TYPES[n] for n in names]
    return {"type": kinds[0] if len(kinds) == 1 else kinds}


def schema() -> dict[str, Any]:
    """The schema as data."""
    from automl_algorithms import catalogue
    from automl_algorithms.constraints import WEIGHTS
    from automl_cli.recipe_schema import KEYS, SECTIONS

    goal = {
        "type": "object",
        "properties": {"maximize": {"type": "string"}, "minimize": {"type": "string"}},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
    bounds = {
        "oneOf": [
            {"type": "string", "pattern": r"<=|>=|\.\."},
            {
                "type": "object",
                "properties": {
                    "min": {"type": "number"},
                    "max": {"type": "number"},
                    "reward": {"enum": list(WEIGHTS)},
                    "weight": {"type": "number", "maximum": 0},
                },
                "additionalProperties": False,
            },
        ]
    }
    count = {"type": "integer", "minimum": 1}
    paths = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    phase = {
        "type": "object",
        "properties": {"decide": paths, "trials": count, "repeat": count},
        "additionalProperties": False,
        "oneOf": [{"required": ["decide", "trials"]}, {"required": ["repeat"]}],
    }
    special: dict[str, dict[str, Any]] = {
        "program": {},
        "space": {
            "oneOf": [
                {"type": "string"},
                {"type": "null"},
                {"type": "array", "items": {"type": ["string", "object"]}},
            ]
        },
        "objective": {"oneOf": [goal, {"type": "array", "items": goal}]},
        "algorithm": {
            "oneOf": [
                {"type": "string", "enum": catalogue.names()},
                {"type": "object", "required": ["name"],
                 "properties": {"name": {"enum": catalogue.names()}}},
            ]
        },
        "constraints": {"type": "object", "additionalProperties": bounds},
        "phases": {"type": ["array", "null"], "items": phase},
    }  # fmt: skip
    properties: dict[str, Any] = {}
    for key, (hint, about) in KEYS.items():
        if key in SECTIONS:
            inside = {
                name: {**_type(kind), "description": text}
                for name, (kind, _, text) in SECTIONS[key].items()
            }
            kind = {"type": "object", "properties": inside, "additionalProperties": False}
        else:
            kind = special[key] if key in special else _type(hint)
        properties[key] = {**kind, "description": about}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "automl recipe",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "anyOf": [{"required": ["program"]}, {"required": ["extends"]}],
    }
