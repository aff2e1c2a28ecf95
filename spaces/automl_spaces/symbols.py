"""Symbols: a callable and its arguments, kept as data until it is built.

A `Symbol` is a node of a program tree. It can be inspected, edited, compared, written down and
searched over; only `build()` calls the callable. A tree is a tree: a node that already has a
place is copied when it is put into a second one, so that an edit never shows up elsewhere.

The ideas are PyGlove's (Peng et al. 2020, arXiv 2101.08809) and fiddle's; the code is our own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from automl_spaces.errors import Mark, Problems, did_you_mean
from automl_spaces.signatures import OPAQUE, REQUIRED, Signature
from automl_spaces.targets import load_target, read_signature

if TYPE_CHECKING:
    from automl_spaces.annotations import Hint
    from automl_spaces.paths import Path
    from automl_spaces.traversal import Change

ATOMS = (int, float, str, bool, bytes, type(None), complex)
_edits = itertools.count(1)


class SymbolType:
    """A callable that can stand in a program tree: its name, its parameters, where it lives.

    Calling it makes a `Symbol`. It answers `isinstance(node, Conv)`, and subclassing it
    subclasses the class behind it.

    Args:
        name: how recipes and records name it.
        module, qualname: where the callable is imported from, when it is needed.
        target: the callable itself, when it is at hand.
        source: path of the module's text, for reading the signature without importing.
    """

    __slots__ = (
        "_is_class", "_signature", "_target", "home", "module", "name", "qualname", "source",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        module: str,
        qualname: str,
        *,
        target: Callable[..., Any] | None = None,
        source: str | None = None,
        signature: Signature | None = None,
        is_class: bool = False,
    ) -> None:
        self.name, self.module, self.qualname = name, module, qualname
        self.source, self._target, self._signature = source, target, signature
        self._is_class = is_class
        # Where the callable was defined: the same for every module that hands it on.
        self.home = (
            getattr(target, "__module__", None) or module,
            getattr(target, "__qualname__", qualname),
        )

    @property
    def target(self) -> Callable[..., Any]:
        """The class or function itself, imported at the first use."""
        if self._target is None:
            self._target = load_target(self.module, self.qualname)
        return self._target

    @property
    def signature(self) -> Signature:
        """The parameters, read without importing the module where that is possible."""
        if self._signature is None:
            self._signature = read_signature(self)
        return self._signature

    @property
    def is_class(self) -> bool:
        """Whether it is known to be a class: nothing is imported to find out."""
        return self._is_class or isinstance(self._target, type)

    def __call__(self, *args: Any, **kwargs: Any) -> Symbol:
        """A node with these arguments; `UserError` for each that does not fit."""
        problems = Problems()
        bound = self.bind(args, kwargs, problems)
        problems.raise_if_any()
        return self.make({k: adopt(v) for k, v in bound.items()})

    def make(self, args: dict[str, Any], mark: Mark | None = None) -> Symbol:
        """A node of arguments that are already bound, checked and adopted."""
        return Symbol(self, args, mark)

    def bind(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        problems: Problems,
        mark: Mark | None = None,
        marks: dict[str, Mark] | None = None,
    ) -> dict[str, Any]:
        """Arguments by name; every mistake is added to `problems`."""
        signature, marks = self.signature, marks or {}
        names = [p.name for p in signature.params.values() if p.positional]
        bound = dict(zip(names, args, strict=False))
        if len(args) > len(names):
            if signature.var_positional:
                bound[signature.var_positional] = list(args[len(names) :])
            else:
                problems.add(
                    f"{self.name} takes at most {len(names)} positional "
                    f"argument{'s' * (len(names) != 1)}, {len(args)} were given",
                    mark,
                )
        for name, value in kwargs.items():
            if name in bound:
                problems.add(f"{self.name}.{name} is given twice", marks.get(name, mark))
            bound[name] = value
        self.check(bound, problems, mark, marks)
        return bound

    def check(
        self,
        args: dict[str, Any],
        problems: Problems,
        mark: Mark | None = None,
        marks: dict[str, Mark] | None = None,
    ) -> None:
        """Add to `problems` each unknown, missing or ill-typed argument."""
        signature = self.signature
        params = signature.params
        for name, value in args.items():
            param = params.get(name)
            if param is None or (param.hint is not None and not param.hint.fits(value)):
                self.check_argument(name, value, problems, (marks or {}).get(name, mark))
        missing = [name for name in signature.required if name not in args]
        if missing == ["trial"] and not self.is_class:
            return  # a function program that takes its trial: `run_program` gives it
        if missing:
            problems.add(
                f"{self.name} lacks the argument{'s' * (len(missing) > 1)} {', '.join(missing)}",
                mark,
            )

    def check_argument(
        self, name: str, value: Any, problems: Problems, mark: Mark | None = None
    ) -> None:
        """Add to `problems` what is wrong with one argument."""
        signature = self.signature
        param = signature.params.get(name)
        if param is None:
            if not signature.var_keyword and name != signature.var_positional:
                problems.add(
                    f"{self.name} has no argument {name}",
                    mark,
                    hint=did_you_mean(name, signature.params),
                )
            elif name == "$":
                problems.add(f"{self.name}: no argument can be named $", mark)
        elif param.hint is not None and value is not param.default:
            fault = misfit(param.hint, value)
            if fault:
                problems.add(f"{self.name}.{name}: expected {param.hint.text}, got {fault}", mark)

    def accept(self, node: Symbol, name: str, value: Any) -> None:
        """Raise `UserError` unless the argument of a node may be changed to this value."""
        param = self.signature.params.get(name)
        if param is None or (param.hint is not None and not param.hint.fits(value)):
            problems = Problems()
            self.check_argument(name, value, problems, node.mark)
            problems.raise_if_any()

    def default(self, name: str) -> Any:
        """The literal default of a parameter; `OPAQUE` or `REQUIRED` when there is none."""
        param = self.signature.params.get(name)
        return REQUIRED if param is None else param.default

    def made(self, value: object) -> bool:
        """Whether a value is a node of this type."""
        return isinstance(value, Symbol) and (value._type is self or value._type.home == self.home)

    def __instancecheck__(self, instance: object) -> bool:
        if isinstance(instance, Symbol):
            return self.made(instance)
        return isinstance(self.target, type) and isinstance(instance, self.target)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        if not isinstance(self.target, type):
            raise TypeError(f"{self.name} is a function and has no subclasses")
        return (self.target,)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.target, name)  # class attributes and static methods stay reachable

    def __repr__(self) -> str:
        return f"<symbol {self.name}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> SymbolType:
        return self

    def __reduce__(self) -> Any:
        return SymbolType, (self.name, self.module, self.qualname), (None, {"home": self.home})


class Symbol:
    """A node: a `SymbolType` and its arguments. Arguments are read as attributes.

    An attribute that is not an argument is asked of the built object, which is built at that
    moment and kept until the tree below is edited: `trainer.train()` just works.
    """

    __slots__ = ("_args", "_built", "_edit", "_mark", "_placed", "_type")

    def __init__(self, type: SymbolType, args: dict[str, Any], mark: Mark | None = None) -> None:
        self._type, self._args, self._mark = type, args, mark
        self._built: tuple[int, Any] | None = None
        self._edit, self._placed = 0, False

    @property
    def type(self) -> SymbolType:
        """What is called when this node is built."""
        return self._type

    @property
    def args(self) -> dict[str, Any]:
        """The arguments that were given, by name. Edit them with `rebind`."""
        return self._args

    @property
    def mark(self) -> Mark | None:
        """Where the node was written, when it came from a file."""
        return self._mark

    def get(self, name: str) -> Any:
        """The argument, or its literal default; `OPAQUE` or `REQUIRED` when there is none."""
        return self._args[name] if name in self._args else self._type.default(name)

    def __getitem__(self, name: str) -> Any:
        return self._args[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = self.get(name)
        if value is not REQUIRED and value is not OPAQUE:
            return value
        if value is REQUIRED and name in self._type.signature.params:
            raise AttributeError(f"{self._type.name}.{name} is not given")
        return getattr(self.instance(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Build and call; a function program that was run by building it gives its result."""
        built = self.instance() if isinstance(self._type.target, type) else self.build()
        return built(*args, **kwargs) if callable(built) else built

    # Editing and asking: one traversal serves all of it.

    def clone(self) -> Symbol:
        """A deep copy that shares nothing that can be changed."""
        return clone(self)  # type: ignore[no-any-return]

    def rebind(self, edits: Any = None, /, **by_name: Any) -> Symbol:
        """Change this tree in place and return it; see `traversal.rebind`."""
        from automl_spaces.traversal import rebind

        rebind(self, edits, by_name)
        return self

    def query(self, what: Any) -> dict[str, Any]:
        """Every place that fits, by path; see `traversal.query`."""
        from automl_spaces.traversal import query

        return query(self, what)

    def walk(self) -> Iterator[tuple[Path, Any, Symbol | None]]:
        """Every (path, value, parent node) of the tree, parents first."""
        from automl_spaces.traversal import walk

        return walk(self)

    def diff(self, other: Any) -> list[Change]:
        """What changes from this tree to another."""
        from automl_spaces.traversal import diff

        return diff(self, other)

    def __eq__(self, other: object) -> bool:
        from automl_spaces.traversal import same

        return same(self, other) if isinstance(other, Symbol) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it can change; `fingerprint` hashes the content

    def fingerprint(self) -> str:
        """16 hexadecimal digits; equal trees have equal fingerprints."""
        from automl_spaces.json_form import fingerprint

        return fingerprint(self)

    def to_json(self) -> str:
        """Names and data, nothing executable; see `json_form`."""
        from automl_spaces.json_form import to_json

        return to_json(self)

    @staticmethod
    def from_json(text: str, imports: tuple[str, ...] | list[str] = ()) -> Any:
        """Inverse of `to_json`; modules that are not registered must be listed in `imports`."""
        from automl_spaces.json_form import from_json

        return from_json(text, imports)

    # Building.

    def build(self, **extra: Any) -> Any:
        """Call the callable, children first. `extra` adds or overrides arguments.

        Raises:
            UserError: when a choice below is still open.
        """
        args = {k: build(v) for k, v in self._args.items()} | extra
        signature = self._type.signature
        if not signature.in_order and not signature.var_positional:
            return self._type.target(**args)
        return self._type.target(*signature.arrange(args), **args)

    def instance(self) -> Any:
        """The built object, made once and kept until something below it is edited."""
        edit = _newest_edit(self)
        if self._built is None or self._built[0] != edit:
            self._built = (edit, self.build())
        return self._built[1]

    def _misfit(self, hint: Hint) -> str:
        """How what this node builds into fails a hint: an object is no plain number or text."""
        return f"the node {self._type.name}" if hint.scalars and self._type.is_class else ""

    def touch(self) -> None:
        """Note that the arguments changed, so that a built object is not used any more."""
        self._edit = next(_edits)

    def __repr__(self) -> str:
        inside = ", ".join(f"{k}={v!r}" for k, v in self._args.items())
        return f"{self._type.name}({inside})"

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._args]

    def __deepcopy__(self, memo: dict[int, Any]) -> Symbol:
        return self.clone()

    def __reduce__(self) -> Any:
        # Neither the built object nor the count of edits means anything in another process.
        made = (self._type, self._args, self._mark)
        return self.__class__, made, (None, {"_placed": self._placed})


