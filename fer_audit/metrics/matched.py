"""How much more a model leaks than differentially private training that is as accurate.

A defence without guarantee is worth something if it leaks less than private training with so little noise that it is as
accurate (Aerni, Zhang, Tramer, "Evaluations of Machine Learning Privacy Defenses are Misleading", CCS 2024). Private
training is known at a few epsilons only; between two of them, with balanced accuracies A_b and A_a, leakage is taken to
go along the straight line from L_b to L_a.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from fer_audit.metrics.accuracy import balanced_weights
from fer_audit.metrics.intervals import Clusters
from fer_audit.metrics.paired import Area, Labels, Mask, auc_difference, balanced_difference
from fer_audit.results import Estimate


class Point(NamedTuple):
    """A model as it is compared: by what it gets right of the test rows, and by what an attack makes of the pool."""

    correct: Mask  #: (T,)
    area: Area


class Matched(NamedTuple):
    """A model against the line between two private ones."""

    accuracy: float  #: balanced, of the model
    share: float  #: t, of the way from the less to the more accurate
    reference: float  #: leakage there
    difference: Estimate  #: leakage of the model less that
    apart: bool  #: whether the two private models are shown to differ in accuracy


def neighbours(accuracy: float, private: Sequence[float]) -> tuple[int, int] | None:
    """Places in `private`, which increases, of the accuracies next below and above `accuracy`.

    One of them may be equal to it. None where `accuracy` lies outside, or `private` holds no two of them.
    """
    if len(private) < 2 or not private[0] <= accuracy <= private[-1]:
        return None
    above = min(bisect_right(private, accuracy), len(private) - 1)
    return above - 1, above


def matched_difference(
    points: Sequence[Point],
    labels: Labels,
    clusters: Clusters | None = None,
    *,
    n: int,
    stretch: float = 1.0,
    confidence: float = 0.95,
) -> Matched:
    """Leakage of a model less that of private training of its accuracy, on the line between two private models.

    To first order the difference L - (1 - t) L_b - t L_a, with t = (A - A_b) / (A_a - A_b), errs as it does where t is
    known, and by A - (1 - t) A_b - t A_a times the slope (L_a - L_b) / (A_a - A_b) of the line. The former is of the
    pool, paired as any difference of AUCs; the latter of the test rows, paired as any difference of accuracies. As the
    people of the two are others, the distances to the limits add up in squares (Zou and Donner 2008).

    Args:
        points: the model, the private one of a lower accuracy, and that of a higher; one of these may be as accurate.
        labels: (T,), true classes of the test rows.
        clusters: (T,), what is independent of one another, such as people; test rows where they are None.
        n: how many units the AUCs were counted on.
        stretch: of the standard error of AUCs, see rule 4 of `fer_audit.attacks.audit`.
        confidence: of the interval.
    """
    model, below, above = points
    own, low, high = (float(balanced_weights(labels) @ point.correct) for point in points)
    share = min(max((own - low) / (high - low), 0.0), 1.0)
    mixed = Area(
        (1 - share) * below.area.value + share * above.area.value,
        (1 - share) * below.area.influence + share * above.area.influence,
    )
    leakage = auc_difference(model.area, mixed, n=n, confidence=confidence, stretch=stretch)
    accuracy = balanced_difference(
        model.correct, (1 - share) * below.correct + share * above.correct, labels, clusters, confidence
    )
    slope = (above.area.value - below.area.value) / (high - low)
    gap = balanced_difference(above.correct, below.correct, labels, clusters, confidence)
    apart = gap.low is not None and gap.low > 0
    return Matched(own, share, mixed.value, _widened(leakage, slope, accuracy), apart)


def _widened(leakage: Estimate, slope: float, accuracy: Estimate) -> Estimate:
    """`leakage`, a difference, with what `slope` makes of the uncertainty of `accuracy`, another one."""
    value = leakage.value or 0.0
    half = math.hypot(_half_width(leakage), slope * _half_width(accuracy))
    return leakage.model_copy(
        update={
            "low": max(-1.0, value - half),
            "high": min(1.0, value + half),
            "freedom": min(leakage.freedom or 1, accuracy.freedom or 1),
            "method": f"accuracies {accuracy.method}; AUCs {leakage.method}",
        }
    )


def _half_width(difference: Estimate) -> float:
    """The distance to the limit that is not cut off at 1 or -1."""
    value = difference.value or 0.0
    return max((difference.high or 0.0) - value, value - (difference.low or 0.0))
