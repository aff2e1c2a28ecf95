"""Lowering: every path of a supernet is the stand-alone network, whatever stands where."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from automl_algorithms.weight_sharing.lowering import makes_module
from automl_algorithms.weight_sharing.supernet import lower
from automl_algorithms.weight_sharing.switch import Switch
from automl_spaces.choices import floatv, intv, manyof, oneof, permutate
from automl_spaces.errors import UserError
from automl_spaces.registry import symbolize
from automl_spaces.space import Space
from tests.algorithms.weight_sharing.stepwise import (
    Fit,
    assert_path_is_network,
    conv,
    fit,
    identity,
    lowered,
    norm,
    pool,
    relu,
    sequential,
)


class Branches(nn.Module):
    """Modules in a list, a mapping and on their own; a number; plain settings in a node."""

    def __init__(
        self,
        parts: list[nn.Module],
        named: dict[str, nn.Module] | None = None,
        extra: nn.Module | None = None,
        channels: int = 3,
        settings: Any = None,
    ) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.named = nn.ModuleDict(named or {})
        self.extra = extra
        self.scale = settings.scale if settings else 1.0
        self.out = nn.Conv2d(3, channels, 1)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, channels, H, W]."""
        for part in self.parts:
            x = x + part(x)
        for part in self.named.values():
            x = x * part(x).sigmoid()
        if self.extra is not None:
            x = x + self.extra(x)
        y: Tensor = self.norm(self.out(self.scale * x))
        return y


class Settings:
    """Not a module, and not the program either."""

    def __init__(self, scale: float) -> None:
        self.scale = scale


def make_block(kernel_size: int, groups: int = 1) -> nn.Sequential:
    """A function that builds a module, and says so."""
    layer = nn.Conv2d(3, 3, kernel_size, padding=kernel_size // 2, groups=groups)
    return nn.Sequential(layer, nn.BatchNorm2d(3), nn.ReLU())


def unknown_block(kernel_size: int):  # type: ignore[no-untyped-def]
    """A function that does not say what it builds."""
    return make_block(kernel_size)


branches, settings = symbolize(Branches), symbolize(Settings)
block, unknown = symbolize(make_block), symbolize(unknown_block)


def conv3(kernel_size: Any = 3, padding: Any = 1, **more: Any) -> Any:
    """3 to 3 channels."""
    return conv(3, 3, kernel_size, padding=padding, **more)


def operations(**named: Any) -> Any:
    """Convolution, pooling or skip."""
    return oneof([conv3(), pool(3, stride=1, padding=1), identity()], **named)


MODELS: dict[str, Callable[[], Any]] = {
    "modules": lambda: sequential(conv3(), operations(), norm(3), operations(), relu()),
    "nested": lambda: sequential(
        conv3(), oneof([sequential(operations(), norm(3)), operations(), identity()])
    ),
    "conditional number": lambda: sequential(
        oneof([block(oneof([1, 3, 5])), norm(3)]), block(oneof([3, oneof([5, 7])]))
    ),
    "numbers": lambda: branches([block(oneof([3, 5]), oneof([1, 3]))], channels=oneof([2, 4])),
    "whole numbers": lambda: branches([block(intv(1, 5, step=2))], channels=intv(2, 4)),
    "one name": lambda: sequential(
        conv3(), operations(name="op"), norm(3), operations(name="op"), block(3)
    ),
    "one name for two numbers": lambda: sequential(
        conv3(oneof([1, 3], name="k"), oneof([0, 1], name="p"), groups=oneof([1, 3])),
        conv(3, oneof({"small": 2, "large": 4}, name="width"), 1),
        norm(oneof({"small": 2, "large": 4}, name="width")),
    ),
    "one name inside and around": lambda: branches(
        [block(oneof([1, 3], name="k")), block(3)], channels=oneof([1, 3], name="k")
    ),
    "several": lambda: branches(
        manyof(2, [conv3(), block(oneof([1, 3])), norm(3)], distinct=False)
    ),
    "order": lambda: branches(permutate([conv3(), block(3), norm(3)])),
    "values in a list": lambda: sequential(conv(3, 3, manyof(2, [1, 3]))),
    "a mapping": lambda: branches([], {"a": operations(), "b": block(oneof([1, 3]))}),
    "none or a module": lambda: branches([operations()], extra=oneof([None, conv3()])),
    "settings": lambda: branches([operations()], settings=settings(oneof([0.5, 2.0]))),
    "copies in copies": lambda: branches(
        [block(oneof([1, 3])), oneof([block(oneof([3, 5])), identity()])],
        channels=oneof([2, oneof([3, 4])]),
    ),
    "the whole model": lambda: oneof([block(oneof([3, 5])), sequential(conv3(), operations())]),
    "module objects": lambda: sequential(oneof([nn.Conv2d(3, 3, 1), nn.Identity()]), conv3()),
}


@pytest.mark.parametrize("model", MODELS)
def test_a_path_is_the_network(model: str) -> None:
    """Outputs, gradients and statistics in float64, for up to 12 records; nothing else moves."""
    space = Space(fit(model=MODELS[model]()))
    if model == "one name for two numbers":  # a padding for each kernel size, of one shape
        records = [d for d in space.enumerate() if d["k"] == 1 + 2 * d["p"]]
    else:
        records = list(space.enumerate())
    net = lower(space)
    assert net.gates.keys() == {p.index for p in space.points}
    for decisions in random.Random(0).sample(records, min(12, len(records))):
        assert_path_is_network(net, decisions)


def switches(model: nn.Module) -> list[Switch]:
    """All of a model, outer ones first."""
    return [m for m in model.modules() if isinstance(m, Switch)]


def test_a_choice_of_modules_shares_what_is_around_it() -> None:
    """One switch for each, in its place; the other layers exist once."""
    net = lowered(MODELS["modules"]())
    assert [type(layer) for layer in net.model.children()] == [
        nn.Conv2d, Switch, nn.BatchNorm2d, Switch, nn.ReLU,
    ]  # fmt: skip
    assert [len(s.candidates) for s in switches(net.model)] == [3, 3]


def test_places_of_one_name_share_the_gate() -> None:
    """And nothing else: each has its own weights."""
    net = lowered(MODELS["one name"]())
    first, second = switches(net.model)
    assert first.gate is second.gate
    assert list(net.gates.values()) == [first.gate]
    assert first.candidates[0] is not second.candidates[0]


def test_a_number_copies_the_nearest_module() -> None:
    """One copy per joint value; its neighbours stay shared."""
    net = lowered(branches([block(oneof([3, 5]), oneof([1, 3])), conv3()]))
    assert type(net.model) is Branches
    copied, layer = net.model.parts
    assert isinstance(copied, Switch)
    assert type(layer) is nn.Conv2d
    leaves = [c for inner in copied.candidates for c in inner.candidates]  # type: ignore[union-attr]
    assert [(leaf[0].kernel_size, leaf[0].groups) for leaf in leaves] == [
        ((3, 3), 1), ((3, 3), 3), ((5, 5), 1), ((5, 5), 3),
    ]  # fmt: skip


def test_a_name_that_was_decided_around_is_decided_inside() -> None:
    """In each copy of the outer module the inner choice is a fixed number."""
    net = lowered(MODELS["one name inside and around"]())
    (only,) = switches(net.model)
    kernels = [c.parts[0][0].kernel_size for c in only.candidates]  # type: ignore[index, union-attr]
    assert kernels == [(1, 1), (3, 3)]
    k = oneof([1, 3], name="k")
    net = lowered(branches([oneof([block(k), identity()])], channels=k))
    assert len(switches(net.model)) == 3  # the copies, and in each the block or nothing


def test_a_sampled_path_calls_the_layers_of_its_network_only() -> None:
    """Counted by hooks: as many convolutions as the stand-alone network has."""
    net = lowered(MODELS["copies in copies"]())
    called = []
    for module in net.model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda module, *_: called.append(module))
    rng = random.Random(1)
    for _ in range(5):
        decisions = net.space.sample(rng)
        net.choose(decisions)
        called.clear()
        net.model(net.program.images)
        alone = net.space.materialise(decisions).build().model
        assert len(called) == sum(isinstance(m, nn.Conv2d) for m in alone.modules())


