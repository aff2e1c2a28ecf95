"""Reads a merged recipe, key by key.

Every mistake of every file is noted before any is raised, so that a user sees all of them at
once, and nothing has been written by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from automl_cli import recipe_files as files
from automl_cli.recipe import Recipe
from automl_cli.recipe_schema import CHARGES, CHILDREN, KEYS, LOWEST, ON_NAN, SECTIONS
from automl_spaces import overlays
from automl_spaces.annotations import read_hint
from automl_spaces.errors import AutomlError, Mark, Problems, UserError, did_you_mean
from automl_spaces.objective import Objective
from automl_spaces.symbols import Symbol
from automl_spaces.yaml_reader import STANDARD, compose_file, mark_of, plain
from automl_spaces.yaml_values import Reader

if TYPE_CHECKING:
    from automl_algorithms.constraints import Constraint
    from automl_cli.recipe_phases import Phases


class RecipeReader:
    """Reads the keys of a merged recipe, noting every mistake and going on."""

    def __init__(self, loaded: files.Loaded) -> None:
        self.loaded, self.problems = loaded, Problems()
        self.nodes: dict[str, Node] = {k.value: v for k, v in loaded.node.value}
        self.marks = {k.value: mark_of(k) for k, _ in loaded.node.value}

    def read(self) -> Recipe:
        """The recipe; `UserError` with every mistake."""
        for key, mark in self.marks.items():
            if key not in KEYS:
                self.problems.add(f"a recipe has no key {key}", mark, hint=did_you_mean(key, KEYS))
        imports = tuple(self._typed("imports", []) or ())
        before = len(self.problems.found)
        program = self._program(imports)
        template, overlay_files = self._space(program, imports, before)
        algorithm, options = self._algorithm()
        constraints = self._constraints()
        recipe = Recipe(
            name=self._typed("name", None) or _default_name(self.loaded.files[0]),
            path=self.loaded.files[0],
            files=self.loaded.files,
            program=program,
            template=template,
            overlays=overlay_files,
            objectives=self._objectives(),
            algorithm=algorithm,
            options=options,
            budget=self._section("budget"),
            sharing=self._section("sharing"),
            run=self._section("run"),
            tracking=self._section("tracking"),
            imports=imports,
            costs=self._costs(constraints),
            constraints=constraints,
            phases=self._phases(),
            baseline=self._typed("baseline", True),
            unique=self._typed("unique", True),
            seed=self._typed("seed", 0),
            doc=self._typed("doc", ""),
            marks=self.marks,
        )
        self._check(recipe)
        self.problems.raise_if_any()
        return recipe

    def _check(self, recipe: Recipe) -> None:
        for section in ("budget", "sharing", "run"):
            for key, value in getattr(recipe, section).items():
                low = LOWEST.get(key)
                if low is not None and value is not None and not value >= low:
                    what = f"must be at least {low}, not {value}"
                    self.problems.add(what, self._mark_in(section, key), f"{section}.{key}")
        self._check_sharing(recipe)
        if abs(recipe.seed) >= 2**63:
            self.problems.add("expected an integer of 64 bits", mark_of(self.nodes["seed"]), "seed")
        for section, key, words in (
            ("tracking", "children", CHILDREN),
            ("budget", "charge", CHARGES),
            ("sharing", "on_nan", ON_NAN),
        ):
            word = str(getattr(recipe, section)[key])
            if word not in words:
                mark, path = self._mark_in(section, key), f"{section}.{key}"
                hint = did_you_mean(word, words)
                self.problems.add("expected one of " + ", ".join(words), mark, path, hint)

    def _check_sharing(self, recipe: Recipe) -> None:
        """What only a search by trials can do."""
        from automl_algorithms import catalogue

        name = recipe.algorithm
        if name not in catalogue.names(family="weight_sharing"):
            return
        if recipe.phases.once and "groups" not in catalogue.signature(name).params:
            what = f"{name} learns all decisions at once: it cannot search in phases"
            hint = "algorithm: autohas, evolution, random, ...; or --set phases=null"
            self.problems.add(what, self.marks["phases"], "phases", hint)
        for metric in recipe.constraints.keys() - {*recipe.costs}:
            mark, path = self._mark_in("constraints", metric), f"constraints.{metric}"
            what = f"{name} knows costs before it trains, and {metric} is none"
            self.problems.add(what, mark, path, "a search by trials can hold any metric")

    def _mark_in(self, section: str, key: str) -> Mark | None:
        node = files.child(self.nodes[section], key) if section in self.nodes else None
        return mark_of(node) if node is not None else self.marks.get(section)

    # Keys ---------------------------------------------------------------------------------------

    def _plain(self, key: str) -> Any:
        try:
            return plain(self.nodes[key])
        except AutomlError as error:
            self.problems.extend(error, self.marks[key], key)
            return None

    def _typed(self, key: str, default: Any) -> Any:
        if key not in self.nodes:
            return default
        value, hint = self._plain(key), read_hint(KEYS[key][0])
        if hint is not None and value is not None and not hint.fits(value):
            mark = mark_of(self.nodes[key])
            self.problems.add(f"expected {hint.text}, got {value!r}", mark, key)
            return default
        return default if value is None else value

    def _program(self, imports: tuple[str, ...]) -> Any:
        node = self.nodes.get("program")
        if node is None:
            mark = Mark(files.shown(self.loaded.files[0]))
            self.problems.add("a recipe needs a program: !Name {...}", mark, "program")
            return None
        before = len(self.problems.found)
        program = Reader(imports, self.problems).read(node)
        if not isinstance(program, Symbol) and len(self.problems.found) == before:
            self.problems.add("the program is a symbol: !Name {...}", mark_of(node), "program")
        return program

    def _space(self, program: Any, imports: tuple[str, ...], before: int) -> tuple[Any, list[Path]]:
        node = self.nodes.get("space")
        if node is None or node.tag == STANDARD + "null":
            return program, []
        rules: list[overlays.Rule] = []
        used: list[Path] = []
        for item in node.value if isinstance(node, SequenceNode) else [node]:
            source: Node | None = item
            try:
                if isinstance(item, ScalarNode):
                    if item.tag != STANDARD + "str":
                        raise UserError(
                            f"expected the name of an overlay, got {item.value or item.tag}"
                        )
                    used.append(Path(item.value))
                    source = compose_file(used[-1], files.shown(used[-1]))
                if source is None:
                    raise UserError("the overlay is empty")
                rules += overlays.read_rules(source, imports, self.problems)
            except AutomlError as error:
                self.problems.extend(error, mark_of(item), "space")
        if not isinstance(program, Symbol) or len(self.problems.found) > before:
            return program, used  # a broken program would only lead to further complaints
        template = overlays.apply(program, rules, self.problems)
        return template, used

    def _objectives(self) -> list[Objective]:
        node = self.nodes.get("objective")
        if node is None:
            mark = Mark(files.shown(self.loaded.files[0]))
            self.problems.add("what is it to optimise? objective: {maximize: metric}", mark,
                              "objective")  # fmt: skip
            return []
        found = []
        for item in node.value if isinstance(node, SequenceNode) else [node]:
            pairs = item.value if isinstance(item, MappingNode) else []
            good = len(pairs) == 1 and isinstance(pairs[0][1], ScalarNode)
            if not good or pairs[0][0].value not in ("maximize", "minimize"):
                names = [k.value for k, _ in pairs]
                hint = did_you_mean(names[0], ("maximize", "minimize")) if names else ""
                self.problems.add(
                    "expected {maximize: metric} or {minimize: metric}",
                    mark_of(item),
                    "objective",
                    hint,
                )
                continue
            found.append(Objective(str(pairs[0][1].value), pairs[0][0].value))
        return found

    def _algorithm(self) -> tuple[str, dict[str, Any]]:
        from automl_algorithms import catalogue

        node = self.nodes.get("algorithm")
        if node is None:
            return "random", {}
        given = self._plain("algorithm")
        marks = {k.value: mark_of(k) for k, _ in node.value} if isinstance(given, dict) else {}
        name = given.pop("name", None) if isinstance(given, dict) else given
        if not isinstance(name, str):
            self.problems.add(
                "expected a name, or {name: ..., option: value}", mark_of(node), "algorithm"
            )
            return "random", {}
        options = given if isinstance(given, dict) else {}
        try:
            place = mark_of(files.child(node, "name") or node)
            catalogue.entry(name, place)
            catalogue.check_options(name, options, place, marks)
        except AutomlError as error:
            self.problems.extend(error, mark_of(node), "algorithm")
        return name, options

    def _section(self, section: str) -> dict[str, Any]:
        known = SECTIONS[section]
        values = {key: default for key, (_, default, _) in known.items()}
        node = self.nodes.get(section)
        if node is None or node.tag == STANDARD + "null":
            return values
        if not isinstance(node, MappingNode) or node.tag != STANDARD + "map":
            example = ", ".join(f"{k}: ..." for k in list(known)[:2])
            self.problems.add(f"expected {{{example}}}", mark_of(node), section)
            return values
        for key, value in node.value:
            name, path = key.value, f"{section}.{key.value}"
            if name not in known:
                hint = did_you_mean(name, known)
                self.problems.add(f"{section} has no key {name}", mark_of(key), path, hint)
                continue
            try:
                read = plain(value)
            except AutomlError as error:
                self.problems.extend(error, mark_of(value), path)
                continue
            hint_of = read_hint(known[name][0])
            if hint_of is not None and not hint_of.fits(read):
                what = f"expected {hint_of.text}, got {read!r}"
                self.problems.add(what, mark_of(value), path)
            else:
                values[name] = read
        return values

    def _constraints(self) -> dict[str, Constraint]:
        if "constraints" not in self.nodes:
            return {}
        from automl_cli.recipe_constraints import read_constraints

        return read_constraints(self.nodes["constraints"], self.problems)

    def _phases(self) -> Phases:
        from automl_cli.recipe_phases import Phases, read_phases

        node = self.nodes.get("phases")
        return Phases() if node is None else read_phases(node, self.problems)

    def _costs(self, constraints: Mapping[str, Constraint]) -> tuple[str, ...]:
        """Those that are named, and those that a constraint bounds."""
        from automl_cli import costs

        named = list(self._typed("costs", []))
        for name in dict.fromkeys(named):
            if not costs.exists(name):
                hint = did_you_mean(name, costs.names())
                mark = mark_of(self.nodes["costs"])
                self.problems.add(f"there is no cost {name}", mark, "costs", hint)
        bounded = (name for name in constraints if costs.exists(name))
        return tuple(dict.fromkeys([*named, *bounded]))


def _default_name(path: Path) -> str:
    root = files.recipes_root()
    if path.is_relative_to(root):
        return str(path.relative_to(root).with_suffix("")).replace("/", "-")
    return files.stem_of(path)
