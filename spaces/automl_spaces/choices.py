"""Choices: the nodes that turn a static program into a space of programs.

A choice is a `Symbol` like any other, so it is edited, compared and written down in the same
way; it only cannot be built. `oneof`, `manyof`, `permutate`, `floatv` and `intv` make them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from automl_spaces.annotations import Hint, read_hint
from automl_spaces.errors import Mark, Problems, UserError, did_you_mean
from automl_spaces.scales import SCALES
from automl_spaces.signatures import OPAQUE, REQUIRED, Param, Signature
from automl_spaces.symbols import ATOMS, Symbol, SymbolType, adopt, misfit

UNSET: Final = object()


class Choice(Symbol):
    """An open decision. Its arguments are the candidates or the range.

    `default` holds the value that the choice replaced, when it replaced one: the static program
    stays a point of the space and can be its first trial.
    """

    __slots__ = ()

    def build(self, **extra: Any) -> Any:
        """Refuse: a choice is decided first."""
        raise UserError(f"{self!r} is still open: materialise the space first", self.mark)

    def __getattr__(self, name: str) -> Any:
        value = OPAQUE if name.startswith("_") else self.get(name)
        if value is OPAQUE or value is REQUIRED:  # there is no built object to ask
            raise AttributeError(f"{self._type.name} has no {name}")
        return value

    @property
    def has_default(self) -> bool:
        """Whether the value of the static program is known."""
        return "default" in self._args

    def _misfit(self, hint: Hint) -> str:
        kind = self._type.name
        if kind == "oneof":
            for candidate in self._args["candidates"]:
                fault = misfit(hint, candidate)
                if fault:
                    return f"the candidate {fault}"
            return ""
        if kind in ("manyof", "permutate"):
            return f"a list from {kind}" if hint.scalars and not hint.fits([]) else ""
        low = self._args["min"]
        return "" if hint.fits(low if kind == "intv" else float(low)) else f"a number from {kind}"


class ChoiceType(SymbolType):
    """The type of a choice; making one checks that it can be decided at all."""

    __slots__ = ("positional_is",)

    def __init__(self, name: str, params: list[Param], positional_is: str) -> None:
        super().__init__(name, "automl_spaces.choices", name, signature=Signature(params))
        self.positional_is = positional_is  # what a bare list in YAML means

    def make(self, args: dict[str, Any], mark: Mark | None = None) -> Choice:
        """A choice of arguments that are already bound and checked."""
        return Choice(self, args, mark)

    def check(
        self,
        args: dict[str, Any],
        problems: Problems,
        mark: Mark | None = None,
        marks: dict[str, Mark] | None = None,
    ) -> None:
        """The names and types of the arguments, then whether they leave anything to choose."""
        before = len(problems.found)
        super().check(args, problems, mark, marks)
        if len(problems.found) > before:
            return
        check = _check_number if self.name in ("floatv", "intv") else _check_candidates
        for message in check(self.name, args):
            problems.add(message, mark)

    def __reduce__(self) -> Any:
        return _choice_type, (self.name,)


def _choice_type(name: str) -> ChoiceType:
    return CHOICES[name]


def _check_candidates(kind: str, args: dict[str, Any]) -> Iterable[str]:
    candidates, labels = args["candidates"], args.get("labels")
    if not candidates:
        yield f"{kind} has no candidates"
    first: dict[Any, int] = {}
    for i, candidate in enumerate(candidates):
        j = first.setdefault(_content(candidate), i)
        if j != i:
            yield f"{kind}: the candidates {j} and {i} are equal ({candidate!r})"
    if labels is not None and (len(labels) != len(candidates) or len({*labels}) < len(labels)):
        yield f"{kind}: {len(candidates)} candidates need as many different labels"
    if kind == "manyof" and candidates:
        k, distinct = args["k"], args.get("distinct", True)
        if k < 1:
            yield f"manyof: k must be at least 1, not {k}"
        elif distinct and k > len(candidates):
            yield f"manyof: cannot take {k} distinct ones of {len(candidates)} candidates"


def _content(candidate: Any) -> Any:
    """Equal for equal candidates."""
    if isinstance(candidate, ATOMS):
        number = isinstance(candidate, int | float) and not isinstance(candidate, bool)
        same = number and candidate == candidate  # noqa: PLR0124 - NaN is not
        return candidate if same else (type(candidate), repr(candidate))
    from automl_spaces.json_form import canonical

    try:
        return canonical(candidate)
    except UserError:  # not data, so it equals only itself
        return "object", id(candidate)


def _check_number(kind: str, args: dict[str, Any]) -> Iterable[str]:
    low, high, scale, step = args["min"], args["max"], args.get("scale", "linear"), args.get("step")
    if scale not in SCALES:
        hint = did_you_mean(scale, SCALES)
        yield f"{kind}: unknown scale {scale}" + f" ({hint})" * bool(hint)
    if not (abs(low) <= _LARGEST[kind] and abs(high) <= _LARGEST[kind]):
        yield f"{kind}: min and max must be within +-{_LARGEST[kind]:.4g}, not {low} and {high}"
    elif low > high:
        yield f"{kind}: min {low} is above max {high}"
    elif scale in ("log", "reverse_log") and low <= 0:
        yield f"{kind}: a {scale} scale needs min above 0, not {low}"
    if step is not None and not 0 < step < float("inf"):
        yield f"{kind}: step must be above 0, not {step}"


# Halves, so that max - min is finite; whole numbers that a float holds exactly.
_LARGEST: Final = {"floatv": sys.float_info.max / 2, "intv": 2**53}
_ANY_LIST = read_hint("list")
_NAME = Param("name", None, read_hint("str | None"), positional=False)
_LABELS = Param("labels", None, read_hint("list[str] | None"), positional=False)
_DEFAULT = Param("default", OPAQUE, None, positional=False)
_CANDIDATES = Param("candidates", hint=_ANY_LIST)


def _range(hint: str, step: Any) -> list[Param]:
    return [
        Param("min", hint=read_hint(hint)),
        Param("max", hint=read_hint(hint)),
        Param("scale", "linear", read_hint("str")),
        Param("step", step, read_hint(f"{hint} | None" if step is None else hint)),
        _NAME,
        _DEFAULT,
    ]


ONEOF: Final = ChoiceType("oneof", [_CANDIDATES, _NAME, _LABELS, _DEFAULT], "candidates")
MANYOF: Final = ChoiceType(
    "manyof",
    [
        Param("k", hint=read_hint("int")),
        _CANDIDATES,
        Param("distinct", True, read_hint("bool"), positional=False),
        Param("sorted", False, read_hint("bool"), positional=False),
        _NAME,
        _LABELS,
        _DEFAULT,
    ],
    "",
)
PERMUTATE: Final = ChoiceType("permutate", [_CANDIDATES, _NAME, _LABELS, _DEFAULT], "candidates")
FLOATV: Final = ChoiceType("floatv", _range("float", None), "")
INTV: Final = ChoiceType("intv", _range("int", 1), "")
CHOICES: Final = {t.name: t for t in (ONEOF, MANYOF, PERMUTATE, FLOATV, INTV)}


def _make(type: ChoiceType, args: dict[str, Any]) -> Any:
    problems = Problems()
    type.check(args, problems)
    problems.raise_if_any()
    return type.make({k: adopt(v) for k, v in args.items()})


def _named(name: str | None, default: Any, args: dict[str, Any]) -> dict[str, Any]:
    if name is not None:
        args["name"] = name
    if default is not UNSET:
        args["default"] = default
    return args


def _split(candidates: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(candidates, Mapping):
        return {"candidates": list(candidates.values()), "labels": list(map(str, candidates))}
    return {"candidates": list(candidates)}


def oneof(
    candidates: Sequence[Any] | Mapping[str, Any], name: str | None = None, default: Any = UNSET
) -> Any:
    """One of several candidates, which may hold choices themselves.

    Args:
        candidates: values or nodes; as a mapping, its keys are the labels.
        name: choices of one name are one decision.
        default: the static program's value, for the first trial.

    Raises:
        UserError: no candidates, or two that are equal.
    """
    return _make(ONEOF, _named(name, default, _split(candidates)))


def manyof(
    k: int,
    candidates: Sequence[Any] | Mapping[str, Any],
    distinct: bool = True,
    sorted: bool = False,
    name: str | None = None,
    default: Any = UNSET,
) -> Any:
    """A list of k candidates; `distinct` forbids repeats, `sorted` keeps the candidates' order."""
    args = {"k": k, **_split(candidates), "distinct": distinct, "sorted": sorted}
    return _make(MANYOF, _named(name, default, args))


