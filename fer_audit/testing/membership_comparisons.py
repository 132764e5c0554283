"""How scores of a membership attack are compared: with each other, and with who was a member."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fer_audit.attacks.membership_attack import Floats, MembershipAttack
from fer_audit.attacks.signals import Signals
from fer_audit.metrics.membership import auc
from fer_audit.testing.check import require

#: Scores are equal that differ by less than this share of their range: sums in another order, fits that converge.
_TOLERANCE = 1e-6


def require_same(expected: Floats, found: Floats, what: str) -> None:
    """Raises CheckFailed where scores differ by more than rounding; infinite ones must be the same."""
    finite = np.isfinite(expected) & np.isfinite(found)
    span = float(np.ptp(expected[finite])) if finite.any() else 0.0
    apart = np.abs(expected[finite] - found[finite]).max(initial=0.0)
    moved = int((expected[~finite] != found[~finite]).sum())
    limit = _TOLERANCE * max(span, 1.0)
    require(
        not moved and apart <= limit,
        f"expected the same scores for {what}, received scores that are up to {apart:.3g} apart (range {span:.3g})",
    )


def swapped(order: Floats, scores: Floats) -> int:
    """Neighbours in the order of one score that the other puts the other way round, by more than rounding."""
    steps = np.diff(scores[np.argsort(order, kind="stable")])
    return int((steps < -_TOLERANCE * max(1.0, float(np.ptp(scores)))).sum())


def auc_of(attack: MembershipAttack, scores: Floats, signals: Signals) -> float:
    """AUC over rows, or over people where these are what is attacked."""
    keep, subjects = signals.keep[0], signals.subjects
    if attack.unit == "subject" and subjects is not None:
        first = np.unique(subjects, return_index=True)[1]
        scores, keep = scores[first], keep[first]
    return auc(scores[keep], scores[~keep])


def standardised(scores: Floats, keep: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """AUC, and how many standard deviations it is from one half.

    Members are a random half of the rows, so under "nothing leaks" this is the Mann-Whitney statistic with its variance
    (n0 + n1 + 1) / (12 n0 n1), corrected for ties (Lehmann, "Nonparametrics", 1975, section 1.4).
    """
    found = auc(scores[keep], scores[~keep])
    n1, n0, n = int(keep.sum()), int((~keep).sum()), len(keep)
    ties = np.unique(scores, return_counts=True)[1].astype(float)
    variance = (n + 1) / (12 * n0 * n1) * (1 - (ties**3 - ties).sum() / (n**3 - n))
    return found, 0.0 if variance < 1e-12 else (found - 0.5) / math.sqrt(variance)
