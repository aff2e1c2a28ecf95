"""A switch: several modules in the place of one, of which its gate says what is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from automl_algorithms.weight_sharing.elastic import Decided, derived_state
from automl_algorithms.weight_sharing.gates import Choose, Gate, Mix, Pick
from automl_spaces.errors import AutomlError, UserError


class Switch(nn.Module):
    """Stands where one of its candidates would stand, with any arguments they take.

    A sampled path computes one candidate. A mixture, or a hard choice with the gradient of all,
    computes every one, and these must be single tensors of one shape.

    Args:
        candidates: in the order of the gate.
        gate: may be shared with other switches.
    """

    def __init__(self, candidates: Sequence[nn.Module], gate: Gate) -> None:
        super().__init__()
        if len(candidates) != gate.size:
            raise ValueError(f"{len(candidates)} candidates for {gate.point.id} of {gate.size}")
        self.candidates = nn.ModuleList(candidates)
        self.gate = gate

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the candidates answer, put together as the gate says."""

        def run(index: int) -> Any:
            try:
                return self.candidates[index](*args, **kwargs)
            except Exception as error:
                error.add_note(f"in the candidate {self._label(index)} of {self.gate.point.id}")
                raise

        match self.gate.use():
            case Choose(index):
                return run(index)
            case Mix(weights):
                return self._weighted(weights, run, args)
            case Pick(gradient="all") as pick:
                return self._weighted(pick.hard, run, args)
            case Pick(index=index, gradient=gradient) as pick:
                hard = pick.hard
                y = hard[index] * run(index)
                return y if gradient == "selected" else y + (hard.sum() - hard[index])
            case use:
                raise TypeError(
                    f"{self.gate.point.id} chooses between modules: {type(use).__name__} is for "
                    "numbers of channels"
                )

    def _weighted(
        self, weights: Tensor, run: Callable[[int], Tensor], args: tuple[Any, ...]
    ) -> Tensor:
        """sum_k weights[k] * candidate_k."""
        version = _version(args)
        terms: list[Tensor] = []
        for i, weight in enumerate(weights):
            term = run(i)
            if _version(args) != version:
                raise self._fault(
                    f"the candidate {self._label(i)} changes its input in place, which the other "
                    "candidates read",
                    "inplace: false",
                )
            if terms and term.shape != terms[0].shape:
                raise self._fault(
                    f"the outputs of its candidates disagree: {self._label(0)} gives "
                    f"{list(terms[0].shape)}, {self._label(i)} gives {list(term.shape)}",
                    "candidates of one place need outputs of one shape; a search by trials "
                    "(random, evolution, bayesian) builds each network alone",
                )
            terms.append(weight * term)
        return sum(terms[1:], start=terms[0])

    def assemble(self, channels: int, width: float) -> int:
        """Make the layers of every candidate; the answer is what they agree on.

        A candidate that is not told its input channels must keep their number.

        Raises:
            UserError: when they differ in their output channels.
        """
        answers: list[int] = []
        for i, candidate in enumerate(self.candidates):
            make = getattr(candidate, "assemble", None)
            with building(self.gate, i):
                answers.append(channels if make is None else make(channels, width))
        if any(answer != answers[0] for answer in answers):
            found = ", ".join(f"{self._label(i)}: {n}" for i, n in enumerate(answers))
            raise self._fault(
                f"the output channels of its candidates disagree ({found})",
                "let a block that keeps their number follow, or declare an elastic rule",
            )
        return answers[0]

    def derived_state(self, decided: Decided) -> dict[str, Tensor]:
        """The state of the candidate that is decided."""
        return derived_state(self.candidates[decided(self.gate)], decided)

    def _label(self, index: int) -> str:
        return str(self.gate.values[index])

    def _fault(self, message: str, hint: str) -> UserError:
        point = self.gate.point
        return UserError(message, point.mark, path=point.id, hint=hint)

    def extra_repr(self) -> str:
        """The decision point."""
        return self.gate.point.id


class SwitchForData:
    """A switch between models that make their layers when the data is known.

    Args:
        candidates: modules, or objects with `build_for`.
        gate: in the order of the candidates.
    """

    def __init__(self, candidates: Sequence[Any], gate: Gate) -> None:
        self.candidates, self.gate = list(candidates), gate

    def build_for(self, shape: tuple[int, int, int], classes: int) -> Switch:
        """Every candidate, built for images [C, H, W] and so many classes."""
        built: list[nn.Module] = []
        for i, candidate in enumerate(self.candidates):
            make = getattr(candidate, "build_for", None)
            with building(self.gate, i):
                built.append(candidate if make is None else make(shape, classes))
        return Switch(built, self.gate)


@contextmanager
def building(gate: Gate, index: int) -> Iterator[None]:
    """Say which candidate it is that cannot be built."""
    try:
        yield
    except AutomlError:
        raise
    except Exception as error:
        raise UserError(
            f"the candidate {gate.values[index]} cannot be built: {type(error).__name__}: {error}",
            gate.point.mark,
            path=gate.point.id,
        ) from error


def _version(args: tuple[Any, ...]) -> list[int]:
    """Counts the changes in place of each tensor."""
    return [arg._version for arg in args if isinstance(arg, Tensor)]
