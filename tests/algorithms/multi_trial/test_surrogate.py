"""The Gaussian process against direct linear algebra, finite differences and plain sampling."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm  # type: ignore[import-untyped]

from automl_algorithms.multi_trial._surrogate import (
    DOUBT,
    JITTER,
    SPREAD,
    Posterior,
    Scales,
    fit_scales,
    log_expected_improvement,
    matern,
    negative_log_posterior,
    squared_distances,
    tamed,
)

OWNER = np.array([0, 1, 1, 2])
RNG = np.random.default_rng(0)
X, Y = RNG.random((12, 4)), RNG.standard_normal(12)
LOG = np.log([0.5, 2.0, 1.0, 0.05])  # three weights and the noise
CENTRE = np.log([2 / 3, 2 / 3, 2 / 3, 1e-4])
SCALES = Scales(np.exp(LOG[:3]), float(np.exp(LOG[3])))


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Matern 5/2, entry by entry."""
    k = np.empty((len(a), len(b)))
    for i, p in enumerate(a):
        for j, q in enumerate(b):
            r = np.sqrt(5 * (SCALES.weights[OWNER] * (p - q) ** 2).sum())
            k[i, j] = (1 + r + r**2 / 3) * np.exp(-r)
    return k


def _distances() -> np.ndarray:
    columns = [X[:, i == OWNER] for i in range(3)]
    return np.stack([squared_distances(c, c).ravel() for c in columns])


def test_the_posterior_is_that_of_a_joint_normal() -> None:
    """Means and deviations are those of conditioning a normal vector on a part of it."""
    new = RNG.random((5, 4))
    noisy = _kernel(X, X) + (SCALES.noise + JITTER) * np.eye(12)
    residual = Y - Y.mean()
    variance = residual @ np.linalg.solve(noisy, residual) / 12
    cross = _kernel(new, X)
    mean = Y.mean() + cross @ np.linalg.solve(noisy, residual)
    covariance = variance * (_kernel(new, new) - cross @ np.linalg.solve(noisy, cross.T))
    means, deviations = Posterior(X, Y, OWNER, SCALES).predict(new)
    np.testing.assert_allclose(means, mean, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(deviations, np.sqrt(np.diag(covariance)), rtol=1e-6)


def test_the_objective_is_the_marginal_likelihood_and_the_prior() -> None:
    """At the variance that maximises it, up to a constant: differences are compared."""

    def direct(log: np.ndarray) -> float:
        k = matern((np.exp(log[:3]) @ _distances()).reshape(12, 12))
        k += (np.exp(log[3]) + JITTER) * np.eye(12)
        variance = Y @ np.linalg.solve(k, Y) / 12
        likelihood = multivariate_normal(np.zeros(12), variance * k).logpdf(Y)
        return float(-likelihood - norm(CENTRE, SPREAD).logpdf(log).sum())

    other = LOG + np.array([0.3, -0.5, 0.2, 0.4])
    ours = [negative_log_posterior(log, CENTRE, _distances(), Y)[0] for log in (LOG, other)]
    assert ours[1] - ours[0] == pytest.approx(direct(other) - direct(LOG), rel=1e-6)


def test_its_gradient() -> None:
    """Equals central differences."""
    _, gradient = negative_log_posterior(LOG, CENTRE, _distances(), Y)
    for i, step in enumerate(1e-5 * np.eye(4)):
        up, down = (
            negative_log_posterior(LOG + s, CENTRE, _distances(), Y)[0] for s in (step, -step)
        )
        assert gradient[i] == pytest.approx((up - down) / 2e-5, rel=1e-5)


def test_the_weights_tell_decisions_that_matter() -> None:
    """Only the last decision moves the targets: its weight is much the largest."""
    x = np.random.default_rng(1).random((40, 4))
    weights = fit_scales(x, np.sin(6 * x[:, 3]), OWNER).weights
    assert weights[2] > 20 * max(weights[:2])


def test_noise_is_found_and_taken_for_noise_when_it_is_expected() -> None:
    """Of a smooth function with noise of a third of its deviation, at least a tenth is noise."""
    rng = np.random.default_rng(2)
    x = rng.random((60, 4))
    smooth = np.sin(3 * x[:, 0])
    targets = smooth / smooth.std() + 0.33 * rng.standard_normal(60)
    doubting = fit_scales(x, targets, OWNER, DOUBT)
    assert doubting.noise > 0.03
    means, _ = Posterior(x, targets, OWNER, doubting).predict(x)
    truth = smooth / smooth.std()
    assert np.abs(means - truth).mean() < 0.7 * np.abs(targets - truth).mean()


def test_what_is_believed_is_certain_and_changes_no_mean() -> None:
    """A running trial narrows its surroundings, and the predictions stay where they were."""
    posterior, running = Posterior(X, Y, OWNER, SCALES), RNG.random((2, 4))
    means, before = posterior.predict(running)
    believing = posterior.believing(running)
    same, after = believing.predict(running)
    np.testing.assert_allclose(same, means, atol=0.1)
    assert (after < before).all()
    assert len(believing._targets) == 14


def test_the_better_half_keeps_its_distances() -> None:
    """Twice as far from the median is twice as far, while a disaster is merely the last."""
    targets = tamed(np.array([-1e30, 0.0, 1.0, 2.0, 4.0]))
    assert targets[4] / targets[3] == pytest.approx(3.0)
    assert targets[2] == 0.0
    assert -2 < targets[0] < targets[1] < 0
    np.testing.assert_allclose(tamed(np.array([-np.inf, 0.0, 1.0, 2.0, 4.0])), targets)


def test_rewards_without_any_order_are_all_the_same() -> None:
    """Equal ones, and infinite ones alone."""
    for rewards in ([3.0, 3.0, 3.0], [-np.inf, -np.inf, -np.inf]):
        assert tamed(np.array(rewards)) == pytest.approx(0.0)


@pytest.mark.parametrize(("mean", "deviation"), [(0.5, 1.0), (-1.0, 0.5), (2.0, 0.1)])
def test_expected_improvement_is_an_expectation(mean: float, deviation: float) -> None:
    """It is the mean of what a million draws of a normal variable improve on the best."""
    draws = mean + deviation * np.random.default_rng(0).standard_normal(1_000_000)
    expected = np.log(np.maximum(draws - 0.3, 0).mean())
    found = log_expected_improvement(np.array([mean]), np.array([deviation]), 0.3)
    assert found[0] == pytest.approx(expected, abs=0.03)


def test_hopeless_candidates_are_still_compared() -> None:
    """A hundred deviations below the best, where the improvement itself is 0 in floats."""
    means = np.array([-100.0, -90.0, -80.0])
    scores = log_expected_improvement(means, np.ones(3), 0.0)
    assert np.isfinite(scores).all()
    assert (np.diff(scores) > 100).all()


def test_decisions_that_are_equal_everywhere_do_no_harm() -> None:
    """Trials that are all alike leave a model that predicts their reward."""
    x = np.repeat(X[:1], 6, axis=0)
    scales = fit_scales(x, np.zeros(6), OWNER)
    means, deviations = Posterior(x, np.zeros(6), OWNER, scales).predict(X)
    assert means == pytest.approx(0.0)
    assert np.isfinite(deviations).all()
