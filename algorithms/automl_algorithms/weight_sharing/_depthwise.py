"""A depthwise convolution whose weights are differentiated quickly on a CPU.

There PyTorch has a quick kernel for the gradient of the weights of 3 x 3 alone; for 5 x 5 and 7 x 7
it takes up to ten times as long as the forward pass, most of a step of a supernet that has these.
But that gradient is a convolution itself, of each image's channel by the gradient at its output,

    dL/dw[c, i, j] = sum_{n, h, w} x[n, c, s h + d i - p, s w + d j - p] g[n, c, h, w]

with stride s, dilation d and padding p: so it is a forward pass over N C channels, with s and d in
each other's place. Measured at a width of 0.35 it takes a half to a quarter of the time. Without a
stride the gradient of the input is a forward pass as well.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d

QUICK = 3  # the largest kernel for which PyTorch is quick itself
_ONE_DNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]

Sizes = list[int]


def suits(x: Tensor, weight: Tensor, groups: int) -> bool:
    """Whether a convolution without a bias is better made by `Depthwise`.

    Args:
        x: [N, cin, H, W].
        weight: [cout, cin / groups, k, k].
    """
    depthwise = groups == x.shape[1] == weight.shape[0]
    trains = torch.is_grad_enabled() and weight.requires_grad
    # Without oneDNN a convolution goes through its groups one by one.
    quick = x.device.type == "cpu" and x.dtype == torch.float32 and _ONE_DNN
    return depthwise and trains and quick and weight.shape[-1] > QUICK


class Depthwise(torch.autograd.Function):
    """`conv2d` with as many groups as channels, zeros around the image and no bias.

    The output is PyTorch's, bit for bit; the gradients have other roundings.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, stride: Sizes, padding: Sizes, dilation: Sizes
    ) -> Tensor:
        """x [N, c, H, W], weight [c, 1, k, k] -> [N, c, H', W']."""
        ctx.save_for_backward(x, weight)
        ctx.sizes = stride, padding, dilation
        return conv2d(x, weight, None, stride, padding, dilation, x.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        """The gradients of the input and of the weights; they can be differentiated again."""
        (gradient,) = gradients  # [N, c, H', W']
        x, weight = ctx.saved_tensors
        stride, padding, dilation = ctx.sizes
        of_x = of_weight = None
        n, c, *image = x.shape
        sizes = zip(dilation, weight.shape[2:], padding, strict=True)
        around = [d * (k - 1) - p for d, k, p in sizes]
        if ctx.needs_input_grad[0] and max(stride) == 1 and min(around) >= 0:
            of_x = conv2d(gradient, weight.flip(2, 3), None, 1, around, dilation, c)
        elif ctx.needs_input_grad[0]:
            of_x, _, _ = torch.ops.aten.convolution_backward(
                gradient, x, weight, None, stride, padding, dilation, False, [0, 0], c,
                [True, False, False],
            )  # fmt: skip
        if ctx.needs_input_grad[1]:
            images = x.contiguous().view(1, n * c, *image)
            kernels = gradient.contiguous().view(n * c, 1, *gradient.shape[2:])
            found = conv2d(images, kernels, None, dilation, padding, stride, n * c)
            high, wide = weight.shape[2:]  # a stride may leave rows that no output has seen
            found = found[0, :, :high, :wide].reshape(n, c, high, wide)
            of_weight = found.sum(0)[:, None]
        return of_x, of_weight, None, None, None
