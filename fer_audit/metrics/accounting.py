"""What differentially private SGD promises for its noise, and the noise that a promise asks for.

Every step adds up the clipped gradients of single images (microbatches of one) and Gaussian noise. Neighbours differ by
one image that is added or removed, and the attacker sees every step, not only the last weights. Under Poisson sampling
each image is in a step by a coin of its own, which the attacker does not see: that is counted by privacy loss
distributions (PLD), rounded up, and for comparison by Renyi differential privacy (RDP). Where rows are shuffled nothing
is made of it that the attacker may not know which step has the image: each epoch is one Gaussian mechanism, and the
figure holds for any order of the rows, all others of which stay in their steps.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import cache
from typing import Any, Literal, NamedTuple

from fer_audit.errors import AccountingError
from fer_audit.metrics.gaussian_mechanism import gaussian_epsilon
from fer_audit.metrics.group_privacy import Mixture, group_epsilon
from fer_audit.results import GroupGuarantee, Guarantee

Sampling = Literal["poisson", "shuffle"]

#: Below, the rounding errors of composed privacy loss distributions, about 1e-13, would count.
LEAST_DELTA = 1e-10
#: With less noise epsilon is in the millions, and its distribution overflows.
LEAST_NOISE = 1e-3

#: Noise multipliers of four digits are numbered, 9,000 a decade, with 0 for 1.000; these are 0.01 to 10,000.
_DECADE = 9_000
_NOISES = range(-2 * _DECADE, 4 * _DECADE + 1)


def steps_of(rows: int, batch_size: int, epochs: int) -> int:
    """How many steps a training has: in each epoch, as many as there are batches, the last of which may be smaller."""
    return math.ceil(rows / batch_size) * epochs


def account(
    *,
    rows: int,
    batch_size: int,
    epochs: int,
    noise_multiplier: float,
    clip_norm: float,
    delta: float,
    sampling: str,
    group: int | None,
) -> Guarantee:
    """What a training promises.

    Args:
        rows: that it is counted for.
        batch_size: rows of a step, under Poisson sampling on average.
        epochs: how many.
        noise_multiplier: standard deviation of the noise over `clip_norm`.
        clip_norm: greatest length of the gradient of one image.
        delta: at which epsilon is counted.
        sampling: "poisson" or "shuffle".
        group: images of the person with most; None where people are not known.

    Raises:
        AccountingError: the settings promise nothing, or can't be counted.
    """
    mechanism = _mechanism(rows, batch_size, epochs, delta, sampling)
    if not LEAST_NOISE <= noise_multiplier < math.inf:
        raise AccountingError(
            f"so little noise hides nothing: expected a noise_multiplier of at least {LEAST_NOISE:g}, "
            f"received {noise_multiplier:g}; raise it, or give an epsilon instead"
        )
    poisson = mechanism.sampling == "poisson"
    return Guarantee(
        epsilon=mechanism.epsilon(noise_multiplier),
        delta=delta,
        accountant="PLD, Poisson sampling" if poisson else "composition of epochs, any order of the rows",
        epsilon_pld=mechanism.pld_epsilon(noise_multiplier) if poisson else None,
        epsilon_rdp=mechanism.rdp_epsilon(noise_multiplier) if poisson else None,
        epsilon_shuffled=mechanism.shuffled_epsilon(noise_multiplier),
        noise_multiplier=noise_multiplier,
        clip_norm=clip_norm,
        sampling=mechanism.sampling,
        sampling_rate=mechanism.rate,
        batch_size=batch_size,
        steps=mechanism.steps,
        epochs=epochs,
        rows=rows,
        group=None
        if group is None
        else GroupGuarantee(images=group, epsilon=mechanism.group_epsilon(noise_multiplier, group)),
    )


def noise_for(epsilon: float, *, rows: int, batch_size: int, epochs: int, delta: float, sampling: str) -> float:
    """The least noise multiplier of four digits for which `account` counts at most `epsilon`; arguments as there.

    Raises:
        AccountingError: the settings promise nothing, or no noise multiplier from 0.01 to 10,000 is right.
    """
    mechanism = _mechanism(rows, batch_size, epochs, delta, sampling)
    found = _least_noise(mechanism, epsilon)
    if found is None:
        raise AccountingError(
            f"no noise multiplier from {_noise(_NOISES[0]):g} to {_noise(_NOISES[-1]):g} is the least for which "
            f"{mechanism.steps} steps at a sampling rate of {mechanism.rate:.3g} have at most epsilon {epsilon:g} at "
            f"delta {delta:g}: expected an epsilon such as 8; give another, or a noise_multiplier"
        )
    return found


class _Mechanism(NamedTuple):
    """A training as far as its noise is concerned, the multiplier of which is given to each method."""

    rate: float  #: chance of an image to be in a step, or its share of an epoch
    steps: int
    epochs: int
    delta: float
    sampling: Sampling

    def epsilon(self, noise: float) -> float:
        return self.pld_epsilon(noise) if self.sampling == "poisson" else self.shuffled_epsilon(noise)

    def nearly(self, noise: float) -> float:
        """The epsilon but for rounding, sooner: dp-accounting makes its distributions point by point."""
        if self.rate == 1 or self.sampling == "shuffle":
            return self.shuffled_epsilon(noise)
        found = _mixture_epsilon(self, noise, 1)
        return math.inf if found is None else found

    def shuffled_epsilon(self, noise: float) -> float:
        return gaussian_epsilon(self.delta, math.sqrt(self.epochs) / noise)

    def pld_epsilon(self, noise: float) -> float:
        return _pld_epsilon(self.rate, self.steps, noise, self.delta)

    def rdp_epsilon(self, noise: float) -> float:
        from dp_accounting.rdp import RdpAccountant

        return float(RdpAccountant().compose(_event(self.rate, self.steps, noise)).get_epsilon(self.delta))

    def group_epsilon(self, noise: float, images: int) -> float | None:
        if images == 1:
            return self.epsilon(noise)
        if self.rate == 1 or self.sampling == "shuffle":  # at worst all images are in the same step of each epoch
            return gaussian_epsilon(self.delta, images * math.sqrt(self.epochs) / noise)
        return _mixture_epsilon(self, noise, images)


@cache
def _mixture_epsilon(mechanism: _Mechanism, noise: float, images: int) -> float | None:
    rate, steps, delta = mechanism.rate, mechanism.steps, mechanism.delta
    return group_epsilon(images, sampling_rate=rate, noise_multiplier=noise, steps=steps, delta=delta)


@cache
def _pld_epsilon(rate: float, steps: int, noise: float, delta: float) -> float:
    from dp_accounting.pld import PLDAccountant

    # T full batches are one, with less noise; its grid must be that of the one.
    grid = Mixture(1, rate, noise if rate < 1 else noise / math.sqrt(steps)).resolution
    accountant = PLDAccountant(value_discretization_interval=grid)
    return float(accountant.compose(_event(rate, steps, noise)).get_epsilon(delta))


def _event(rate: float, steps: int, noise: float) -> Any:
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent

    step = GaussianDpEvent(noise)
    return SelfComposedDpEvent(step if rate == 1 else PoissonSampledDpEvent(rate, step), steps)


@cache
def _least_noise(mechanism: _Mechanism, epsilon: float) -> float | None:
    place = bisect_left(_NOISES, True, key=lambda number: mechanism.nearly(_noise(number)) <= epsilon)
    enough = (noise for noise in map(_noise, _NOISES[place:]) if mechanism.epsilon(noise) <= epsilon)
    return next(enough, None) if place > 0 else None


def _noise(place: int) -> float:
    """The noise multiplier with that number, by way of its digits so that it is the same everywhere."""
    decade, digits = divmod(place, _DECADE)
    return float(f"{1000 + digits}e{decade - 3}")


def _mechanism(rows: int, batch_size: int, epochs: int, delta: float, sampling: str) -> _Mechanism:
    if min(rows, batch_size, epochs) < 1:
        raise AccountingError(
            f"there is nothing to count: expected rows, batch_size and epochs of at least 1, received {rows}, "
            f"{batch_size} and {epochs}"
        )
    if sampling not in ("poisson", "shuffle"):
        raise AccountingError(f"expected the sampling poisson or shuffle, received {sampling!r}")
    if not delta < 1 / rows:
        raise AccountingError(
            f"delta {delta:g} promises nothing to {rows} rows, as publishing one of them at random would keep it: "
            f"expected less than 1 / {rows} = {1 / rows:.2g}; lower delta"
        )
    if delta < LEAST_DELTA:
        raise AccountingError(
            f"a delta of {delta:g} is lost in rounding: expected at least {LEAST_DELTA:g}; raise delta"
        )
    return _Mechanism(
        rate=min(1.0, batch_size / rows),
        steps=steps_of(rows, batch_size, epochs),
        epochs=epochs,
        delta=delta,
        sampling="poisson" if sampling == "poisson" else "shuffle",
    )
