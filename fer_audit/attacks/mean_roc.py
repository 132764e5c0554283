"""The mean ROC curve of an attack's targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fer_audit.metrics import intervals
from fer_audit.metrics.intervals import Interval
from fer_audit.metrics.membership import RocCurve, Scores


@dataclass(frozen=True, eq=False)
class MeanRoc:
    """At most 200 points, each the mean FPR and mean TPR of one realisable threshold a target, dense at low FPR.

    A point belongs to a nominal FPR that every target keeps: each flags as many as it can without exceeding it.
    """

    nominal: Scores  #: (P,) rising, from 0 to 1
    fpr: Scores  #: (P,) at most the nominal one
    tpr: Scores  #: (P,)
    nonmembers: int  #: of the target that has the fewest

    @property
    def stricter(self) -> Scores:
        """Nominal FPRs (P,) that allow each target a false positive less, or none."""
        return np.maximum(0.0, self.nominal - 1 / self.nonmembers).round(12)

    def band(self, strict: Scores, nominal: Scores, clusters: int, confidence: float) -> tuple[Scores, Scores]:
        """Limits (P,) of the TPR that an attack has in the long run at each point's FPR, point by point.

        A threshold right above the (k + 1)-th of n non-members has an FPR of (k + 1) / (n + 1) on average, not k / n,
        and the TPR of that; so the lower limits are those of one false positive less. With none at all they are 0,
        unless all members are found: no resample goes beyond the highest non-member (Bickel and Freedman 1981).

        Args:
            strict: (B, P) bootstrapped mean TPR at the stricter FPRs.
            nominal: (B, P), the same at the nominal ones.
            clusters: how many were resampled.
            confidence: of each limit.
        """
        low, _ = intervals.percentile_band(strict, clusters, confidence)
        _, high = intervals.percentile_band(nominal, clusters, confidence)
        low[(self.stricter < round(1 / self.nonmembers, 12)) & (self.tpr < 1)] = 0.0
        low, high = np.minimum(self.tpr, np.maximum(low, 0.0)), np.maximum(self.tpr, np.minimum(high, 1.0))
        for place in np.flatnonzero((self.tpr == 0) | (self.tpr == 1)):
            limits = Interval(float(low[place]), float(high[place]))
            low[place], high[place] = intervals.exact_at_edges(limits, self.tpr[place], clusters // 2, confidence)
        # That nobody is found where nobody is flagged, and everybody where everybody is, is certain.
        low[[0, -1]] = high[[0, -1]] = self.tpr[[0, -1]]
        return low, high


def mean_roc(curves: Sequence[RocCurve]) -> MeanRoc:
    """The mean of `curves`, from nobody flagged to everybody; of equal points that of the lowest nominal FPR."""
    sizes = [int(curve.fp[-1]) for curve in curves]
    nominal = np.unique(np.concatenate(([0.0], np.geomspace(1 / max(sizes), 1, 120), np.linspace(0, 1, 76))))
    at = [np.searchsorted(curve.fpr, nominal, side="right") - 1 for curve in curves]  # as `RocCurve.at_fpr`
    fpr = np.mean([curve.fpr[k] for curve, k in zip(curves, at, strict=True)], axis=0)
    tpr = np.mean([curve.tpr[k] for curve, k in zip(curves, at, strict=True)], axis=0)
    points = np.concatenate((np.zeros((3, 1)), [nominal, fpr, tpr]), axis=1)
    moved = (np.diff(points[1:], axis=1) != 0).any(axis=0)
    kept = points[:, np.append(True, moved)]
    return MeanRoc(kept[0], kept[1], kept[2], min(sizes))
