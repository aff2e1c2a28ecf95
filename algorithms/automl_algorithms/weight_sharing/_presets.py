"""Named settings of an algorithm, which options override one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from automl_spaces.errors import UserError, did_you_mean

_Preset = TypeVar("_Preset", bound=tuple[Any, ...])


def chosen(presets: Mapping[str, _Preset], preset: str, **options: Any) -> _Preset:
    """A preset, a NamedTuple, with the options that are not None in the place of its own.

    Raises:
        UserError: there is no such preset.
    """
    if preset not in presets:
        raise UserError(f"there is no preset {preset}", hint=did_you_mean(preset, presets))
    given = {name: value for name, value in options.items() if value is not None}
    return presets[preset]._replace(**given)  # type: ignore[attr-defined, no-any-return]


def one_of(name: str, value: object, possible: tuple[Any, ...]) -> None:
    """See that an option has one of its values.

    Raises:
        UserError: it has not.
    """
    if value not in possible:
        known = ", ".join(map(str, possible))
        hint = did_you_mean(str(value), map(str, possible))
        raise UserError(f"{name} is one of {known}, not {value}", hint=hint)
