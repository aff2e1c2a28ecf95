"""Layers that compute with the first channels of their weights: those of the path of the moment.

The input says how many channels come in, so only a layer that decides about the number of its
output channels is told it. On the path of one architecture such a network *is* the stand-alone
one: the same arithmetic on slices of shared tensors, in the time of the narrow network.

Parameters have the names, and on the widest path the shapes, of the layers of `torch.nn`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, linear, pad

from automl_algorithms.weight_sharing import _depthwise
from automl_algorithms.weight_sharing.slicing import Elastic, Width, at, computed, largest

if TYPE_CHECKING:
    from automl_algorithms.weight_sharing.elastic import Decided


class SlicedConv2d(nn.Conv2d):
    """A convolution of the first input channels to the first output channels.

    With more than one group, narrower means fewer groups of the same size: the output has as many
    groups as the input (a depthwise convolution has groups of one channel). Padding is by zeros.

    A smaller kernel is the centre of the largest; of several that are weighted the sum is taken,
    so that a mixture costs one convolution (Stamoulis et al. 2019, arXiv 1904.02877, equation 3).

    Args:
        cin, cout, groups: numbers or elastic numbers.
        kernel_size: the same; where it is elastic the image keeps its size, but for the stride.
        options: as of `nn.Conv2d`.
    """

    def __init__(
        self, cin: Width, cout: Width, kernel_size: Width, *, groups: Width = 1, **options: Any
    ) -> None:
        if isinstance(kernel_size, Elastic):
            if any(size % 2 == 0 for size in kernel_size.values):
                raise ValueError(f"kernels of sizes {kernel_size.values} have no common centre")
            options["padding"] = largest(kernel_size) // 2
        super().__init__(
            largest(cin), largest(cout), largest(kernel_size), groups=largest(groups), **options
        )
        self.cin, self.cout, self.kernels = cin, cout, kernel_size

    def forward(self, x: Tensor) -> Tensor:
        """[N, cin, H, W] -> [N, cout, H', W'] with the numbers of channels of the moment."""
        cin = x.shape[1]
        if self.groups == 1:
            groups, cout = 1, computed(self.cout)
        else:
            groups = cin * self.groups // self.in_channels
            cout = groups * self.out_channels // self.groups
        weight, padding = self._kernel(self.weight[:cout, : cin // groups])
        if self.bias is None and _depthwise.suits(x, weight, groups):
            return _depthwise.Depthwise.apply(  # type: ignore[no-any-return, no-untyped-call]
                x, weight, self.stride, padding, self.dilation
            )
        return conv2d(
            x,
            weight,
            None if self.bias is None else self.bias[:cout],
            self.stride,
            padding,
            self.dilation,
            groups,
        )

    def _kernel(self, weight: Tensor) -> tuple[Tensor, Any]:
        """The kernel of the moment, [cout, cin / groups, k, k], and its padding."""
        if not isinstance(self.kernels, Elastic):
            return weight, self.padding
        sizes, weights, _ = self.kernels.terms()
        if weights is None:
            return _centre(weight, sizes[0]), _same(sizes[0], self.dilation)
        size = max(sizes)
        centres = [
            share.to(weight) * pad(_centre(weight, k), [(size - k) // 2] * 4)
            for k, share in zip(sizes, weights, strict=True)
        ]
        return torch.stack(centres).sum(0), _same(size, self.dilation)

    def derived_state(self, decided: Decided) -> dict[str, Tensor]:
        """The parameters of the stand-alone convolution of a record."""
        cin, cout = at(self.cin, decided), at(self.cout, decided)
        cin = cin if self.groups == 1 else self.weight.shape[1]
        state = {"weight": _centre(self.weight[:cout, :cin], at(self.kernels, decided))}
        return state if self.bias is None else {**state, "bias": self.bias[:cout]}


def _centre(weight: Tensor, size: int | tuple[int, ...]) -> Tensor:
    """The middle of kernels [..., k, k]."""
    if isinstance(size, tuple) or size == weight.shape[-1]:
        return weight
    edge = (weight.shape[-1] - size) // 2
    return weight[..., edge : edge + size, edge : edge + size]


def _same(size: int, dilation: tuple[int, ...]) -> list[int]:
    """The padding with which a kernel of this size keeps that of the image."""
    return [d * (size // 2) for d in dilation]


class SlicedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation of the first channels; the statistics of the others stay as they are.

    Args:
        channels: a number or an elastic number.
    """

    def __init__(self, channels: Width) -> None:
        super().__init__(largest(channels))
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """[N, c, H, W] -> the same, normalised by the first c entries of everything."""
        c = x.shape[1]
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        if self.training:
            self.num_batches_tracked.add_(1)
        return batch_norm(
            x,
            self.running_mean[:c],
            self.running_var[:c],
            self.weight[:c],
            self.bias[:c],
            self.training,
            self.momentum,
            self.eps,
        )

    def derived_state(self, decided: Decided) -> dict[str, Tensor]:
        """The parameters and statistics of the stand-alone normalisation of a record."""
        c = at(self.channels, decided)
        return {
            name: t[:c] if t.dim() else t for name, t in self.state_dict(keep_vars=True).items()
        }


class SlicedLinear(nn.Linear):
    """A linear layer of the first input features to all output features.

    Args:
        features: a number or an elastic number.
        out: output features.
    """

    def __init__(self, features: Width, out: int) -> None:
        super().__init__(largest(features), out)
        self.features = features

    def forward(self, x: Tensor) -> Tensor:
        """[N, c] -> [N, out]."""
        return linear(x, self.weight[:, : x.shape[1]], self.bias)

    def derived_state(self, decided: Decided) -> dict[str, Tensor]:
        """The parameters of the stand-alone linear layer of a record."""
        return {"weight": self.weight[:, : at(self.features, decided)], "bias": self.bias}
