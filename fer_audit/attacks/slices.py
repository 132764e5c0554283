"""An attack on groups of rows, which tells whom a model leaks more about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fer_audit.attacks.attacked import Outcome
from fer_audit.attacks.frame import Frame
from fer_audit.attacks.signals import Mask
from fer_audit.metrics import intervals, membership
from fer_audit.metrics.intervals import Interval
from fer_audit.metrics.membership import Scores
from fer_audit.metrics.multiplicity import benjamini_hochberg, holm
from fer_audit.results import Estimate, Slice

Correction = Literal["holm", "benjamini-hochberg"]
_CORRECTIONS = {"holm": holm, "benjamini-hochberg": benjamini_hochberg}

#: Members, and non-members, that a group must have in every target; normal limits need some dozens.
MIN_SIZE = 20


@dataclass(frozen=True)
class Sliced:
    """Compares each group with all other units, targets pooled, and corrects for the number of comparisons.

    Per target, the AUC of a group only compares its members with its non-members. The mean over targets is linear in
    the units' influences, summed by cluster, so one variance serves all targets together.
    """

    frame: Frame
    outcomes: Sequence[Outcome]
    confidence: float
    stretch: float  #: of standard errors, see rule 4 of `fer_audit.attacks.audit`
    correction: Correction
    min_size: int = MIN_SIZE

    def slices(self) -> list[Slice]:
        """Every group of every family that splits the units."""
        found: list[Slice] = []
        mirrored: dict[int, int] = {}
        for family, groups in self.frame.families.items():
            names = np.unique(groups)
            if len(names) < 2:
                continue
            if len(names) == 2:
                # Two groups are one comparison, seen from both sides.
                mirrored[len(found) + 1] = len(found)
            found += [self._slice(family, str(name), groups == name) for name in names]
        return self._corrected(found, mirrored)

    def _corrected(self, found: list[Slice], mirrored: dict[int, int]) -> list[Slice]:
        tested = [index for index in range(len(found)) if index not in mirrored]
        p_values = np.array([np.nan if (p := found[index].p_value) is None else p for index in tested])
        adjusted = dict(zip(tested, _CORRECTIONS[self.correction](p_values).tolist(), strict=True))
        adjusted |= {index: adjusted[other] for index, other in mirrored.items()}
        return [
            one.model_copy(update={"p_adjusted": None if one.p_value is None else adjusted[index]})
            for index, one in enumerate(found)
        ]

    def _slice(self, family: str, group: str, inside: Mask) -> Slice:
        rows, fewest = int(np.count_nonzero(inside)), self._fewest(inside)
        tpr, fpr = self._rates(inside)
        if fewest < self.min_size:
            note = f"not resolvable (needs at least {self.min_size} members and non-members a target, has {fewest})"
            return Slice(
                family=family,
                group=group,
                rows=rows,
                auc=self._unknown(note, rows),
                tpr=tpr,
                fpr=fpr,
                difference=self._unknown(note, rows),
                p_value=None,
                p_adjusted=None,
            )
        area, influence = self._mean_auc(inside)
        interval, _ = intervals.linearised_test(
            self._by_cluster(influence, inside), area, self.confidence, self.stretch
        )
        interval = intervals.exact_at_edges(interval, area, fewest, self.confidence)
        difference, p = self._difference(area, influence, inside)
        return Slice(
            family=family,
            group=group,
            rows=rows,
            auc=self._estimate(area, Interval(max(0.0, interval.low), min(1.0, interval.high)), rows),
            tpr=tpr,
            fpr=fpr,
            difference=difference,
            p_value=p,
            p_adjusted=None,
        )

    def _difference(self, area: float, influence: Scores, inside: Mask) -> tuple[Estimate, float | None]:
        fewest = self._fewest(~inside)
        if fewest < self.min_size:
            note = f"not resolvable (all other rows have {fewest} members or non-members a target)"
            return self._unknown(note, len(inside)), None
        other, others_influence = self._mean_auc(~inside)
        everyone = np.ones_like(inside)
        clusters = self._by_cluster(influence - others_influence, everyone)
        interval, p = intervals.linearised_test(clusters, area - other, self.confidence, self.stretch)
        return self._estimate(area - other, Interval(max(-1.0, interval.low), min(1.0, interval.high)), len(inside)), p

    def _mean_auc(self, inside: Mask) -> tuple[float, Scores]:
        """Mean AUC over targets of some units, and the influence (U,) of each on it."""
        areas, influence = [], np.zeros(len(inside))
        for outcome in self.outcomes:
            scores, keep = outcome.scores[inside], outcome.keep[inside]
            areas.append(membership.auc(scores[keep], scores[~keep]))
            influence[inside] += intervals.auc_influence(scores, keep) / len(self.outcomes)
        return float(np.mean(areas)), influence

    def _rates(self, inside: Mask) -> tuple[Estimate, Estimate]:
        """TPR and FPR at the transferred thresholds."""
        keep = np.array([outcome.keep for outcome in self.outcomes]) & inside
        out = np.array([~outcome.keep for outcome in self.outcomes]) & inside
        flagged = np.array([outcome.flagged for outcome in self.outcomes])
        return (
            intervals.clustered_rate(self._counts(keep & flagged), self._counts(keep), self.confidence),
            intervals.clustered_rate(self._counts(out & flagged), self._counts(out), self.confidence),
        )

    def _counts(self, hits: Mask) -> intervals.Counts:
        """Counts (S,) of `hits` (T, U) by cluster."""
        return np.bincount(self.frame.clusters, hits.sum(axis=0)).astype(np.int64)

    def _by_cluster(self, influence: Scores, inside: Mask) -> Scores:
        """Summed influences of the clusters that have units inside."""
        clusters = np.unique(self.frame.clusters[inside], return_inverse=True)[1]
        return np.asarray(np.bincount(clusters, influence[inside]), np.float64)

    def _fewest(self, inside: Mask) -> int:
        """The fewest members, or non-members, that any target has among these units."""
        return min(
            min(int(np.count_nonzero(o.keep & inside)), int(np.count_nonzero(~o.keep & inside))) for o in self.outcomes
        )

    def _estimate(self, value: float, interval: Interval, n: int) -> Estimate:
        method = "linearised by cluster, t quantile" + (", stretched by sqrt(2)" if self.stretch > 1 else "")
        low, high = min(value, interval.low), max(value, interval.high)
        return Estimate(value=value, low=low, high=high, confidence=self.confidence, n=n, method=method)

    def _unknown(self, note: str, n: int) -> Estimate:
        return Estimate(value=None, confidence=self.confidence, n=n, note=note)
