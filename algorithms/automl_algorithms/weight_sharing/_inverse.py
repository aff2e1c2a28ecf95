"""H^-1 v of a symmetric matrix H that is known by its products with vectors alone.

A vector is a list of tensors, and a product a function from one to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from automl_algorithms.weight_sharing._update import dot, norm

Vector = Sequence[Tensor]
Product = Callable[[Vector], Vector]
TOLERANCE = 1e-10  # of the residual, as a share of v's norm


def conjugate_gradient(product: Product, v: Vector, steps: int) -> list[Tensor]:
    """Hestenes and Stiefel 1952. It ends early where H is not positive: there is no way down."""
    x = [torch.zeros_like(each) for each in v]
    residual, direction = list(v), list(v)
    before = first = dot(residual, residual)
    for _ in range(steps):
        if before <= TOLERANCE**2 * first:
            break
        image = product(direction)
        curvature = dot(direction, image)
        if curvature <= 0:
            break
        alpha = before / curvature
        x = [a + alpha * d for a, d in zip(x, direction, strict=True)]
        residual = [r - alpha * i for r, i in zip(residual, image, strict=True)]
        after = dot(residual, residual)
        direction = [r + after / before * d for r, d in zip(residual, direction, strict=True)]
        before = after
    # Where not even the first step was possible, H is as if it were the identity.
    return x if any(each.any() for each in x) else list(v)


def neumann(product: Product, v: Vector, steps: int, alpha: float) -> list[Tensor]:
    """alpha sum_{k=0..steps} (I - alpha H)^k v; it needs alpha < 2 / |H|.

    Lorraine et al. 2020 (arXiv 1911.02590), algorithm 3. No step is T1-T2 (Luketina et al. 2016).
    """
    term, total = list(v), list(v)
    for _ in range(steps):
        image = product(term)
        term = [t - alpha * i for t, i in zip(term, image, strict=True)]
        total = [s + t for s, t in zip(total, term, strict=True)]
    return [alpha * s for s in total]


def largest(product: Product, start: Vector, steps: int = 1) -> tuple[float, list[Tensor]]:
    """The magnitude of the largest eigenvalue, by the power method, and its vector of norm 1."""
    vector, size = list(start), 0.0
    for _ in range(steps):
        scale = norm(vector) or 1.0
        vector = list(product([x / scale for x in vector]))
        size = norm(vector)
    return size, [x / (size or 1.0) for x in vector]
