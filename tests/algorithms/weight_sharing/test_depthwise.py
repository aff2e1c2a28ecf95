"""The quick gradient of depthwise convolutions: PyTorch's, but for roundings."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import conv2d

from automl_algorithms.weight_sharing import _depthwise
from automl_algorithms.weight_sharing._depthwise import Depthwise, suits
from automl_algorithms.weight_sharing.slicing_layers import SlicedConv2d


def tensors(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Random ones, with gradients."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(s, generator=generator, dtype=dtype).requires_grad_() for s in shapes]


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 3),
    channels=st.integers(1, 4),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.sampled_from([1, 3, 5, 7]),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
)
def test_gradients_are_those_of_a_plain_convolution(
    n: int, channels: int, size: tuple[int, int], kernel: int, stride: int, dilation: int
) -> None:
    """For every stride and dilation, where no output has seen the last rows, too."""
    x, weight = tensors((n, channels, *size), (channels, 1, kernel, kernel))
    sizes = [stride] * 2, [dilation * (kernel // 2)] * 2, [dilation] * 2
    ours = Depthwise.apply(x, weight, *sizes)  # type: ignore[no-untyped-call]
    plain = conv2d(x, weight, None, *sizes, channels)
    assert torch.equal(ours, plain)
    (direction,) = tensors(tuple(plain.shape))
    found = torch.autograd.grad(ours, (x, weight), direction)
    expected = torch.autograd.grad(plain, (x, weight), direction)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("stride", [1, 2])
def test_the_gradients_can_be_differentiated_again(stride: int) -> None:
    """As searches of second order do."""
    x, weight = tensors((2, 2, 5, 5), (2, 1, 5, 5))
    sizes = [stride] * 2, [2, 2], [1, 1]
    assert torch.autograd.gradgradcheck(
        lambda *args: Depthwise.apply(*args, *sizes),  # type: ignore[no-untyped-call]
        (x, weight),
    )


@pytest.mark.parametrize(
    ("kernel", "groups", "needs", "expected"),
    [(5, 4, True, True), (3, 4, True, False), (5, 1, True, False), (5, 4, False, False)],
)
def test_where_it_is_quicker(kernel: int, groups: int, needs: bool, expected: bool) -> None:
    """Large kernels of groups of one channel, that are trained."""
    shapes = (2, 4, 6, 6), (4, 4 // groups, kernel, kernel)
    x, weight = tensors(*shapes, dtype=torch.float32)
    weight.requires_grad_(needs)
    assert suits(x, weight, groups) is expected
    with torch.no_grad():
        assert not suits(x, weight, groups)
    assert not suits(*tensors(*shapes), groups)


@pytest.mark.parametrize("bias", [False, True])
def test_a_layer_takes_it_without_a_bias(bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradients are the same either way."""
    torch.manual_seed(0)
    layer = SlicedConv2d(4, 4, 5, groups=4, padding=2, bias=bias)
    (x,) = tensors((3, 4, 6, 6), dtype=torch.float32)
    y = layer(x)
    assert (type(y.grad_fn).__name__ == "DepthwiseBackward") is not bias
    found = torch.autograd.grad(y.square().sum(), list(layer.parameters()))
    monkeypatch.setattr(_depthwise, "QUICK", 5)
    expected = torch.autograd.grad(layer(x).square().sum(), list(layer.parameters()))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
