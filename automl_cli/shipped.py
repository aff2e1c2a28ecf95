"""The symbols that come with automl, learned from their text: nothing is imported."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from automl_spaces import registry

PACKAGES = ("programs", "datasets", "costs", "hardware")
ENTRY_POINTS = "automl.symbols"


@cache
def register_shipped() -> None:
    """Make the shipped programs and data sets nameable in recipes. Cheap, and done once."""
    for package in PACKAGES:
        registry.scan(Path(__file__).parent / package, f"{__package__}.{package}")
