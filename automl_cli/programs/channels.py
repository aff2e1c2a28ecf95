"""The channel arithmetic of MobileNetV2 and EfficientNet, which costs need without PyTorch."""

from __future__ import annotations

# (filters, stride, expansion) of each block of the paper's table 2: Sandler et al. 2018,
# arXiv 1801.04381. A stage of n blocks with stride s is one block of stride s, then n - 1 of 1.
_STAGES = (
    (16, 1, 1, 1),  # filters, stride, expansion, repeats
    (24, 2, 6, 2),
    (32, 2, 6, 3),
    (64, 2, 6, 4),
    (96, 1, 6, 3),
    (160, 2, 6, 3),
    (320, 1, 6, 1),
)
MOBILENET_V2_BLOCKS = tuple(
    (filters, stride if i == 0 else 1, expansion)
    for filters, stride, expansion, repeats in _STAGES
    for i in range(repeats)
)

# (filters, stride, kernel size, expansion) of each block of EfficientNet-B0: Tan and Le 2019,
# arXiv 1905.11946, table 1.
_B0_STAGES = (
    (16, 1, 3, 1, 1),  # filters, stride, kernel size, expansion, repeats
    (24, 2, 3, 6, 2),
    (40, 2, 5, 6, 2),
    (80, 2, 3, 6, 3),
    (112, 1, 5, 6, 3),
    (192, 2, 5, 6, 4),
    (320, 1, 3, 6, 1),
)
EFFICIENTNET_B0_BLOCKS = tuple(
    (filters, stride if i == 0 else 1, kernel_size, expansion)
    for filters, stride, kernel_size, expansion, repeats in _B0_STAGES
    for i in range(repeats)
)


def make_divisible(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of `divisor` that is not more than 10 % below `channels`.

    As in TF-slim's MobileNet: hardware likes multiples of 8, and rounding down by more than a
    tenth would change the network.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * channels else rounded + divisor
