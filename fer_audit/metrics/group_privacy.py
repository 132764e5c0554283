"""What differentially private SGD promises a person with k images, under Poisson sampling.

Of the k images j ~ Binomial(k, q) are in a step, and move the sum of clipped gradients by at most j clip norms. Over
any number of steps the person is no easier to detect than it is to tell outcomes of P = sum_j P[j] N(j, sigma^2) from
those of Q = N(0, sigma^2), in both directions (Ganesh 2024, "Tight Group-Level DP Guarantees for DP-SGD with Sampling
via Mixture of Gaussians Mechanisms"). As k images may have the same gradient of full length, no bound is smaller:
neither the generic one of group privacy (Vadhan 2017, lemma 2.2), nor that of all k images in each step that has one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: An outcome farther from its mean than so many standard deviations has a chance below 1e-23.
_FAR = 10.0
#: Rounding to a grid of step h adds at most h^2 / 4 to the variance s^2 of one step's privacy loss, and so about
#: (h / s)^2 / 8 of epsilon to epsilon: with h = s / 50, 1 in 20,000. What is rounded is rounded up.
_FINENESS = 50
_POINTS = 50_000  # at most, of one step: where its privacy loss may be so large, epsilon is
_FINEST = 1e-6  # below, differences of chances are lost in rounding
_COARSEST = 700.0  # exp overflows
#: Newton's method needs fewer than ten.
_ITERATIONS = 50


def group_epsilon(
    images: int, *, sampling_rate: float, noise_multiplier: float, steps: int, delta: float
) -> float | None:
    """The epsilon at `delta` for a person with so many images, added or removed together; None where it is too large.

    Args:
        images: k.
        sampling_rate: q, within (0, 1): the chance of each image to be in a step, by a coin of its own.
        noise_multiplier: sigma, the standard deviation of the noise over the clip norm.
        steps: how many.
        delta: at which epsilon is wanted.
    """
    from dp_accounting.pld.privacy_loss_distribution import PrivacyLossDistribution

    mixture = Mixture(images, sampling_rate, noise_multiplier)
    if mixture.resolution > _COARSEST:
        return None
    far = _FAR * noise_multiplier
    removed = _discretised(mixture.removed, mixture.loss(-far), mixture.loss(images + far), mixture.resolution)
    added = _discretised(mixture.added, -mixture.loss(far), -mixture.loss(-far), mixture.resolution)
    return float(PrivacyLossDistribution(removed, added).self_compose(steps).get_epsilon_for_delta(delta))


@dataclass(frozen=True)
class Mixture:
    """P and Q of one step, as arrays over the number j of a person's images that are in it."""

    images: int
    rate: float
    sigma: float

    @cached_property
    def shifts(self) -> Floats:
        """(K + 1, 1)."""
        return np.arange(self.images + 1.0)[:, None]

    @cached_property
    def log_shares(self) -> Floats:
        """(K + 1, 1)."""
        from scipy.stats import binom

        return np.asarray(binom.logpmf(self.shifts, self.images, self.rate), np.float64)

    @property
    def least(self) -> float:
        """The privacy loss ln(P / Q) that no outcome falls below, that of none of the images in the step."""
        return float(self.log_shares[0, 0])

    @property
    def resolution(self) -> float:
        """The step of the grid that privacy losses are rounded up to."""
        spread = min(1.0, self.images * self.rate * math.sqrt(math.expm1(min(1.0 / self.sigma**2, 100.0))))
        return max(_FINEST, spread / _FINENESS, self.loss(self.images + _FAR * self.sigma) / _POINTS)

    def loss(self, outcome: float) -> float:
        """The privacy loss at an outcome, which it grows with."""
        return float(_log_sum(self._log_ratios(outcome))[0])

    def removed(self, epsilons: Floats) -> Floats:
        """Delta (E,) of each epsilon where the person is removed: P[L > epsilon] - exp(epsilon) Q[L > epsilon]."""
        from scipy.special import log_ndtr

        least = self.outcomes(epsilons)
        return _difference(self._log_chance(-least, -1), epsilons + log_ndtr(-least / self.sigma))

    def added(self, epsilons: Floats) -> Floats:
        """Delta (E,) of each epsilon where the person is added: Q[-L > epsilon] - exp(epsilon) P[-L > epsilon]."""
        from scipy.special import log_ndtr

        most = self.outcomes(-epsilons)
        return _difference(log_ndtr(most / self.sigma), epsilons + self._log_chance(most, 1))

    def outcomes(self, losses: Floats) -> Floats:
        """Outcomes (E,) at which the privacy loss is `losses` (E,); minus infinity where it is never so low."""
        possible = losses > self.least
        found = np.full(len(losses), -np.inf)
        found[possible] = self._inverted(losses[possible])
        return found

    def _inverted(self, losses: Floats) -> Floats:
        """By Newton's method on the log of the addends with j > 0, which is convex and nowhere flat."""
        wanted = losses + np.log(-np.expm1(self.least - losses))
        shifts, scale = self.shifts[1:], self.sigma**2
        # Where the largest addend alone is as large the sum is larger: from there the method nears from above.
        outcomes = np.min(scale * (wanted - self.log_shares[1:]) / shifts + shifts / 2, axis=0)
        for _ in range(_ITERATIONS):
            ratios = self._log_ratios(outcomes)[1:]
            value = _log_sum(ratios)
            step = (value - wanted) * scale / np.sum(np.exp(ratios - value) * shifts, axis=0)
            outcomes = outcomes - step
            if np.all(np.abs(step) <= 1e-12 * (1 + np.abs(outcomes))):
                break
        return np.asarray(outcomes, np.float64)

    def _log_ratios(self, outcomes: Floats | float) -> Floats:
        """(K + 1, E), logs of the addends of P / Q."""
        return self.log_shares + self.shifts * (2 * outcomes - self.shifts) / (2 * self.sigma**2)

    def _log_chance(self, limits: Floats, sign: int) -> Floats:
        """Log of the chance (E,) under P that `sign` times an outcome is below `limits` (E,)."""
        from scipy.special import log_ndtr

        return _log_sum(self.log_shares + log_ndtr((limits - sign * self.shifts) / self.sigma))


def _discretised(deltas: Callable[[Floats], Floats], lowest: float, highest: float, step: float) -> Any:
    """A distribution of privacy losses on multiples of `step` whose deltas (E,) are nowhere below `deltas`."""
    from dp_accounting.pld.pld_pmf import create_pmf_pessimistic_connect_dots_fixed_gap

    first, last = math.floor(lowest / step), math.ceil(highest / step)
    return create_pmf_pessimistic_connect_dots_fixed_gap(step, first, last, deltas(step * np.arange(first, last + 1)))


def _log_sum(logs: Floats) -> Floats:
    """Logs (E,) of the sums over the first axis."""
    return np.asarray(np.logaddexp.reduce(logs, axis=0), np.float64)


def _difference(one: Floats, other: Floats) -> Floats:
    """Of two numbers whose logs are given, which decreases from point to point but for rounding."""
    return np.minimum.accumulate(np.clip(np.exp(one) - np.exp(other), 0.0, 1.0))