def permutate(
    candidates: Sequence[Any] | Mapping[str, Any], name: str | None = None, default: Any = UNSET
) -> Any:
    """All candidates as a list, in an order to be found."""
    return _make(PERMUTATE, _named(name, default, _split(candidates)))


def floatv(
    min: float,
    max: float,
    scale: str = "linear",
    step: float | None = None,
    name: str | None = None,
    default: Any = UNSET,
) -> Any:
    """A number in [min, max], on a linear, log or reverse_log scale; with `step`, on a grid.

    Raises:
        UserError: min above max, or a logarithm of what is not above 0.
    """
    args = {"min": min, "max": max, "scale": scale, "step": step}
    return _make(FLOATV, _named(name, default, args))


def intv(
    min: int,
    max: int,
    step: int = 1,
    scale: str = "linear",
    name: str | None = None,
    default: Any = UNSET,
) -> Any:
    """A whole number in min, min + step, ..., max."""
    args = {"min": min, "max": max, "scale": scale, "step": step}
    return _make(INTV, _named(name, default, args))


def has_choices(value: Any) -> bool:
    """Whether anything in a tree is still open."""
    if isinstance(value, Choice):
        return True
    if isinstance(value, Symbol):
        return any(map(has_choices, value.args.values()))
    if isinstance(value, list | tuple):
        return any(map(has_choices, value))
    return isinstance(value, dict) and any(map(has_choices, value.values()))
