"""Which decision points a path or a pattern means."""

from __future__ import annotations

import re

from automl_spaces.choices import Choice
from automl_spaces.errors import PathError, UserError, did_you_mean
from automl_spaces.paths import ANY_DEPTH, ANY_INDEX, Path, Wild, format_path, parse_path
from automl_spaces.space import Space
from automl_spaces.traversal import walk

_LABEL = re.compile(r"\([^()]*\)")


def select(space: Space, pattern: str) -> frozenset[int]:
    """The indices of the points at or below a place, a pattern's places, or a choice's name.

    `model` and `model.blocks[*].kernel_size` mean points wherever they are decided: a choice
    inside of a candidate (`optimizer(Adam).lr`) is found by its path (`optimizer.lr`), one that
    has a name by each of the places that share it. Slots of one choice come together.

    Raises:
        UserError: when there is no such point, with the nearest place.
    """
    try:
        keys: Path | None = parse_path(pattern, pattern=True)
    except PathError:
        keys = None  # it may still be an id, with the labels of candidates in it
    places = _places_of_names(space)
    found: set[int] = set()
    known: dict[str, None] = {}
    for point in space.points:
        for address in _addresses(point.id, places):
            path = _path(address)
            if _below(address, pattern) or (keys and path and _leads(keys, path)):
                found.update(point.group.indices if point.group else (point.index,))
            known.update(dict.fromkeys(_wider(address, path)))
    if not found:
        hint = did_you_mean(pattern, known)
        raise UserError(f"no decision point is at {pattern}", hint=hint)
    return frozenset(found)


def _places_of_names(space: Space) -> dict[str, list[str]]:
    """Where the choices of each name stand."""
    found: dict[str, list[str]] = {}
    for path, value, _ in walk(space.template):
        if isinstance(value, Choice) and value.args.get("name"):
            found.setdefault(value.args["name"], []).append(format_path(path))
    return found


def _addresses(id: str, names: dict[str, list[str]]) -> list[str]:
    """The id of a point, and for one that begins with a name the places of the name."""
    shared = [name for name in names if _below(id, name)]
    name = max(shared, key=len, default="")
    return [id, *(place + id[len(name) :] for place in names.get(name, ()))]


def _below(id: str, place: str) -> bool:
    return id == place or (id.startswith(place) and id[len(place)] in ".[(")


def _path(address: str) -> Path | None:
    """The keys of an address without the labels of candidates; None when it has none."""
    bare = address
    while (shorter := _LABEL.sub("", bare)) != bare:  # labels may hold brackets themselves
        bare = shorter
    try:
        return parse_path(bare)
    except PathError:
        return None


def _leads(keys: Path, path: Path) -> bool:
    """Whether a pattern fits the beginning of a path."""
    if not keys:
        return True
    if keys[0] is ANY_DEPTH:
        return any(_leads(keys[1:], path[i:]) for i in range(len(path) + 1))
    if not path:
        return False
    head = keys[0]
    fits = head.fits(path[0], isinstance(path[0], int)) if isinstance(head, Wild) else False
    return (fits or head == path[0]) and _leads(keys[1:], path[1:])


def _wider(address: str, path: Path | None) -> list[str]:
    """What else could have been meant: the places above, also with any position."""
    if path is None:
        return [address]
    above = [path[: i + 1] for i in range(len(path))]
    general = [tuple(ANY_INDEX if isinstance(k, int) else k for k in p) for p in above]
    return [address, *map(format_path, above), *map(format_path, general)]
