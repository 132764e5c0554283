"""How well scores separate members from non-members.

Everywhere: a larger score means more likely a member, a row is flagged iff `score >= threshold`, and equal scores are
one block that is flagged as a whole or not at all. Scores may be infinite, never NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_audit.errors import SignalsError
from fer_audit.results import Confusion

Scores = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RocCurve:
    """Every realisable operating point of a score, from "nobody is flagged" to "everybody is"."""

    thresholds: Scores  #: (K,) falling; the first is NaN, since no threshold flags nobody where a score is infinite
    tp: npt.NDArray[np.int64]  #: (K,)
    fp: npt.NDArray[np.int64]  #: (K,)

    @property
    def tpr(self) -> Scores:
        """True positive rate (K,), rising."""
        return np.asarray(self.tp / self.tp[-1], np.float64)

    @property
    def fpr(self) -> Scores:
        """False positive rate (K,), rising."""
        return np.asarray(self.fp / self.fp[-1], np.float64)

    def at_fpr(self, fpr: float) -> int:
        """Index of the last point with an FPR of at most `fpr`: none of them has a larger TPR."""
        # k / n is the double nearest to the fraction, and so is a literal such as 0.29; int(100 * 0.29) would be 28.
        return int(np.searchsorted(self.fpr, fpr, side="right")) - 1


def two_u(members: Scores, nonmembers: Scores) -> int:
    """Twice the Mann-Whitney U of `members` (n1,) over `nonmembers` (n0,): 2 for a win, 1 for a tie; exact."""
    x, y = _checked(members), np.sort(_checked(nonmembers))
    return int(np.searchsorted(y, x, side="left").sum() + np.searchsorted(y, x, side="right").sum())


def auc(members: Scores, nonmembers: Scores) -> float:
    """Probability that a member (of n1) scores above a non-member (of n0), a tie counting one half; SignalsError."""
    return two_u(members, nonmembers) / (2 * len(members) * len(nonmembers))


def roc(members: Scores, nonmembers: Scores) -> RocCurve:
    """The ROC curve of `members` (n1,) against `nonmembers` (n0,), one point a distinct score; raises SignalsError."""
    x, y = np.sort(_checked(members)), np.sort(_checked(nonmembers))
    values = np.unique(np.concatenate((x, y)))[::-1]
    tp = len(x) - np.searchsorted(x, values, side="left")
    fp = len(y) - np.searchsorted(y, values, side="left")
    return RocCurve(np.append(np.nan, values), np.append(0, tp), np.append(0, fp))


def tpr_at_fpr(members: Scores, nonmembers: Scores, fpr: float) -> float:
    """Largest TPR over the realisable thresholds whose FPR is at most `fpr`; raises SignalsError.

    A score that knows nothing reaches (k + 1) / (n0 + 1) on average with k = floor(fpr n0), a little more than `fpr`:
    the threshold may lie right above the (k + 1)-th non-member.
    """
    curve = roc(members, nonmembers)
    return float(curve.tpr[curve.at_fpr(fpr)])


def threshold_at_fpr(members: Scores, nonmembers: Scores, fpr: float) -> float | None:
    """The highest threshold that reaches `tpr_at_fpr`; None where no member can be flagged."""
    curve = roc(members, nonmembers)
    point = int(np.searchsorted(curve.tp, curve.tp[curve.at_fpr(fpr)], side="left"))
    return float(curve.thresholds[point]) if point else None


def best_threshold(members: Scores, nonmembers: Scores) -> float | None:
    """The threshold with the largest balanced accuracy, the highest of equally good ones; None flags nobody.

    Chosen on reference models and carried over to a target, as Song and Mittal (2021) do.
    """
    curve = roc(members, nonmembers)
    # Balanced accuracy is 1/2 + (TPR - FPR) / 2; in integers, so that equally good thresholds compare equal.
    gain = curve.tp * len(nonmembers) - curve.fp * len(members)
    point = int(np.argmax(gain))
    return float(curve.thresholds[point]) if point else None


def confusion(members: Scores, nonmembers: Scores, threshold: float | None) -> Confusion:
    """Counts of decisions at `threshold`, "member" being positive; None flags nobody."""
    tp = 0 if threshold is None else int(np.count_nonzero(members >= threshold))
    fp = 0 if threshold is None else int(np.count_nonzero(nonmembers >= threshold))
    return Confusion(tp=tp, fp=fp, fn=len(members) - tp, tn=len(nonmembers) - fp)


def advantage(tpr: float, fpr: float) -> float:
    """Membership advantage TPR - FPR (Yeom et al. 2018, definition 4)."""
    return tpr - fpr


def ppv(tpr: float, fpr: float, prior: float) -> float | None:
    """Share of members among the flagged where a share `prior` are members; None where nobody is flagged."""
    flagged = prior * tpr + (1 - prior) * fpr
    return prior * tpr / flagged if flagged > 0 else None


def weighted_auc(scores: Scores, keep: Mask, weights: Scores) -> Scores:
    """AUC (B,) of `scores` (N,) with members `keep` (N,) where row i counts `weights[b, i]` times; NaN without both."""
    members, nonmembers = _by_score(scores, keep)
    below = _cumulative(weights[:, nonmembers])
    left = np.searchsorted(scores[nonmembers], scores[members], side="left")
    right = np.searchsorted(scores[nonmembers], scores[members], side="right")
    wins = below[:, left]
    wins += below[:, right]
    counted = weights[:, members]
    with np.errstate(invalid="ignore"):
        return np.asarray(
            np.einsum("bi,bi->b", counted, wins) / (2 * counted.sum(axis=1) * below[:, -1]), dtype=np.float64
        )


def weighted_tpr_at_fpr(scores: Scores, keep: Mask, weights: Scores, fprs: Sequence[float]) -> Scores:
    """`tpr_at_fpr` (B, F) at each of `fprs` (F,), row i counting `weights[b, i]` times, a whole number.

    NaN where a resample lacks members or non-members.
    """
    members, nonmembers = _by_score(-scores, keep)
    hits = _cumulative(weights[:, members])
    above = np.searchsorted(-scores[members], -scores[nonmembers], side="left")  # members above each non-member
    # One more non-member below all others stops what is left at an FPR of 1.
    stops = np.append(above, len(members)) + hits.shape[1] * np.arange(len(weights))[:, None]
    counts = np.ones(stops.shape, np.intp)
    counts[:, :-1] = weights[:, nonmembers]
    totals = counts.sum(axis=1) - 1
    # With k false positives allowed, flagged is every member above the (k + 1)-th non-member, from the top.
    held = np.repeat(stops.ravel(), counts.ravel())
    first = np.cumsum(totals + 1) - (totals + 1)
    with np.errstate(invalid="ignore"):
        found = hits.ravel()[held[first[:, None] + _allowed(totals, np.asarray(fprs))]] / hits[:, -1:]
    found[totals == 0] = np.nan
    return np.asarray(found, np.float64)


def _allowed(totals: npt.NDArray[np.intp], fprs: Scores) -> npt.NDArray[np.intp]:
    """The most false positives (B, F) among `totals` (B,) non-members that keep the FPR at or below `fprs` (F,)."""
    sizes, index = np.unique(totals, return_inverse=True)
    # The k that an FPR allows is where k / n, a double, does not exceed it; see `RocCurve.at_fpr`.
    known = [np.searchsorted(np.arange(size + 1) / max(size, 1), fprs, side="right") - 1 for size in sizes.tolist()]
    return np.asarray(np.array(known)[index], np.intp)


def _by_score(scores: Scores, keep: Mask) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Indices of the members and of the non-members, by rising score."""
    order = np.argsort(scores, kind="stable")
    return order[keep[order]], order[~keep[order]]


def _cumulative(weights: Scores) -> Scores:
    """Running sums (B, n + 1) of `weights` (B, n), from 0."""
    sums = np.zeros((weights.shape[0], weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def _checked(scores: Scores) -> Scores:
    values = np.asarray(scores, np.float64)
    if values.ndim != 1 or not values.size or np.isnan(values).any():
        raise SignalsError(
            "scores of members and of non-members must each be one or more numbers in one dimension, none of them NaN; "
            f"received shape {values.shape} with {np.count_nonzero(np.isnan(values))} NaN"
        )
    return values
