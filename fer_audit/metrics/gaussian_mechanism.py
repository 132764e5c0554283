"""Privacy of one release with Gaussian noise, in closed form.

`shift` is how far the neighbour moves what is released, over the standard deviation of the noise. T releases that each
move by s are one that moves by s sqrt(T), whatever is chosen in between.
"""

from __future__ import annotations

import math


def gaussian_delta(epsilon: float, shift: float) -> float:
    """The least delta of an epsilon >= 0 (Balle and Wang 2018, theorem 8)."""
    return math.exp(_log_delta(epsilon, shift))


def gaussian_epsilon(delta: float, shift: float) -> float:
    """The least epsilon of a delta within (0, 1)."""
    from scipy.optimize import brentq

    def excess(epsilon: float) -> float:
        return _log_delta(epsilon, shift) - math.log(delta)

    if excess(0.0) <= 0:
        return 0.0
    enough = shift**2 / 2 + shift * math.sqrt(2 * math.log(1 / delta))  # the normal's tail is below exp(-t**2 / 2)
    return float(brentq(excess, 0.0, enough, xtol=1e-12 * enough))


def _log_delta(epsilon: float, shift: float) -> float:
    """Log of P[N > epsilon / shift - shift / 2] - exp(epsilon) P[N > epsilon / shift + shift / 2], without overflow."""
    from scipy.special import log_ndtr

    above = float(log_ndtr(shift / 2 - epsilon / shift))
    below = epsilon + float(log_ndtr(-shift / 2 - epsilon / shift))
    return above + math.log(-math.expm1(below - above)) if below < above else -math.inf
