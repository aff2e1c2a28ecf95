"""The supernet of a space: one stepwise program, a gate per decision, and the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import getattr_static
from typing import Any

import torch
from torch import Tensor, nn

from automl_algorithms.weight_sharing.elastic import Decided, derived_state
from automl_algorithms.weight_sharing.gates import Gate
from automl_algorithms.weight_sharing.live import Apart, apart, beginning
from automl_algorithms.weight_sharing.lowering import Lowering, Settle, around_choices
from automl_algorithms.weight_sharing.switch import Switch
from automl_spaces.decisions import Decisions
from automl_spaces.errors import UserError
from automl_spaces.points import Value
from automl_spaces.space import Space
from automl_spaces.symbols import Symbol

STEPWISE = ("train_batches", "valid_batches", "loss", "evaluate")


class Supernet:
    """What `lower` makes.

    Attributes:
        space: where the decision points live.
        program: the built program; `program.model` holds every candidate.
        gates: of the points that are searched, by index.
        settled: the values of the other points that were settled, by index.
        live: the indices of the points whose values the program adopts between steps.
        inert: of those that act through costs alone.
        stepping: of live ones that act in the optimiser's step and in no loss.
    """

    def __init__(
        self,
        space: Space,
        program: Any,
        gates: dict[int, Gate],
        settled: dict[int, Value],
        beside: Apart,
    ) -> None:
        self.space, self.program, self.gates, self.settled = space, program, gates, settled
        self._arguments, self.live, self.inert, self.stepping = beside[1:]

    @property
    def model(self) -> nn.Module:
        """The network."""
        return self.program.model  # type: ignore[no-any-return]

    def switched(self) -> set[int]:
        """The indices of the points that somewhere choose between modules, not sizes of one."""
        return {m.gate.point.index for m in self.model.modules() if isinstance(m, Switch)}

    def choose(self, decisions: Decisions) -> None:
        """One path: the network of a record, and its live arguments from the next step on.

        Gates of inactive points are reset.
        """
        for gate in self.gates.values():
            value = decisions.values[gate.point.index]
            if value is None:
                gate.reset()
            elif gate.size:
                gate.choose(gate.point.place(value))
        self.adopt(decisions.values)

    def adopt(self, values: Sequence[Value]) -> None:
        """The live arguments alone; values are one for each point of the space."""
        for argument in self._arguments:
            argument.hand(self.program, values)

    def one_gradient(self, a: Decisions, b: Decisions) -> bool:
        """Whether the losses of two records, and so their gradients, are the same."""
        pairs = enumerate(zip(a.values, b.values, strict=True))
        return {index for index, (x, y) in pairs if x != y} <= self.stepping | self.inert

    def mix(self, weights: Mapping[int, Tensor]) -> None:
        """All paths: for each gate its weights [size], by the index of its point."""
        for index, gate in self.gates.items():
            gate.mix(weights[index])

    def export(self, decisions: Decisions) -> dict[str, Tensor]:
        """The weights of the stand-alone network of a record, copied out of the shared ones."""
        state = derived_state(self.model, decided_by(decisions))
        return {name: value.detach().clone() for name, value in state.items()}

    def derive(self, decisions: Decisions) -> Any:
        """The stand-alone program of a record, built, with the weights of the supernet."""
        program = self.space.materialise(decisions).build()
        program.model.load_state_dict(self.export(decisions))
        return program

    @torch.no_grad()
    def check(self, batch: Any) -> None:
        """Run every candidate of every switch once, on one batch; adopt all of live arguments.

        Weights and buffers stay; the gates are reset, live arguments are as in the beginning.

        Raises:
            UserError: candidates of one place whose outputs disagree, or one that fails.
        """
        for gate in self.gates.values():
            if gate.size:
                gate.choose(0)
        training = self.model.training
        self.model.eval()  # running statistics and dropout are left alone
        start = beginning(self.space)
        try:
            for argument in self._arguments:
                acts_in_loss = not argument.indices <= self.stepping
                for values in argument.variants(start):
                    argument.hand(self.program, values)
                    if acts_in_loss:
                        self.program.loss(batch)
            self.adopt(start)
            for gate in {m.gate for m in self.model.modules() if isinstance(m, Switch)}:
                gate.mix_evenly()
            self.program.loss(batch)
        except RuntimeError as error:
            where = "; ".join(getattr(error, "__notes__", ()))
            raise UserError(f"the supernet fails: {error}", path=where) from error
        finally:
            self.model.train(training)
            for gate in self.gates.values():
                gate.reset()


def decided_by(decisions: Decisions) -> Decided:
    """What a record says of each gate that its network comes by."""

    def decided(gate: Gate) -> int:
        value = decisions.values[gate.point.index]
        if value is None:
            raise ValueError(f"{gate.point.id} is inactive in {decisions}")
        return gate.point.place(value)

    return decided


def lower(space: Space, settle: Settle | None = None, seed: int = 0) -> Supernet:
    """Build the supernet of a space over a stepwise program.

    Args:
        space: of programs with `model`, `optimizer`, `train_batches()`, `valid_batches()`,
            `loss(batch)` and `evaluate()`.
        settle: asked for the value of each decision point outside of modules (a learning rate,
            the optimiser); the program is built with it. Without a value, a point in a live or
            inert argument is searched, and another one is an error.
        seed: of the weights; a program whose `seed` is None takes it, as it would a trial's.

    Raises:
        UserError: the program is not stepwise; a choice stands outside of modules and is not
            settled; a choice cannot be shared.
    """
    lowering = Lowering(space)
    tree = lowering.opened(space.template)
    _require_methods(tree)
    tree = lowering.settle(tree, settle)
    _require_methods(tree)  # a choice between programs was settled
    start = beginning(space)
    beside = apart(tree, start)
    torch.manual_seed(seed)  # modules that are given as such draw their weights here
    program = lowering.build_program(beside.tree)
    if getattr_static(program, "seed", seed) is None:
        program.seed = seed
    missing = [name for name in ("model", "optimizer") if not _has(program, name)]
    if missing:
        raise _not_stepwise(tree, missing)
    with around_choices("the model", lowering.gates.values()):
        program.model  # noqa: B018 - built now, so that what is wrong with it is said now
    net = Supernet(space, program, lowering.gates, lowering.settled, beside)
    net.adopt(start)  # so that the program knows which of its arguments are live
    return net


def _require_methods(program: Any) -> None:
    if isinstance(program, Symbol):
        target = program.type.target
        methods = target if isinstance(target, type) else None  # a function runs when it is built
        missing = [name for name in STEPWISE if not hasattr(methods, name)]
        if missing:
            raise _not_stepwise(program, missing)


def _has(program: Any, name: str) -> bool:
    """Whether there is an attribute; one that is computed at the first use is not computed."""
    absent = object()
    return getattr_static(program, name, absent) is not absent or hasattr(program, name)


def _not_stepwise(program: Symbol, missing: list[str]) -> UserError:
    return UserError(
        f"{program.type.name} cannot be searched by weight sharing: it lacks {', '.join(missing)}",
        program.mark,
        hint="search it by trials (random, evolution, bayesian), or give it the stepwise protocol: "
        "model, optimizer, train_batches(), valid_batches(), loss(batch), evaluate()",
    )