def test_a_layer_that_is_copied_by_its_owner_obeys_the_gate() -> None:
    """`nn.TransformerEncoderLayer` is given as one object and copied for every layer."""

    class Stack(nn.Module):
        def __init__(self, layer: nn.Module, n: int) -> None:
            super().__init__()
            self.layers = nn.Sequential(*(copy.deepcopy(layer) for _ in range(n)))
            self.out = nn.Conv2d(3, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.out(self.layers(x))
            return y

    net = lowered(symbolize(Stack)(operations(), 3))
    assert len({s.gate for s in switches(net.model)}) == 1
    for decisions in net.space.enumerate():
        assert_path_is_network(net, decisions)


def test_what_makes_a_module() -> None:
    """Classes by what they are, functions by what they say, choices when all candidates do."""
    assert makes_module(conv3())
    assert makes_module(block(3))
    assert makes_module(nn.Identity())
    assert not makes_module(unknown(3))
    assert not makes_module(settings(1.0))
    assert not makes_module(None)


# Mistakes, each with its decision point.


def test_choices_outside_of_modules_are_all_named() -> None:
    """In one error, also those that are conditional; with what to do."""
    both = oneof([0.1, floatv(0.2, 0.4)])
    with pytest.raises(UserError) as caught:
        lower(Space(fit(model=sequential(operations()), lr=both)))
    assert [p.path for p in caught.value.problems] == ["lr", "lr(floatv)"]
    assert "outside of modules" in str(caught.value)
    assert "evolution" in str(caught.value)


def test_choices_outside_of_modules_can_be_settled() -> None:
    """Asked for in order, parents first; inactive ones are not asked for."""
    rate = oneof([floatv(0.1, 0.2), floatv(0.3, 0.4, name="high"), 0.5])
    space = Space(fit(model=sequential(conv3(), operations()), lr=rate))
    asked = []

    def settle(point: Any) -> float:
        asked.append(point.id)
        return 1 if point.id == "lr" else 0.35

    net = lower(space, settle)
    assert asked == ["lr", "high"]
    assert net.program.lr == 0.35
    assert net.settled == {space.point("lr").index: 1, space.point("high").index: 0.35}
    assert list(net.gates) == [space.point("model.args[1]").index]


def test_a_refusal_is_the_error() -> None:
    """`None` says that this point is not for the caller to settle."""
    with pytest.raises(UserError, match=r"^lr: stands outside"):
        lower(Space(fit(model=conv3(), lr=oneof([0.1, 0.2]))), lambda point: None)


def test_too_many_copies() -> None:
    """More than 64 of one module; every choice that multiplies is named."""
    wide = branches([], channels=intv(1, 33), settings=settings(oneof([1.0, 2.0])))
    with pytest.raises(UserError, match=r"model.channels, model.settings.scale together, more"):
        lowered(wide)
    deep = branches([block(intv(1, 33, step=2))], channels=intv(1, 4))
    with pytest.raises(UserError, match=r"model.channels, model.parts\[0\].kernel_size together"):
        lowered(deep)
    assert lowered(branches([block(intv(1, 7, step=2))], channels=intv(1, 16))).gates


def test_a_continuous_number_in_a_module() -> None:
    """It has no copies; a grid has."""
    with pytest.raises(UserError, match=r"^model\.settings\.scale: .*give it a step"):
        lowered(branches([], settings=settings(floatv(0.5, 2.0))))
    assert lowered(branches([], settings=settings(floatv(0.5, 2.0, step=0.5)))).gates[0].size == 4


def test_a_range_without_end_is_a_continuum() -> None:
    """Its values are not listed: outside of modules it is settled, inside it is an error."""
    seed = intv(0, 10**12)
    net = lower(Space(fit(model=conv3(oneof([1, 3])), lr=seed)), lambda point: 7)
    assert net.program.lr == 7
    with pytest.raises(
        UserError, match=r"^model\.out_channels: .*every value of int \[0, 1e\+12\]"
    ):
        lowered(conv(3, intv(0, 10**12), 1))


def test_a_settled_value_that_is_none_of_the_point() -> None:
    """A slip of the caller, by name."""
    with pytest.raises(ValueError, match=r"lr: 3 is not in \{0\.1, 0\.2\}"):
        lower(Space(fit(model=conv3(), lr=oneof([0.1, 0.2]))), lambda point: 3)


def test_a_candidate_that_cannot_be_built() -> None:
    """A value that the class refuses, directly or below: the innermost choice is named."""
    with pytest.raises(UserError, match=r"^model\.groups: the candidate 2 cannot .* divisible"):
        lowered(conv3(groups=oneof([1, 2])))
    inner = oneof([identity(), conv3(groups=oneof([3, 2]))])
    with pytest.raises(UserError, match=r"^model\.args\[0\]\(Conv2d\)\.groups: the candidate 2"):
        lowered(sequential(inner))


def test_a_class_that_looks_into_its_modules() -> None:
    """The class, the choice and the reason, instead of a traceback."""

    class Curious(nn.Module):
        def __init__(self, layer: nn.Module) -> None:
            super().__init__()
            self.out = nn.Conv2d(layer.out_channels, 3, 1)  # type: ignore[arg-type]

    curious = symbolize(Curious)
    with pytest.raises(UserError, match=r"model\.layer: Curious cannot be built .*out_channels"):
        lowered(curious(oneof([conv3(), conv3(1, 0)])))


def test_a_function_that_promises_a_module_and_does_not_keep_it() -> None:
    """The candidate is named."""

    def broken(n: int) -> nn.Module:
        return n  # type: ignore[return-value]

    made = symbolize(broken)
    with pytest.raises(UserError, match=r"model\.args\[0\]: the candidate .*int, not a torch"):
        lowered(sequential(oneof([made(1), conv3()])))


def test_a_function_that_does_not_say_what_it_builds() -> None:
    """Its choices are no module's; the module around it is copied when there is one."""
    net = lowered(sequential(conv3(), unknown(oneof([3, 5]))))
    assert isinstance(net.model, Switch)
    for decisions in net.space.enumerate():
        assert_path_is_network(net, decisions)


def test_the_template_stays_as_it_is() -> None:
    """A space can be lowered and searched by trials, in any order."""
    space = Space(fit(model=MODELS["copies in copies"]()))
    before = space.template.fingerprint()
    lower(space)
    assert space.template.fingerprint() == before
    assert isinstance(space.materialise(space.sample(random.Random(0))).build(), Fit)


def test_a_seed_decides_the_weights() -> None:
    """Those of modules that are given as such are drawn when the program is built."""
    space = Space(fit(model=MODELS["modules"]()))
    one, two, other = (lower(space, seed=seed).model.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not all(torch.equal(one[k], other[k]) for k in one)
