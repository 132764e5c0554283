"""How wide the interval of the mean AUC over targets will be, for a number of targets that was never trained.

The mean AUC over M targets, which are P = M / 2 complementary pairs, has the influence mean_a H_a(s) of each person (or
row) s, where H_a is the mean of the influences on the two AUCs of pair a. The framework's interval is over persons and
takes the targets as they are, so its variance is sum_s (mean_a H_a(s))^2. As pairs are drawn alike,

    variance(P) = shared + own / P.

`shared` = E sum_s H_a(s) H_b(s) is what independent pairs say alike of the same person, for instance that some leak
more than others: no number of targets averages it out, only more persons do. How hard a row is to everyone is in
neither part: a row is a member in one model of each pair and a non-member in the other, and counts for and against.
Where nothing leaks `shared` is 0, and four times the targets halve the interval.

Where an attack takes the other targets as references, H_a and H_b are not independent. Write u_a for what pair a would
teach by chance (rule 4 in `fer_audit.attacks.audit`): then H_a = u_a sum_b u_b, so that H_a and H_b agree in u_a u_b,
by 1 / (P - 1) of their variance. That falls with P as well: it doubles `own`, and must not be taken for `shared`. So
`shared` is measured on scores for which a was no reference of b, nor b of a.

What this can't foresee is that an attack with more references is another attack, with less noise of its own.

Measured by simulation, what 8 targets predict of the interval that an audit of 16 and of 32 has (200 rows; 20 worlds a
case; mean of the relative error, and the worst): without a leak loss-threshold +1 % and +3 % (worst +45 %), lira-online
-3 % and -4 % (+27 %), attack-r -9 % and -11 % (-23 %); with a leak (mean AUC .55 to .82) loss-threshold +1 % and 0 %
(+33 %), attack-r -8 % and -12 % (-23 %), lira-online +14 % and +25 % (+54 %): its interval gets narrower than that, as
its references get better. With 60 persons of 4 rows (20 worlds without a leak, 8 with one) means lie between -22 % and
+18 %, and the worst is +70 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_audit.metrics.intervals import auc_influence, summed
from fer_audit.metrics.membership import Scores

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class AucVariance:
    """Variance of the mean AUC over complementary pairs of targets, in its two parts."""

    shared: float  #: that all pairs have in common
    own: float  #: that pairs average out, times their number
    clusters: int  #: persons, or rows where persons are not known
    stretch: float = 1.0  #: by which the framework widens the interval of an attack that learns from other rows

    def half_width(self, targets: int, confidence: float = 0.95) -> float:
        """Expected half width of the interval of the mean over `targets` models in complementary pairs."""
        return self._scale(confidence) * math.sqrt(self.shared + 2 * self.own / targets)

    def floor(self, confidence: float = 0.95) -> float:
        """The half width that no number of targets goes below."""
        return self._scale(confidence) * math.sqrt(self.shared)

    def targets_for(self, half_width: float, confidence: float = 0.95) -> int | None:
        """The smallest even number of targets whose interval is expected to be so narrow; None where none is."""
        room = (half_width / self._scale(confidence)) ** 2 - self.shared
        if room <= 1e-9 * self.shared:
            return None
        return 2 * max(1, math.ceil(self.own / room - 1e-9))

    def _scale(self, confidence: float) -> float:
        from scipy.special import stdtrit

        # As `intervals.percentile_interval` expands its percentiles for few clusters.
        return self.stretch * float(stdtrit(max(self.clusters - 1, 1), (1 + confidence) / 2))


def pair_influence(scores: Scores, keep: Mask, clusters: npt.NDArray[np.intp]) -> Scores:
    """How much each cluster moves the mean AUC of each pair of targets (P, S), of which models 2k and 2k + 1 are one.

    `scores` (M, U) are of units that are members where `keep` (M, U); `clusters` (U,), 0..S-1.
    """
    influence = np.stack([summed(auc_influence(*model), clusters) for model in zip(scores, keep, strict=True)])
    return np.asarray((influence[0::2] + influence[1::2]) / 2, np.float64)


def measured_auc_variance(pairs: Scores, alike: float | None = None, stretch: float = 1.0) -> AucVariance:
    """The parts, from the influences of 2 or more `pairs` (P, S).

    `alike` is the mean of sum_s H_a(s) H_b(s) over pairs that were no references of each other; None takes it from
    `pairs`, which is right where the attack uses no references.
    """
    count, size = pairs.shape
    correction = size / (size - 1) if size > 1 else 1.0
    total = float(np.sum(pairs.mean(axis=0) ** 2))
    if alike is None:
        alike = (count * total - float(np.mean(np.sum(pairs**2, axis=1)))) / (count - 1)
    # By chance it may come out negative, or above the whole.
    shared = min(max(alike, 0.0), total)
    return AucVariance(correction * shared, correction * count * (total - shared), size, stretch)


def assumed_auc_variance(clusters: int, *, learns: bool = False, stretch: float = 1.0) -> AucVariance:
    """The parts where nothing was measured yet and nothing leaks: `clusters` independent rows or persons, half members.

    One target's variance is that of Hanley and McNeil (1982, eq. 1 and 2) at an AUC of one half, where it is that of
    the Mann-Whitney test; targets are taken as independent, or as references of one another where the attack `learns`
    from them (see above).
    """
    each = max(clusters / 2, 1.0)
    variance = (2 * each + 1) / (12 * each**2)
    return AucVariance(0.0, variance / 2 * (2 if learns else 1), clusters, stretch)
