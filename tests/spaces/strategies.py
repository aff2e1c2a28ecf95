"""Random trees and random spaces: every kind of choice, nested, shared and conditional."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from automl_spaces.choices import floatv, intv, manyof, oneof, permutate
from automl_spaces.json_form import canonical
from automl_spaces.scales import SCALES
from automl_spaces.space import Space

from .programs import SGD, Conv, anything

LAW = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))

AWKWARD = [
    "1e-3", "no", "~", "", "12:30", "null", "true", "0x1F", "0o7", ".5", "1_000", "-", "- a", "#",
    "a: b", "$self", "$", "!Conv", "&a", "*a", "line\n", "two\nlines", "two\nlines\n", "\n", " x ",
    "tab\t", "\u00e9\u4e2d\U0001f600", "\u2028", "\x85", "\ufeff", "\x00", "'\"\\", "a.b", "[0]",
    "  two\n leading\n", "trailing \nblank\n\n", "?", "|", ">", "%", "@", "`", "---", "...", "<<",
]  # fmt: skip
texts = st.sampled_from(AWKWARD) | st.text(max_size=6)
names = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True).filter(lambda n: n != "self")
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
)  # fmt: skip


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(inner, max_size=3)
        | st.dictionaries(texts, inner, max_size=3)
        | st.dictionaries(names, inner, max_size=3).map(lambda parts: anything(**parts))
    )


def _nodes(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    conv = st.builds(Conv, st.integers(1, 9), st.integers(1, 64))
    sgd = st.builds(lambda lr: SGD(lr=lr), st.floats(1e-6, 1.0))
    return _containers(inner) | conv | sgd


trees = st.recursive(leaves, _nodes, max_leaves=10)
"""Static trees: whatever a recipe can say without a choice."""
programs = st.dictionaries(names, trees, max_size=3).map(lambda parts: anything(**parts))
"""Static trees whose root is a node."""


@st.composite
def numbers(draw: st.DrawFn) -> Any:
    """A `floatv` or `intv` of any scale, on a grid or not."""
    scale = draw(st.sampled_from(SCALES))
    if draw(st.booleans()):
        first = draw(st.integers(1, 9)) if scale != "linear" else draw(st.integers(-9, 9))
        last = first + draw(st.integers(0, 12))
        return intv(first, last, step=draw(st.integers(1, 4)), scale=scale)
    low = draw(st.floats(1e-6, 10.0)) if scale != "linear" else draw(st.floats(-10.0, 10.0))
    width = draw(st.sampled_from([0.0, 0.3, 1.0, 1000.0]))
    step = draw(st.none() | st.sampled_from([0.1, 0.25, 1.0, 3.0])) if width < 1000.0 else None
    return floatv(low, low + width, scale=scale, step=step)


def grids() -> st.SearchStrategy[Any]:
    """A number of few values."""
    return st.builds(
        lambda low, n, step, scale: intv(low, low + n, step=step, scale=scale),
        st.integers(1, 5), st.integers(0, 4), st.integers(1, 2), st.sampled_from(SCALES),
    )  # fmt: skip


SHARED = {
    "shared_s": lambda: oneof([1, 2, 3], name="shared_s"),
    "shared_t": lambda: oneof(
        {"sgd": SGD(floatv(0.1, 0.9, step=0.4)), "none": None}, name="shared_t"
    ),
    "shared_m": lambda: manyof(
        2, ["a", "b", {"inner": oneof([1, 2], name="shared_s2")}], name="shared_m"
    ),
    "shared_u": lambda: oneof([oneof([1, 2, 3], name="shared_s"), "one", 2], name="shared_u"),
}
shared = st.sampled_from(sorted(SHARED)).map(lambda name: SHARED[name]())
"""Choices with names: wherever they stand, one name is one decision."""


@st.composite
def _selections(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> Any:
    candidates = draw(st.lists(inner, min_size=1, max_size=4, unique_by=canonical))
    kind = draw(st.sampled_from(["oneof", "labelled", "manyof", "permutate"]))
    if kind == "oneof":
        return oneof(candidates)
    if kind == "labelled":
        return oneof({f"label {i}": c for i, c in enumerate(candidates)})
    if kind == "permutate":
        return permutate(candidates[:3])
    distinct, ordered = draw(st.booleans()), draw(st.booleans())
    k = draw(st.integers(1, min(3, len(candidates)) if distinct else 3))
    return manyof(k, candidates, distinct=distinct, sorted=ordered)


def _templates(number: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    open_leaves: st.SearchStrategy[Any] = (
        leaves | number | shared | st.just([]) | st.builds(Conv, kernel_size=grids())
    )
    inside = st.recursive(
        open_leaves, lambda inner: _nodes(inner) | _selections(inner), max_leaves=7
    )
    parts = st.dictionaries(names, _selections(inside) | inside, min_size=1, max_size=3)
    return parts.map(lambda given: anything(**given))


templates = _templates(numbers())
"""Trees with choices of every kind."""
spaces = templates.map(Space.compile)
"""Compiled spaces."""
small_spaces = _templates(grids()).map(Space.compile).filter(lambda space: space.size <= 400)
"""Finite spaces that can be enumerated."""
