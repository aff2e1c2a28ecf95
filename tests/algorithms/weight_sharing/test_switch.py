"""Switches: single paths, mixtures, hard choices, and their gradients."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from automl_algorithms.weight_sharing.gates import Gate
from automl_algorithms.weight_sharing.switch import Switch, SwitchForData
from automl_spaces.choices import oneof
from automl_spaces.errors import UserError
from automl_spaces.space import Space
from tests.algorithms.weight_sharing.stepwise import EXACT


class Counted(nn.Module):
    """A linear layer that counts how often it was computed."""

    def __init__(self, cout: int = 4) -> None:
        super().__init__()
        self.linear, self.calls = nn.Linear(4, cout).double(), 0

    def forward(self, x: Tensor) -> Tensor:
        """[N, 4] -> [N, cout]."""
        self.calls += 1
        y: Tensor = self.linear(x).tanh()
        return y


def switch(*candidates: nn.Module) -> Switch:
    """Between three layers, or between these."""
    torch.manual_seed(0)
    made = candidates or (Counted(), Counted(), Counted())
    labels = "abc"[: len(made)]
    return Switch(made, Gate(Space({"op": oneof(list(labels))}).points[0]))


def images() -> Tensor:
    """[5, 4] float64."""
    return torch.randn(5, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def calls(made: Switch) -> list[Any]:
    """How often each candidate was computed."""
    return [candidate.calls for candidate in made.candidates]


def test_a_path_computes_one_candidate() -> None:
    """The output is its output, and the others are not called at all."""
    made = switch()
    made.gate.choose(1)
    assert torch.equal(made(images()), made.candidates[1](images()))
    assert calls(made) == [0, 2, 0]


def test_any_arguments_and_outputs_pass_a_path() -> None:
    """Keywords and tuples, as `nn.MultiheadAttention` has them."""

    class Pair(nn.Module):
        def forward(self, x: Tensor, *, scale: float) -> tuple[Tensor, float]:
            return x * scale, scale

    made = switch(Pair(), nn.Identity())
    made.gate.choose(0)
    y, scale = made(images(), scale=3.0)
    assert torch.equal(y, images() * 3)
    assert scale == 3.0


def gradients(made: Switch) -> list[Tensor | None]:
    """Of all weights, after a backward pass of a cubic."""
    made.zero_grad(set_to_none=True)
    (made(images()) ** 3).sum().backward()
    return [p.grad for p in made.parameters()]


def test_a_mixture_of_one_hot_weights_is_the_path() -> None:
    """Outputs and weight gradients; those of the others are exactly zero."""
    made = switch()
    made.gate.choose(2)
    single, path = made(images()), gradients(made)
    made.gate.mix(torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))
    assert (made(images()) - single).abs().max() <= EXACT
    for mixed, alone in zip(gradients(made), path, strict=True):
        assert mixed is not None
        error = mixed if alone is None else mixed - alone
        assert error.abs().max() <= (0 if alone is None else EXACT)


def test_the_gradients_of_a_mixture() -> None:
    """With respect to logits, input and layers: against finite differences."""
    made = switch()
    alpha = torch.tensor([0.3, -0.2, 0.9], dtype=torch.float64, requires_grad=True)
    layer: Tensor = made.get_parameter("candidates.0.linear.weight")

    def mixture(alpha: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        made.gate.mix(alpha.softmax(0))
        y = torch.func.functional_call(made, {"candidates.0.linear.weight": weight}, (x,))
        cubic: Tensor = (y**3).sum()
        return cubic

    weight = layer.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(mixture, (alpha, images().requires_grad_(), weight))


TAU = 0.7


@pytest.mark.parametrize("gradient", ["all", "sum", "selected"])
def test_the_three_gradients_of_a_hard_choice(gradient: Any) -> None:
    """GDAS: dL/dalpha is the Jacobian of the softmax times dL/dh / tau.

    dL/dh_j is <dL/dy, op_j(x)> for the selected candidate, and for the others the same (all), as
    if op_j(x) were ones (sum), or zero (selected). The value is the selected candidate's.
    """
    made, x, i = switch(), images(), 1
    alpha = torch.tensor([0.3, -0.2, 0.9], dtype=torch.float64, requires_grad=True)
    p = (alpha.log_softmax(0) / TAU).softmax(0)
    made.gate.pick(p, i, gradient)
    y = made(x)
    assert torch.equal(y, made.candidates[i](x))
    (y**3).sum().backward()

    with torch.no_grad():
        outputs = [candidate(x) for candidate in made.candidates]
        upstream = 3 * outputs[i] ** 2  # dL/dy
        dh = torch.stack(
            [
                (upstream * output).sum()
                if j == i or gradient == "all"
                else upstream.sum() * (gradient == "sum")
                for j, output in enumerate(outputs)
            ]
        )
        jacobian = p.diag() - p.outer(p)
        expected = jacobian @ dh / TAU
    assert alpha.grad is not None
    assert (alpha.grad - expected).abs().max() <= EXACT * expected.abs().max()


@pytest.mark.parametrize(("gradient", "computed"), [("all", 3), ("sum", 1), ("selected", 1)])
def test_what_a_hard_choice_computes(gradient: Any, computed: int) -> None:
    """Only the full straight-through gradient costs every candidate; weights learn one."""
    made = switch()
    made.gate.pick(torch.full((3,), 1 / 3, dtype=torch.float64), 0, gradient)
    grads = gradients(made)
    assert sum(calls(made)) == computed
    assert all(g is None or not g.any() for g in grads[2:])
    assert grads[0] is not None and grads[0].any()


def test_each_switch_of_a_drawn_gate_has_its_own_candidate() -> None:
    """One gate in three places, as one edge in three cells."""
    first = switch()
    places = [first, *(Switch([Counted() for _ in "abc"], first.gate) for _ in range(2))]
    indices = iter([2, 0, 1])
    first.gate.draw(lambda: next(indices))
    nn.Sequential(*places)(images())
    assert [calls(place) for place in places] == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_a_failure_says_in_which_candidate() -> None:
    """The error of PyTorch stays what it is, with a note."""
    made = switch(nn.Identity(), nn.Linear(7, 4).double())
    made.gate.choose(1)
    with pytest.raises(RuntimeError) as caught:
        made(images())
    assert caught.value.__notes__ == ["in the candidate b of op"]


def test_outputs_of_different_shapes_are_refused() -> None:
    """Also where PyTorch would broadcast them silently."""
    made = switch(Counted(4), Counted(1))
    made.gate.mix(torch.full((2,), 0.5))
    with pytest.raises(UserError, match=r"op: .*a gives \[5, 4\], b gives \[5, 1\]"):
        made(images())


def test_a_candidate_must_not_change_what_the_others_read() -> None:
    """An activation in place is fine on a path, and wrong in a mixture."""
    made = switch(nn.ReLU(inplace=True), nn.Identity())
    made.gate.choose(0)
    assert torch.equal(made(images()), images().relu())
    made.gate.mix(torch.full((2,), 0.5))
    with pytest.raises(UserError, match=r"op: the candidate a changes its input in place"):
        made(images())


def test_modules_are_not_interpolated() -> None:
    """That is for channels."""
    made = switch()
    made.gate.interpolate(0, 1, torch.full((2,), 0.5))
    with pytest.raises(TypeError, match="op chooses between modules"):
        made(images())


def test_a_copied_switch_obeys_the_same_gate() -> None:
    """Its weights are its own."""
    made = switch()
    other = copy.deepcopy(made)
    made.gate.choose(1)
    assert torch.equal(made(images()), other(images()))
    assert not {id(p) for p in made.parameters()} & {id(p) for p in other.parameters()}


class Late(nn.Module):
    """Learns its channels when it is assembled, and gives `more` of them."""

    def __init__(self, more: int) -> None:
        super().__init__()
        self.more = more

    def assemble(self, channels: int, width: float) -> int:
        """For so many channels."""
        self.layer = nn.Linear(channels, channels + self.more)
        return channels + self.more

    def build_for(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        """A linear layer."""
        return nn.Linear(shape[0], classes)


def test_candidates_are_assembled_together() -> None:
    """They must agree; one that is not told its channels keeps them."""
    assert switch(Late(0), nn.Identity()).assemble(8, 1.0) == 8
    assert switch(Late(2), Late(2)).assemble(8, 1.0) == 10
    with pytest.raises(UserError, match=r"op: the output channels .*disagree \(a: 8, b: 10\)"):
        switch(Late(0), Late(2)).assemble(8, 1.0)


def test_models_are_built_for_the_data() -> None:
    """Those that can be; the others are taken as they are."""
    gate = switch(nn.Identity(), nn.Identity()).gate
    made = SwitchForData([Late(0), nn.Linear(2, 10)], gate).build_for((2, 8, 8), 10)
    for index in range(2):
        made.gate.choose(index)
        assert made(torch.ones(1, 2)).shape == (1, 10)


class Broken(nn.Module):
    """Cannot be made for any data."""

    def assemble(self, channels: int, width: float) -> int:
        """Fails."""
        raise ValueError(f"not for {channels}")

    def build_for(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        """Fails."""
        raise ValueError(f"not for {classes}")


def test_a_candidate_that_cannot_be_made_for_the_data() -> None:
    """The point, the candidate and the reason."""
    with pytest.raises(UserError, match=r"^op: the candidate b cannot .*ValueError: not for 8"):
        switch(Late(0), Broken()).assemble(8, 1.0)
    gate = switch(nn.Identity(), nn.Identity()).gate
    with pytest.raises(UserError, match=r"^op: the candidate b cannot .*ValueError: not for 10"):
        SwitchForData([Late(0), Broken()], gate).build_for((2, 8, 8), 10)


def test_as_many_candidates_as_the_gate_has() -> None:
    """Anything else is a slip of the caller."""
    with pytest.raises(ValueError, match="2 candidates for op of 3"):
        Switch([nn.Identity(), nn.Identity()], switch().gate)
