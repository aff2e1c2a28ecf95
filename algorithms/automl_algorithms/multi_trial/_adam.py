"""Adam, without bounds or schedules: Kingma and Ba, ICLR 2015 (arXiv 1412.6980), Algorithm 1."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Adam:
    """Uphill steps that do not depend on the scale of the gradient.

    Args:
        size: number of parameters.
        lr: step size; no parameter moves much further than this in one step.
        beta1, beta2: decay of the running means of the gradient and of its square.
        epsilon: keeps a parameter without gradient where it is.
    """

    def __init__(
        self,
        size: int,
        lr: float,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        self.lr, self.beta1, self.beta2, self.epsilon = lr, beta1, beta2, epsilon
        self._mean: Array = np.zeros(size)
        self._square: Array = np.zeros(size)
        self._steps = 0

    def ascend(self, parameters: Array, gradient: Array) -> None:
        """One step along the gradient of what is to be maximised; parameters change in place."""
        self._steps += 1
        self._mean += (1 - self.beta1) * (gradient - self._mean)
        self._square += (1 - self.beta2) * (gradient * gradient - self._square)
        deviation = np.sqrt(self._square) / math.sqrt(1 - self.beta2**self._steps) + self.epsilon
        parameters += self.lr / (1 - self.beta1**self._steps) * self._mean / deviation
