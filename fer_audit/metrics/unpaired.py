"""The difference of two estimates that were counted on rows which can't be paired."""

from __future__ import annotations

import math

from fer_audit.results import Estimate


def unpaired_difference(one: Estimate, other: Estimate) -> Estimate:
    """`one` less `other`, with limits by the square-and-add rule; no value where either has none.

    With estimates p1, p2 and their limits (l1, u1), (l2, u2), the limits of p1 - p2 are

        p1 - p2 - sqrt((p1 - l1)^2 + (u2 - p2)^2)  and  p1 - p2 + sqrt((u1 - p1)^2 + (p2 - l2)^2),

    method 10 of Newcombe (1998) for shares with Wilson limits, and MOVER of Zou and Donner (2008) for any
    two independent estimates. They keep the confidence of the two intervals. Where the estimates have rows in common,
    and so rise and fall together, the limits are wider than they need be. There are none where an estimate has none, or
    where the two are of different confidence.
    """
    if one.value is None or other.value is None:
        return Estimate(value=None, note=one.note if one.value is None else other.note)
    value, n = one.value - other.value, None if one.n is None or other.n is None else one.n + other.n
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return Estimate(value=value, n=n, note="no interval: one of the two has none")
    if one.confidence != other.confidence:
        return Estimate(value=value, n=n, note="no interval: those of the two differ in their confidence")
    low = value - math.hypot(one.value - one.low, other.high - other.value)
    high = value + math.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value=value, low=low, high=high, confidence=one.confidence, n=n, method="square-and-add, unpaired")
