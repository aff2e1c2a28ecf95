"""A Gaussian process over decisions: its length scales are learned, all else is closed form.

Rasmussen and Williams, "Gaussian processes for machine learning", 2006: Algorithm 2.1 for the
posterior, equation 5.9 for the gradient of the marginal likelihood. The kernel is Matern 5/2 of

    r^2(x, x') = sum_i w_i D_i(x, x')

with one weight w_i per decision i: D_i is the squared difference of numbers and the Hamming
distance of candidates. Shapes are written with n trials, m candidates, d points, f features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.linalg import cho_solve, solve_triangular  # type: ignore[import-untyped]
from scipy.optimize import minimize  # type: ignore[import-untyped]
from scipy.special import erfcx, ndtri  # type: ignore[import-untyped]
from scipy.stats import rankdata  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]

STEPS: Final = 25  # of L-BFGS
SPREAD: Final = 1.5  # standard deviation of the priors, which are normal in the logarithm
NOISE: Final = 1e-2  # where the noise's prior is centred, as a part of the signal's variance
DOUBT: Final = 0.3  # the noise itself, when the values are what is doubted
JITTER: Final = 1e-8


def tamed(rewards: Array) -> Array:
    """(n,) rewards on a scale that a Gaussian process can follow; infinite ones are welcome.

    What a search meets has a long tail of failures (broken networks), in which the order is all
    that matters, and a good half, in which the distances do: how near the optimum is shows in
    them. So the worse half becomes the normal quantiles of its ranks, as in Salinas, Shen,
    Perrone, "A quantile-based approach for hyperparameter transfer learning", ICML 2020, and
    the better half keeps its distances from the median, divided by their standard deviation.
    """
    finite = rewards[np.isfinite(rewards)]
    if not len(finite):
        return np.zeros(len(rewards))
    capped = np.clip(rewards, finite.min(), finite.max())
    above = capped - np.median(capped)
    better = above > 0
    scale = above[better].mean() * np.sqrt(np.pi / 2) if better.any() else 1.0
    quantiles: Array = ndtri((rankdata(rewards) - 0.5) / len(rewards))
    return np.where(better, above / scale, np.minimum(quantiles, 0.0))


def matern(r2: Array) -> Array:
    """Matern 5/2 of squared distances. What most of the time goes into: hence in place."""
    squared = 5.0 * r2
    r = np.sqrt(squared)
    squared /= 3.0
    squared += r
    squared += 1.0
    np.negative(r, out=r)
    squared *= np.exp(r, out=r)
    return squared


def matern_derivative(r2: Array) -> Array:
    """Of Matern 5/2, by the squared distances."""
    r = np.sqrt(5.0 * r2)
    derivative: Array = -5.0 / 6.0 * (1.0 + r) * np.exp(-r)
    return derivative


def squared_distances(a: Array, b: Array) -> Array:
    """(m, n) of the rows of a (m, f) and b (n, f)."""
    squares: Array = (-2.0 * a) @ b.T
    squares += (a * a).sum(axis=1)[:, None]
    squares += (b * b).sum(axis=1)
    return np.maximum(squares, 0.0, out=squares)


@dataclass(frozen=True)
class Scales:
    """What is learned: `weights` (d,) of the decisions; `noise`, a part of the variance."""

    weights: Array
    noise: float


def negative_log_posterior(
    log: Array, centre: Array, distances: Array, targets: Array
) -> tuple[float, Array]:
    """Of the scales, the kernel's variance being at its maximum; with its gradient.

    Args:
        log: (d + 1,) logarithms of the weights and of the noise.
        centre: (d + 1,) where their priors are centred.
        distances: (d, n * n) of each decision.
        targets: (n,).
    """
    n, d = len(targets), len(distances)
    scales = np.exp(log)
    r2 = (scales[:d] @ distances).reshape(n, n)
    k, dk = matern(r2), matern_derivative(r2)
    lower = np.linalg.cholesky(k + (scales[d] + JITTER) * np.eye(n))
    inverse = cho_solve((lower, True), np.eye(n), check_finite=False)
    alpha = inverse @ targets
    fit = max(float(targets @ alpha), JITTER)
    off = (log - centre) / SPREAD
    value = 0.5 * n * np.log(fit / n) + np.log(np.diag(lower)).sum() + 0.5 * off @ off
    outer = 0.5 * inverse - 0.5 * n / fit * np.outer(alpha, alpha)
    gradient = np.append(distances @ (outer * dk).ravel(), np.trace(outer)) * scales
    return float(value), gradient + off / SPREAD


def fit_scales(
    features: Array, targets: Array, owner: NDArray[np.intp], noise: float = NOISE
) -> Scales:
    """The most probable scales.

    Args:
        features: (n, f).
        targets: (n,).
        owner: (f,) the decision of each feature.
        noise: where its prior is centred. That of the weights makes the squared distance of two
            random records be of order 1, whatever d is.
    """
    d = int(owner.max()) + 1
    parts = (features[:, owner == i] for i in range(d))
    distances = np.stack([squared_distances(part, part).ravel() for part in parts])
    start = np.append(np.full(d, np.log(2.0 / d)), np.log(noise))
    found = minimize(
        negative_log_posterior,
        start,
        args=(start, distances, targets),
        jac=True,
        method="L-BFGS-B",
        bounds=[(c - 6.0, c + 6.0) for c in start],
        options={"maxiter": STEPS},
    )
    scales = np.exp(found.x)
    return Scales(scales[:d], float(scales[d]))


class Posterior:
    """What the trials say of any other record. `mean` is the mean of the targets."""

    def __init__(
        self, features: Array, targets: Array, owner: NDArray[np.intp], scales: Scales
    ) -> None:
        n = len(targets)
        self._features, self._targets = features, targets
        self._owner, self._scales = owner, scales
        self._stretch = np.sqrt(scales.weights)[owner]
        self._points = features * self._stretch
        k = matern(squared_distances(self._points, self._points))
        lower = np.linalg.cholesky(k + (scales.noise + JITTER) * np.eye(n))
        self._root = solve_triangular(lower, np.eye(n), lower=True, check_finite=False)
        self.mean = float(targets.mean())
        z = self._root @ (targets - self.mean)
        self._alpha = self._root.T @ z
        self._variance = max(float(z @ z) / n, JITTER)

    def predict(self, features: Array) -> tuple[Array, Array]:
        """(m,) means and (m,) standard deviations, without the noise, of (m, f) features."""
        k = matern(squared_distances(features * self._stretch, self._points))
        rooted = k @ self._root.T
        explained = np.einsum("ij,ij->i", rooted, rooted)
        deviation = np.sqrt(self._variance * np.maximum(1.0 - explained, JITTER))
        return self.mean + k @ self._alpha, deviation

    def believing(self, features: Array) -> Posterior:
        """As if running trials, (m, f), would come out as they are expected to.

        The "kriging believer" of Ginsbourger, Le Riche, Carraro 2010: what is being evaluated
        is no longer uncertain, so that the next worker is sent elsewhere.
        """
        targets = np.append(self._targets, self.predict(features)[0])
        return Posterior(np.vstack([self._features, features]), targets, self._owner, self._scales)


def log_expected_improvement(means: Array, deviations: Array, best: float) -> Array:
    """log E max(f - best, 0), (m,): does not vanish where the improvement does.

    Ament et al., "Unexpected improvements to expected improvement", NeurIPS 2023, equation 9.
    """
    u = np.clip((means - best) / deviations, -1e3, 30.0)
    ratio = np.sqrt(np.pi / 2) * erfcx(-u / np.sqrt(2))  # of the normal distribution to its density
    density = -0.5 * u * u - 0.5 * np.log(2 * np.pi)
    logarithm: Array = density + np.log1p(u * ratio) + np.log(deviations)
    return logarithm
