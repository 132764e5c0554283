"""A person's images under Poisson sampling, against direct integrals, dp-accounting and tensorflow-privacy."""

from __future__ import annotations

import math
import re
import sys

import numpy as np
import pytest
from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
from dp_accounting.pld import PLDAccountant
from scipy.stats import binom, norm

from fer_audit.metrics.group_privacy import Mixture, group_epsilon

SETTINGS = [(2, 0.1, 1.0), (3, 0.1, 1.0), (2, 0.4, 0.6), (3, 0.02, 3.0)]


def densities(images: int, rate: float, sigma: float) -> tuple[np.ndarray, np.ndarray, float]:
    """P and Q on a fine grid, and the grid's step."""
    outcomes, step = np.linspace(-12 * sigma, images + 12 * sigma, 400_001, retstep=True)
    parts = [binom.pmf(j, images, rate) * norm.pdf(outcomes, j, sigma) for j in range(images + 1)]
    return np.sum(parts, axis=0), norm.pdf(outcomes, 0, sigma), float(step)


@pytest.mark.parametrize(("images", "rate", "sigma"), SETTINGS)
def test_deltas_of_one_step_are_what_no_test_can_gain(images: int, rate: float, sigma: float) -> None:
    p, q, step = densities(images, rate, sigma)
    epsilons = np.array([-0.1, 0.0, 0.01, 0.1, 0.5, 1.0, 3.0])
    mixture = Mixture(images, rate, sigma)
    for found, one, other in ((mixture.removed(epsilons), p, q), (mixture.added(epsilons), q, p)):
        gains = [step * np.sum(np.maximum(one - math.exp(epsilon) * other, 0)) for epsilon in epsilons]
        assert found == pytest.approx(np.array(gains), abs=1e-7)


@pytest.mark.parametrize(("images", "rate", "sigma"), SETTINGS)
def test_deltas_grow_with_the_group_up_to_all_images_at_once(images: int, rate: float, sigma: float) -> None:
    epsilons = np.linspace(-0.5, 8, 200)
    at_once = Mixture(1, 1 - (1 - rate) ** images, sigma / images)  # all of them in each step that has one
    found, fewer = Mixture(images, rate, sigma), Mixture(images - 1, rate, sigma)
    for direction in (Mixture.removed, Mixture.added):
        assert np.all(direction(fewer, epsilons) <= direction(found, epsilons) + 1e-12)
        assert np.all(direction(found, epsilons) <= direction(at_once, epsilons) + 1e-12)


@pytest.mark.parametrize(("rate", "sigma", "steps"), [(1 / 16, 1.0, 224), (1 / 256, 0.7, 500), (0.3, 4.0, 60)])
def test_one_image_has_the_epsilon_of_dp_accounting(rate: float, sigma: float, steps: int) -> None:
    event = SelfComposedDpEvent(PoissonSampledDpEvent(rate, GaussianDpEvent(sigma)), steps)
    accountant = PLDAccountant(value_discretization_interval=Mixture(1, rate, sigma).resolution)
    expected = accountant.compose(event).get_epsilon(1e-5)
    found = group_epsilon(1, sampling_rate=rate, noise_multiplier=sigma, steps=steps, delta=1e-5)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("images", [2, 3])
def test_two_steps_are_the_integral_over_both(images: int) -> None:
    rate, sigma, delta = 0.2, 1.5, 1e-3
    epsilon = group_epsilon(images, sampling_rate=rate, noise_multiplier=sigma, steps=2, delta=delta)
    outcomes, step = np.linspace(-9 * sigma, images + 9 * sigma, 3_001, retstep=True)
    p = np.sum([binom.pmf(j, images, rate) * norm.pdf(outcomes, j, sigma) for j in range(images + 1)], axis=0) * step
    q = norm.pdf(outcomes, 0, sigma) * step
    assert epsilon is not None
    gains = [
        np.maximum(np.outer(one, one) - math.exp(epsilon) * np.outer(other, other), 0).sum()
        for one, other in ((p, q), (q, p))
    ]
    assert max(gains) == pytest.approx(delta, rel=2e-3)


@pytest.mark.parametrize(("images", "noise"), [(2, 1.0), (3, 2.0), (6, 4.0)])
def test_the_generic_bound_of_tensorflow_privacy_is_larger(images: int, noise: float) -> None:
    sys.skip_tf_privacy_import = True  # type: ignore[attr-defined]
    from tensorflow_privacy.privacy.analysis.compute_dp_sgd_privacy_lib import compute_dp_sgd_privacy_statement

    said = compute_dp_sgd_privacy_statement(
        512, 32, 14, noise, 1e-5, used_microbatching=False, max_examples_per_user=images
    )
    image, person = (float(epsilon) for epsilon in re.findall(r"Poisson sampling \(\*\): +([\d.]+)", said))
    found = group_epsilon(images, sampling_rate=32 / 512, noise_multiplier=noise, steps=224, delta=1e-5)
    assert found is not None
    assert image < found < person


def test_what_overflows_has_no_number() -> None:
    assert group_epsilon(70, sampling_rate=0.1, noise_multiplier=1e-3, steps=10, delta=1e-5) is None
    many = group_epsilon(60, sampling_rate=0.1, noise_multiplier=0.5, steps=1000, delta=1e-5)
    assert many is not None
    assert math.isfinite(many)