def _newest_edit(value: Any) -> int:
    if isinstance(value, Symbol):
        return max(value._edit, *map(_newest_edit, value._args.values()), 0)
    if isinstance(value, list | tuple):
        return max(map(_newest_edit, value), default=0)
    if isinstance(value, dict):
        return max(map(_newest_edit, value.values()), default=0)
    return 0


def build(value: Any) -> Any:
    """Build whatever is symbolic in a value."""
    if isinstance(value, Symbol):
        return value.build()
    if isinstance(value, list):
        return [build(v) for v in value]
    if isinstance(value, tuple):
        return tuple(build(v) for v in value)
    if isinstance(value, dict):
        return {k: build(v) for k, v in value.items()}
    return value


def clone(value: Any) -> Any:
    """A deep copy of a tree; the copy has no place in any other tree."""
    kind = value.__class__
    if kind in ATOMS:
        return value
    if isinstance(value, Symbol):
        new = kind.__new__(kind)
        new._type, new._mark, new._built = value._type, value._mark, None
        new._edit, new._placed = 0, False
        args = new._args = value._args.copy()
        for k, v in args.items():
            if v.__class__ not in ATOMS:
                child = args[k] = clone(v)
                if isinstance(child, Symbol):
                    child._placed = True
        return new
    if isinstance(value, list | tuple):
        items = [clone(v) for v in value]
        for item in items:
            if isinstance(item, Symbol):
                item._placed = True
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, dict):
        copied = {k: clone(v) for k, v in value.items()}
        for item in copied.values():
            if isinstance(item, Symbol):
                item._placed = True
        return copied
    import copy  # an object of the user's; programs of data alone have none

    return copy.deepcopy(value)


def adopt(value: Any) -> Any:
    """Give a value a place in a tree: nodes that have one already are copied, lists are owned."""
    if isinstance(value, Symbol):
        if value._placed:
            value = clone(value)
        value._placed = True
        return value
    if isinstance(value, list | tuple):
        items = [adopt(v) for v in value]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, dict):
        return {k: adopt(v) for k, v in value.items()}
    return value


def misfit(hint: Hint, value: Any) -> str:
    """How a value that may be symbolic fails a type hint; empty when it fits."""
    if isinstance(value, Symbol):
        return value._misfit(hint)
    if hint.fits(value) or (isinstance(value, list | tuple | dict) and _symbolic(value)):
        return ""  # what the elements build into is not known before they are built
    return f"{type(value).__name__} {value!r}"


def _symbolic(value: Any) -> bool:
    if isinstance(value, list | tuple | dict):
        return any(map(_symbolic, value.values() if isinstance(value, dict) else value))
    return isinstance(value, Symbol)
