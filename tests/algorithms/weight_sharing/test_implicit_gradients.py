"""Implicit gradients: exact on ridge regression, where everything is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from automl_algorithms.weight_sharing.implicit_gradients import ImplicitGradients
from automl_algorithms.weight_sharing.loop import Loop
from automl_algorithms.weight_sharing.search import SupernetSearch, Task
from automl_algorithms.weight_sharing.supernet import Supernet, lower
from automl_spaces import floatv, oneof
from automl_spaces.errors import UserError
from automl_spaces.objective import Objective
from automl_spaces.space import Space

from .ridge import Ridge, ridge
from .test_autohas import network
from .tuned import WIDTH, layer, linear, sgd

GOAL = Objective("loss", "minimize")
DECAY = 0.05


def ready(search: ImplicitGradients, of: Supernet) -> ImplicitGradients:
    """Set up, with the weights at the minimum of the training loss."""
    search.setup(of, Task(GOAL))
    of.program.settle(DECAY)
    return search


def decayed(start: float = DECAY, momentum: float = 0.0, lr: float = 0.05) -> Supernet:
    """Ridge regression whose weight decay is searched from here."""
    return ridge(sgd(lr, momentum, floatv(1e-4, 100.0, "log", default=start)))


def found(search: ImplicitGradients) -> float:
    """dL_V / dlambda."""
    program = search.net.program
    return search._implicit(search._target(program.valid), program.train)[0]


def test_the_implicit_gradient_is_the_difference_of_two_minima() -> None:
    """By conjugate gradients with as many products as there are weights."""
    assert found(ready(ImplicitGradients(method="cg", steps=10), decayed())) == pytest.approx(
        Ridge(None).slope(DECAY), rel=1e-6
    )


def test_a_neumann_series_comes_nearer_with_every_term() -> None:
    """With alpha = 0.5 / |H|; without terms it is T1-T2, which has the sign."""
    exact = Ridge(None).slope(DECAY)
    searches = [ImplicitGradients(method="neumann", steps=n) for n in (1, 5, 20, 100, 500)]
    errors = [abs(found(ready(search, decayed())) - exact) for search in searches]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-5 * abs(exact)
    search = ready(ImplicitGradients(method="neumann", steps=0), decayed())
    v, [weight] = search._target(search.net.program.valid), search.weights
    assert found(search) == pytest.approx(-float((v[0] * weight.detach()).sum()))
    assert found(search) * exact > 0


def test_a_regulariser_in_the_loss_is_differentiated_as_well() -> None:
    """The same penalty as a number of the loss: the same gradient."""
    of = ridge(sgd(0.05), extra=floatv(1e-4, 100.0, "log", default=DECAY))
    search = ready(ImplicitGradients(method="cg", steps=10), of)
    assert search.parts[0].role == "loss"
    # The validation loss has the smallest penalty that there is, 1e-4.
    assert found(search) == pytest.approx(Ridge(None).slope(DECAY), rel=1e-3)


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_unrolled_steps_are_those_of_two_trainings(momentum: float, nesterov: bool) -> None:
    """The derivative of five real steps by the weight decay, by a central difference."""
    ends = []
    for decay in (DECAY + 1e-6, DECAY - 1e-6, DECAY):
        of = decayed(momentum=momentum)
        search = ready(ImplicitGradients(method="unrolled", steps=5, every=5), of)
        program = of.program
        program.optimizer.param_groups[0].update(nesterov=nesterov)
        with torch.no_grad():
            of.model.weight.add_(1.0)
        for _ in range(3):  # momenta that are there before
            search.train_weights(program.train)
        program.optimizer.param_groups[0]["weight_decay"] = decay
        for _ in range(5):
            search._unroll(search.tangents, program.train)
        ends.append(program.evaluate()["loss"])
    exact = (ends[0] - ends[1]) / 2e-6
    v = search._target(program.valid)
    assert search.tangents is not None
    assert search.tangents.along(v)[0] == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("start", [1e-3, 10.0])
def test_descent_arrives_at_the_best_weight_decay(start: float) -> None:
    """From far below and far above: its loss is that of the best of a grid within 1%."""
    of = decayed(start)
    search = ImplicitGradients(method="cg", steps=10, every=1, lr=0.05, delay=0.0)
    for _ in Loop(of, search, Task(GOAL), records=1):
        pass
    reference = Ridge(None)
    best = reference.validation(reference.best())
    assert reference.validation(search.values[0]) < 1.01 * best
    record = next(search.derive(lambda: None))
    assert record["optimizer.weight_decay"] == search.values[0]
    assert search.found() == {"value/0": search.values[0]}


def test_a_list_ends_at_the_nearest_candidate() -> None:
    """It moves between its ends, in logarithms; the policy tells its two neighbours."""
    of = ridge(sgd(0.05, 0.0, oneof([0.0, 1e-3, 1e-2, 0.3, 3.0], default=1e-3)))
    search = ImplicitGradients(method="cg", steps=10, every=1, lr=0.05, delay=0.0)
    for record in Loop(of, search, Task(GOAL), records=1):
        policy = record.policy
    assert sum(policy[0]) == pytest.approx(1.0)
    assert sum(p > 0 for p in policy[0]) == 2
    assert next(search.derive(lambda: None))["optimizer.weight_decay"] == 0.3


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "neumann", "steps": 3},
        {"method": "cg", "steps": 3},
        {"method": "unrolled", "steps": 2, "every": 3},
    ],
)
def test_it_goes_on_bit_for_bit(tmp_path: Path, options: dict[str, Any]) -> None:
    """The coordinates, their optimiser, the tangents and the eigenvector are in the state."""

    def start() -> Loop:
        of = lower(
            Space(
                linear(
                    layer(WIDTH, 1),
                    sgd(0.3, 0.9, floatv(1e-4, 1.0, "log", default=1e-2)),
                    smoothing=floatv(0.0, 0.5, default=0.1),
                )
            )
        )
        of.program.steps = 30
        return Loop(
            of, ImplicitGradients(**({"every": 4, "delay": 0.1} | options)), Task(GOAL), records=30
        )

    whole = start()
    expected = [r.metrics for r in whole]
    assert expected[5]["weight_decay"] != expected[-1]["weight_decay"]
    assert expected[5]["smoothing"] != expected[-1]["smoothing"]
    for stop in (7, 16):
        first = start()
        next(r for i, r in enumerate(first) if i == stop)
        torch.save(first.state_dict(), tmp_path / "state.pt")
        again = start()
        again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
        assert [r.metrics for r in again] == expected[stop + 1 :]
        assert torch.equal(again.net.model.weight, whole.net.model.weight)


def refused(search: SupernetSearch, of: Supernet) -> str:
    """Why a search cannot search this."""
    with pytest.raises(UserError) as caught:
        search.setup(of, Task(GOAL))
    return str(caught.value)


def test_what_is_no_regulariser_is_refused_by_name() -> None:
    """A learning rate, layers and kinds, all at once, with who takes them."""
    rate = oneof([0.1, 0.2])
    of = lower(Space(linear(network(), oneof([sgd(rate), sgd(0.3)]))))
    told = refused(ImplicitGradients(), of)
    assert "model.args[0]: it is a decision of the network" in told
    assert "optimizer: it is no number" in told
    assert "lr: it is no weight decay or a number in the training loss" in told
    assert "autohas" in told


def test_who_takes_what_is_refused() -> None:
    """Of a range of learning rates, those that move one; a list can be searched by rewards, too."""
    able = "autohas_differentiable, hypergradient)"
    assert f"(these can: {able}" in refused(
        ImplicitGradients(), lower(Space(linear(layer(WIDTH, 1), sgd(floatv(0.1, 0.2)))))
    )
    assert f"(these can: autohas, {able}" in refused(
        ImplicitGradients(), lower(Space(linear(layer(WIDTH, 1), sgd(oneof([0.1, 0.2])))))
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "newton"},
        {"steps": -1},
        {"method": "cg", "steps": 0},
        {"every": 0},
        {"method": "unrolled", "steps": 20, "every": 10},
        {"delay": 1.0},
    ],
)
def test_options_out_of_their_range(wrong: dict[str, Any]) -> None:
    """Each is told."""
    with pytest.raises(UserError):
        ImplicitGradients(**wrong)


def test_only_sgd_is_unrolled() -> None:
    """The others are named, with what does it for them."""
    of = decayed()
    of.program.optimizer = torch.optim.Adam(of.model.parameters())
    assert "steps of Adam cannot be unrolled" in refused(
        ImplicitGradients(method="unrolled", steps=2), of
    )
