"""Rules: how they are declared and found, what they are asked, and what they answer for."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from automl_algorithms.weight_sharing import elastic
from automl_algorithms.weight_sharing.elastic import (
    Build,
    Decided,
    Open,
    derived_state,
    elastic_rule,
    find_rule,
    options,
)
from automl_algorithms.weight_sharing.gates import Choose, Gate
from automl_algorithms.weight_sharing.switch import Switch
from automl_spaces.choices import oneof
from automl_spaces.registry import symbolize
from automl_spaces.space import Space
from automl_spaces.symbols import Symbol, SymbolType
from tests.algorithms.weight_sharing.stepwise import (
    assert_path_is_network,
    conv,
    identity,
    lowered,
    norm,
    sequential,
)


@pytest.fixture(autouse=True)
def rules() -> Iterator[None]:
    """What a test declares goes away with it; what it caused to be imported stays, as that does."""
    before = set(elastic._rules)
    yield
    for declared in set(elastic._rules) - before:
        if not declared.__module__.startswith("automl_cli."):
            del elastic._rules[declared]


class Filter(nn.Module):
    """A user's own module, which knows nothing of search: two convolutions and some layers."""

    def __init__(self, kernel_size: int = 3, scale: float = 1.0, layers: Any = ()) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 3, kernel_size, kernel_size) / 5)
        self.scale = scale
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> the same shape."""
        y = conv2d(x, self.weight, padding=self.weight.shape[-1] // 2)
        return self.layers(self.scale * y)  # type: ignore[no-any-return]


class SharedFilter(Filter):
    """Smaller kernels are the centre of the largest."""

    def __init__(self, sizes: tuple[int, ...], gate: Gate, scale: float, layers: Any) -> None:
        super().__init__(max(sizes), scale, layers)
        self.sizes, self.gate = sizes, gate

    def centre(self, size: int) -> Tensor:
        """The kernel of this size."""
        edge = (self.weight.shape[-1] - size) // 2
        return self.weight[:, :, edge : edge + size, edge : edge + size]

    def forward(self, x: Tensor) -> Tensor:
        """As a `Filter` of the size that is chosen."""
        use = self.gate.use()
        assert isinstance(use, Choose)
        weight = self.centre(self.sizes[use.index])
        y = conv2d(x, weight, padding=weight.shape[-1] // 2)
        return self.layers(self.scale * y)  # type: ignore[no-any-return]

    def derived_state(self, decided: Decided) -> dict[str, Tensor]:
        """That of the `Filter` of the size that is decided."""
        state = derived_state(self.layers, decided)
        return {
            "weight": self.centre(self.sizes[decided(self.gate)]),
            **{f"layers.{name}": value for name, value in state.items()},
        }


@pytest.fixture
def asked() -> list[Symbol]:
    """The nodes that the rule of `Filter` was asked about."""
    nodes: list[Symbol] = []

    @elastic_rule(Filter, "kernel_size")
    def shared(node: Symbol, build: Build) -> Any:
        nodes.append(node)
        sizes, gate = options(node.get("kernel_size"))
        if gate is None or not all(isinstance(size, int) for size in sizes):
            return None
        return SharedFilter(sizes, gate, node.get("scale"), build(list(node.get("layers"))))

    return nodes


filter_ = symbolize(Filter)


def outputs_agree(net: Any) -> None:
    """Every path equals the stand-alone network; the weights are slices, so no `.grad` to read."""
    for decisions in net.space.enumerate():
        alone = net.derive(decisions)
        net.choose(decisions)
        images = net.program.images
        assert (net.model(images) - alone.model(images)).abs().max() <= 1e-12


def test_a_rule_shares_what_copies_would_not(asked: list[Symbol]) -> None:
    """One weight, of the largest size; every size is its centre, also when exported."""
    net = lowered(filter_(oneof([1, 3, 5])))
    assert len(asked) == 1
    assert [p.shape for p in net.model.parameters()] == [(3, 3, 5, 5)]
    assert net.export(net.space.decode({"model.kernel_size": 3}))["weight"].shape == (3, 3, 3, 3)
    outputs_agree(net)


def test_without_a_rule_there_are_copies() -> None:
    """The same space, the same network, but no shared weights."""
    net = lowered(filter_(oneof([1, 3, 5])))
    assert [p.shape[-1] for p in net.model.parameters()] == [1, 3, 5]
    for decisions in net.space.enumerate():
        assert_path_is_network(net, decisions)


def test_other_arguments_are_settled_before_the_rule(asked: list[Symbol]) -> None:
    """By copies, each of which asks the rule: it sees choices only where it shares."""
    net = lowered(filter_(oneof([1, 3]), scale=oneof([1.0, 2.0])))
    assert isinstance(net.model, Switch)
    assert [type(c) for c in net.model.candidates] == [SharedFilter, SharedFilter]
    assert [node.get("scale") for node in asked] == [1.0, 2.0]
    assert all(isinstance(node.get("kernel_size"), Open) for node in asked)
    outputs_agree(net)


def test_a_rule_is_not_asked_about_what_is_fixed(asked: list[Symbol]) -> None:
    """A static node, and one whose only choices are in modules below it, are built as ever."""
    layers = [oneof([conv(3, 3, 1), identity()]), norm(3)]
    net = lowered(sequential(filter_(3), filter_(1, layers=layers)))
    assert asked == []
    for decisions in net.space.enumerate():
        assert_path_is_network(net, decisions)


def test_a_rule_builds_what_is_below(asked: list[Symbol]) -> None:
    """`build` makes switches of the choices between modules that it is given."""
    layers = [oneof([conv(3, 3, 1), identity()]), norm(3)]
    net = lowered(filter_(oneof([1, 3]), layers=layers))
    assert isinstance(net.model, SharedFilter)
    assert isinstance(net.model.layers[0], Switch)
    outputs_agree(net)


def test_a_rule_may_decline(asked: list[Symbol]) -> None:
    """Then it is copies after all, as here, where one of the values is a choice again."""
    net = lowered(filter_(oneof([1, oneof([3, 5])])))
    assert isinstance(net.model, Switch)
    assert [type(c) for c in net.model.candidates] == [Filter, SharedFilter]
    outputs_agree(net)


def test_a_rule_is_for_exactly_its_class(asked: list[Symbol]) -> None:
    """A subclass may build something else."""

    class Other(Filter):
        pass

    assert find_rule(symbolize(Other)(3)) is None
    assert find_rule(filter_(3)) is not None
    symbolic = SymbolType("Other", __name__, "Other", target=Other)
    elastic_rule(symbolic, "kernel_size")(lambda node, build: None)
    assert find_rule(symbolize(Other)(3)) is not None


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A user's package with a module and its rule beside it."""
    folder = tmp_path / "users_models"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Conv2d):\n"
        "    def __init__(self, k: int) -> None:\n"
        "        super().__init__(3, 3, k)\n"
    )
    (folder / "net_elastic.py").write_text(
        "from torch import nn\n"
        "from automl_algorithms.weight_sharing.elastic import elastic_rule\n"
        "from users_models.net import Net\n"
        "@elastic_rule(Net, 'k')\n"
        "def net(node, build):\n"
        "    return nn.Identity()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "users_models.net"
    for name in [name for name in sys.modules if name.startswith("users_models")]:
        del sys.modules[name]


def test_a_rule_beside_the_module_is_found(beside: str) -> None:
    """Nobody imports it: its name follows from the module's."""
    net = lowered(sequential(SymbolType("Net", beside, "Net")(oneof([1, 3]))))
    assert type(net.model[0]) is nn.Identity  # type: ignore[index]


def test_the_page_about_it_runs() -> None:
    """Its loop trains and derives; its rule makes every path the stand-alone network."""
    page = (Path(__file__).parents[3] / "docs" / "weight_sharing.md").read_text("utf-8")
    names: dict[str, Any] = {"__name__": "weight_sharing_page"}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(block, "weight_sharing.md", "exec"), names)
    net = lowered(symbolize(names["Blur"])(3, oneof([1, 3, 5])))
    assert isinstance(net.model, names["SharedBlur"])
    outputs_agree(net)


def test_options_of_an_argument() -> None:
    """Of a choice its values and gate; of anything else itself."""
    gate = Gate(Space({"k": oneof([3, 5])}).points[0])
    assert options(Open(gate, (3, 5))) == ((3, 5), gate)
    assert options(7) == ((7,), None)


def test_the_state_of_a_plain_module_is_its_own() -> None:
    """Parameters and persistent buffers under the names that PyTorch gives them."""
    module = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sequential(nn.BatchNorm2d(3)))
    module.register_buffer("passing", torch.ones(1), persistent=False)
    state = derived_state(module, lambda gate: 0)
    assert state.keys() == module.state_dict().keys()
    assert state["0.weight"] is module[0].weight
