"""Differences between two models on the same rows, paired so that what both find hard or easy cancels.

Each number is linear in the influences of its rows, summed by cluster, so the influences of the difference are the
differences of the influences (Woodruff 1971), and their squares add up to its variance.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fer_audit.metrics.accuracy import RowClasses
from fer_audit.metrics.intervals import (
    Clusters,
    Interval,
    clopper_pearson,
    linearised_test,
    linearised_variance,
    summed,
)
from fer_audit.metrics.membership import Scores
from fer_audit.results import Estimate

Labels = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: A standard error below this is 0 but for rounding.
_NOTHING = 1e-12


class Area(NamedTuple):
    """An AUC with what each cluster does to it."""

    value: float
    influence: Scores  #: (S,), adding up to 0


def accuracy_difference(one: Mask, other: Mask, clusters: Clusters | None = None, confidence: float = 0.95) -> Estimate:
    """Accuracy of a model that is right about the rows in `one` (N,) less that of another, `other` (N,).

    As `balanced_difference` where all rows are of one class.
    """
    return balanced_difference(one, other, np.zeros(len(one), np.int64), clusters, confidence)


def balanced_difference(
    one: Mask, other: Mask | Scores, labels: Labels, clusters: Clusters | None = None, confidence: float = 0.95
) -> Estimate:
    """Balanced accuracy of a model that is right about the rows in `one` (N,) less that of another, `other` (N,).

    Linearised, with the t quantile of S - 1 degrees of freedom, after adding two rows on which the models disagree, one
    in favour of each (Bonett and Price 2012), at the effective number of rows: few disagreements say little of how many
    there could be. Where clusters do not vary at all, such as where the models agree on every row, the limits are those
    of Clopper and Pearson (1934) for the share of clusters on which they might disagree, class by class, joined as by
    Zou and Donner (2008).

    Args:
        one: (N,), whether the first model is right.
        other: (N,), whether the second is; or how often, where it is a mixture of models.
        labels: (N,), the class of each row.
        clusters: (N,), what is independent of one another, such as subjects; rows where they are None.
        confidence: of the interval.
    """
    return PairedRows(labels, clusters).difference(one, other, confidence)


class PairedRows:
    """Rows on which many pairs of models are compared, by balanced accuracy: what all pairs share is worked out once.

    With one class for all rows it is the accuracy that is compared.
    """

    def __init__(self, labels: Labels, clusters: Clusters | None = None) -> None:
        """Of rows with `labels` (N,) in `clusters` (N,), or independent where these are None."""
        self._labels = labels
        self._classes = RowClasses(labels)
        self._groups = np.arange(len(labels)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
        self._called = "rows" if clusters is None else "clusters"

    def difference(self, one: Mask, other: Mask | Scores, confidence: float = 0.95) -> Estimate:
        """See `balanced_difference`."""
        weights = self._classes.weights
        value = float(weights @ (one.astype(np.float64) - other))
        rows = self._classes.influence(one) - self._classes.influence(other)
        influence = summed(rows, self._groups)
        variance = linearised_variance(influence)
        if math.sqrt(variance) < _NOTHING:
            half, method = _disagreement(self._labels, self._groups, confidence), "Clopper-Pearson of no disagreement"
        else:
            effect = max(1.0, variance / linearised_variance(rows))  # of clustering, on the variance
            more = 2 * (effect * float(weights @ weights)) ** 2  # 1 / (weights @ weights): effective rows (Kish 1965)
            half = _half_width(influence, math.sqrt(1 + more / variance), confidence)
            method = "linearised, Bonett-Price"
        where = f"{len(influence)} {self._called}"
        told, freedom = f"paired over {where}, {method}", len(influence) - 1
        return _estimate(value, half, confidence, len(self._labels), told, freedom)


def auc_difference(one: Area, other: Area, *, n: int, confidence: float = 0.95, stretch: float = 1.0) -> Estimate:
    """AUC of `one` less that of `other`, whose influences are of the same clusters.

    Linearised, with the t quantile of S - 1 degrees of freedom; where no cluster varies, Clopper-Pearson limits of what
    S / 2 disjoint pairs of a member and a non-member could have shown, as in `intervals.exact_at_edges`.

    Args:
        one: the first AUC.
        other: the second.
        n: how many units both were counted on.
        confidence: of the interval.
        stretch: of the standard error, see rule 4 of `fer_audit.attacks.audit`.
    """
    influence = one.influence - other.influence
    if math.sqrt(linearised_variance(influence)) < _NOTHING:
        half, method = clopper_pearson(0, len(influence) // 2, confidence).high, "Clopper-Pearson of no disagreement"
    else:
        half, method = _half_width(influence, stretch, confidence), "linearised, t quantile"
    told, freedom = f"paired over {len(influence)} clusters, {method}", len(influence) - 1
    return _estimate(one.value - other.value, half, confidence, n, told, freedom)


def _disagreement(labels: Labels, groups: npt.NDArray[np.intp], confidence: float) -> float:
    """How far the mean recall may differ where no cluster showed any difference."""
    clusters = [len(np.unique(groups[labels == label])) for label in np.unique(labels)]
    highest = [clopper_pearson(0, count, confidence).high for count in clusters]
    return math.hypot(*highest) / len(highest)


def _half_width(influence: Scores, stretch: float, confidence: float) -> float:
    return linearised_test(influence, 0.0, confidence, stretch)[0].high


def _estimate(value: float, half: float, confidence: float, n: int, method: str, freedom: int) -> Estimate:
    limits = Interval(max(-1.0, value - half), min(1.0, value + half))
    return Estimate(
        value=value, low=limits.low, high=limits.high, confidence=confidence, n=n, freedom=freedom, method=method
    )
