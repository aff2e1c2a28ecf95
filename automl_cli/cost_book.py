"""Costs of proposed programs, computed once each, and the constraints on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from automl_cli import costs
from automl_spaces.errors import AutomlError


class CostBook:
    """What is known of a program before it runs.

    Args:
        names: of the costs; they are looked up in the catalogue.
        bounds: per cost, the lowest and the highest value accepted.

    Raises:
        UserError: for a cost that does not exist.
    """

    def __init__(
        self, names: Iterable[str], bounds: Mapping[str, tuple[float, float]] | None = None
    ) -> None:
        self._functions: dict[str, Callable[[Any], float]] = {n: costs.load(n) for n in names}
        self._bounds = bounds or {}
        self._last: tuple[Any, dict[str, float]] = (None, {})

    def of(self, program: Any) -> dict[str, float]:
        """Every cost of a program, by name.

        Raises:
            Infeasible: when the program cannot be run as it is described.
            AutomlError: when a cost function fails.
        """
        if self._last[0] is not program:  # accepting a proposal has computed them already
            found = {name: self._compute(name, program) for name in self._functions}
            self._last = (program, found)
        return self._last[1]

    def refusal(self, _: Any, program: Any) -> str | None:
        """Why a program is turned down: it cannot be run, or a constraint forbids it; or None."""
        try:
            known = self.of(program)
        except costs.Infeasible as error:
            return str(error)
        for name, (low, high) in self._bounds.items():
            if not low <= known[name] <= high:
                return f"{name} {known[name]:.4g} is not in [{low:.4g}, {high:.4g}]"
        return None

    def _compute(self, name: str, program: Any) -> float:
        try:
            return self._functions[name](program)
        except AutomlError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise AutomlError(f"the cost {name} failed: {what}") from error
