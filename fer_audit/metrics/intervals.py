"""Confidence intervals: of shares, of the AUC, and of anything by resampling subjects."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from fer_audit.metrics.membership import Scores, auc, weighted_auc
from fer_audit.results import Estimate

Counts = npt.NDArray[np.int64]
#: Rows of one cluster (a subject) have equal values.
Clusters = npt.NDArray[Any]

#: Numbers (B x N) that one block of resamples holds at a time.
_BLOCK = 2_000_000


class Interval(NamedTuple):
    """Lower and upper confidence limit."""

    low: float
    high: float


def clopper_pearson(k: float, n: float, confidence: float = 0.95) -> Interval:
    """Exact two-sided limits of a share with `k` of `n` (Clopper and Pearson 1934); (0, 1) where `n` is 0."""
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k > 0 else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    return Interval(low, high)


def wilson(k: float, n: float, confidence: float = 0.95) -> Interval:
    """Limits of a share with `k` of `n` by the score test (Wilson 1927); (0, 1) where `n` is 0."""
    if n == 0:
        return Interval(0.0, 1.0)
    z, p = _normal_quantile(confidence), k / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # At the edges the limit is the share itself; rounding must not push it inside.
    return Interval(0.0 if k == 0 else centre - half, 1.0 if k == n else centre + half)


def rate(k: int, n: int, confidence: float = 0.95) -> Estimate:
    """A share of independent rows with its Wilson interval; no value where `n` is 0."""
    if n == 0:
        return Estimate(value=None, confidence=confidence, n=0, note="no rows")
    low, high = wilson(k, n, confidence)
    return Estimate(value=k / n, low=low, high=high, confidence=confidence, n=n, method="Wilson")


def clustered_rate(k: Counts, n: Counts, confidence: float = 0.95) -> Estimate:
    """A share of rows that come in clusters, `k[s]` of `n[s]` in cluster s, as Korn and Graubard (1998) do it.

    Clopper-Pearson limits at the number of independent rows that would have the cluster-robust variance. Where all or
    none are hit that variance is 0; then each cluster counts as one row, as if its rows were copies of each other.
    """
    k, n = k[n > 0], n[n > 0]
    clusters, total = len(n), int(n.sum())
    if total == 0:
        return Estimate(value=None, confidence=confidence, n=0, note="no rows")
    p = float(k.sum() / total)
    effective = _effective_rows(p, linearised_variance((k - p * n) / total), clusters, total, confidence)
    low, high = clopper_pearson(p * effective, effective, confidence)
    method = f"Clopper-Pearson at the effective size of {clusters} clusters (Korn-Graubard)"
    return Estimate(value=p, low=low, high=high, confidence=confidence, n=total, method=method)


def _effective_rows(p: float, variance: float, clusters: int, total: int, confidence: float) -> float:
    if clusters == 1:
        return 1.0
    if p in (0.0, 1.0):
        return float(clusters)
    rows = min(float(total), p * (1 - p) / variance) if variance > 0 else float(total)
    # Few clusters know their own variance badly (Korn and Graubard 1998).
    return max(1.0, rows * (_t_quantile(confidence, total - 1) / _t_quantile(confidence, clusters - 1)) ** 2)


def clustered_difference(
    one: tuple[Counts, Counts], other: tuple[Counts, Counts], confidence: float = 0.95
) -> Estimate:
    """Difference of two shares `(k, n)` over the same clusters (S,), which may hold rows of both.

    Linearised, so that what the shares have in common within a cluster cancels; t quantile with S - 1 degrees of
    freedom. Where no cluster varies, the limits are those of the two shares, taken apart.
    """
    (k1, n1), (k0, n0) = one, other
    p1, p0 = k1.sum() / max(n1.sum(), 1), k0.sum() / max(n0.sum(), 1)
    influence = (k1 - p1 * n1) / max(n1.sum(), 1) - (k0 - p0 * n0) / max(n0.sum(), 1)
    value, variance, freedom = float(p1 - p0), linearised_variance(influence), None
    if variance > 0:
        freedom = len(influence) - 1
        half = _t_quantile(confidence, len(influence) - 1) * math.sqrt(variance)
        low, high, method = value - half, value + half, f"linearised over {len(influence)} clusters, t quantile"
    else:
        first, second = clustered_rate(k1, n1, confidence), clustered_rate(k0, n0, confidence)
        low, high = (first.low or 0.0) - (second.high or 0.0), (first.high or 0.0) - (second.low or 0.0)
        method = "limits of both shares"
    return Estimate(
        value=value,
        low=max(-1.0, low),
        high=min(1.0, high),
        confidence=confidence,
        n=int(n1.sum() + n0.sum()),
        freedom=freedom,
        method=method,
    )


def linearised_variance(influence: Scores) -> float:
    """Variance of a sum of independent clusters' influences (S,), which add up to 0."""
    clusters = len(influence)
    return float(clusters / (clusters - 1) * np.sum(influence**2)) if clusters > 1 else 0.0


def summed(influence: Scores, groups: npt.NDArray[np.intp]) -> Scores:
    """Sums (S,) of the rows' `influence` (N,) over the clusters 0..S-1 in `groups` (N,)."""
    return np.asarray(np.bincount(groups, influence), np.float64)


def auc_variance(
    members: Scores,
    nonmembers: Scores,
    member_subjects: Clusters | None = None,
    nonmember_subjects: Clusters | None = None,
) -> float:
    """Variance of the AUC by DeLong et al. (1988), or where subjects are given by Obuchowski (1997), which contains it.

    Args:
        members: (n1,) scores.
        nonmembers: (n0,) scores.
        member_subjects: (n1,) the subject of each row; None where rows are independent.
        nonmember_subjects: (n0,), likewise. A subject may have rows of both.
    """
    n1, n0 = len(members), len(nonmembers)
    s1 = np.arange(n1) if member_subjects is None else member_subjects
    s0 = n1 + np.arange(n0) if nonmember_subjects is None else nonmember_subjects
    area = auc(members, nonmembers)
    subjects, index = np.unique(np.concatenate((s1, s0)), return_inverse=True)
    # V10 and V01 of the papers, centred and summed by subject: how often a row wins against the other kind.
    v10 = np.bincount(index[:n1], placements(members, nonmembers) - area, len(subjects)) / n1
    v01 = np.bincount(index[n1:], 1 - placements(nonmembers, members) - area, len(subjects)) / n0
    i10, i01, i = len(np.unique(index[:n1])), len(np.unique(index[n1:])), len(subjects)
    return float(
        _correction(i10) * np.sum(v10**2) + _correction(i01) * np.sum(v01**2) + 2 * _correction(i) * np.sum(v10 * v01)
    )


def auc_influence(scores: Scores, keep: npt.NDArray[np.bool_]) -> Scores:
    """How much each row (N,) moves the AUC of `scores` (N,) with members `keep` (N,); the influences add up to 0.

    V10 and V01 of DeLong et al. (1988), centred and divided by the number of rows of their kind, so that the sum of the
    squared influences of independent rows is the AUC's variance.
    """
    members, nonmembers = scores[keep], scores[~keep]
    area, influence = auc(members, nonmembers), np.empty(len(scores))
    influence[keep] = (placements(members, nonmembers) - area) / len(members)
    influence[~keep] = (1 - placements(nonmembers, members) - area) / len(nonmembers)
    return influence


def linearised_test(influence: Scores, value: float, confidence: float, stretch: float = 1.0) -> tuple[Interval, float]:
    """Interval of a value and two-sided p-value of 0, from the influences (S,) of independent clusters.

    The value is taken as normal with the clusters' variance, which is known to S - 1 degrees of freedom; `stretch`
    widens the standard error.
    """
    from scipy.special import stdtr

    freedom = max(len(influence) - 1, 1)
    error = stretch * math.sqrt(linearised_variance(influence))
    half = _t_quantile(confidence, freedom) * error
    p = 2 * float(stdtr(freedom, -abs(value) / error)) if error > 0 else float(value == 0)
    return Interval(value - half, value + half), p


def placements(scores: Scores, others: Scores) -> Scores:
    """Share of `others` below each of `scores`, ties one half: mid-ranks (Sun and Xu 2014)."""
    others = np.sort(others)
    below = np.searchsorted(others, scores, side="left") + np.searchsorted(others, scores, side="right")
    return np.asarray(below / (2 * len(others)), np.float64)


def _correction(clusters: int) -> float:
    return clusters / (clusters - 1) if clusters > 1 else 1.0


def auc_interval(
    members: Scores,
    nonmembers: Scores,
    *,
    member_subjects: Clusters | None = None,
    nonmember_subjects: Clusters | None = None,
    method: Literal["delong", "bootstrap"] | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """AUC with its interval; raises SignalsError where there is no member or no non-member.

    Args:
        members: (n1,) scores.
        nonmembers: (n0,) scores.
        member_subjects: (n1,) subjects; rows are taken as independent where they are None.
        nonmember_subjects: (n0,), likewise.
        method: "delong" (normal limits; with subjects, Obuchowski's variance) or "bootstrap" over subjects, or over
            rows. None means the bootstrap where subjects are given, and DeLong where they are not.
        confidence: of the interval.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    clustered = member_subjects is not None and nonmember_subjects is not None
    value, n = auc(members, nonmembers), len(members) + len(nonmembers)
    s1 = member_subjects if member_subjects is not None and clustered else np.arange(len(members))
    s0 = (
        nonmember_subjects
        if nonmember_subjects is not None and clustered
        else len(members) + np.arange(len(nonmembers))
    )
    if (method or ("bootstrap" if clustered else "delong")) == "delong":
        half = _normal_quantile(confidence) * math.sqrt(max(0.0, auc_variance(members, nonmembers, s1, s0)))
        interval = Interval(value - half, value + half)
        name = "Obuchowski, by subject" if clustered else "DeLong"
    else:
        scores, keep = np.concatenate((members, nonmembers)), np.arange(n) < len(members)
        interval = bootstrap(
            lambda weights: weighted_auc(scores, keep, weights),
            np.concatenate((s1, s0)),
            resamples=resamples,
            confidence=confidence,
            seed=seed,
        )
        name = bootstrap_name(clustered, resamples)
    interval = Interval(max(0.0, interval.low), min(1.0, interval.high))
    interval = exact_at_edges(interval, value, min(len(np.unique(s1)), len(np.unique(s0))), confidence)
    return Estimate(value=value, low=interval.low, high=interval.high, confidence=confidence, n=n, method=name)


def exact_at_edges(interval: Interval, value: float, n: int, confidence: float) -> Interval:
    """`interval` made as wide as `n` independent trials allow where `value` is 0 or 1 and nothing varies.

    For an AUC these are disjoint pairs of a member and a non-member of different subjects: all `n` were in order.
    """
    if value == 1:
        return Interval(min(interval.low, clopper_pearson(n, n, confidence).low), 1.0)
    if value == 0:
        return Interval(0.0, max(interval.high, clopper_pearson(0, n, confidence).high))
    return interval


def bootstrap(
    statistic: Callable[[Scores], Scores],
    clusters: Clusters,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Limits of a statistic by resampling whole clusters.

    Args:
        statistic: from how often each row counts (B, N) to its values (B,); NaN where it is undefined.
        clusters: (N,) the cluster of each row, such as its subject; `np.arange(N)` where rows are independent.
        resamples: how many.
        confidence: of the interval.
        seed: of the resamples.
    """
    values = [statistic(weights) for weights in resampled_weights(clusters, resamples, seed)]
    return percentile_interval(np.concatenate(values), len(np.unique(clusters)), confidence)


def resampled_weights(clusters: Clusters, resamples: int, seed: int) -> Iterator[Scores]:
    """Blocks (B, N) of how often each row counts when as many clusters as there are are drawn with replacement."""
    names, index = np.unique(clusters, return_inverse=True)
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // len(index))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = rng.integers(len(names), size=(size, len(names))) + len(names) * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * len(names)).reshape(size, len(names))
        yield counts.astype(np.float64)[:, index]


def percentile_interval(values: Scores, clusters: int, confidence: float) -> Interval:
    """Percentiles of bootstrapped `values` (B,) without NaN, expanded for few clusters as Hesterberg (2015) does."""
    low, high = percentile_band(values[:, None], clusters, confidence)
    return Interval(float(low[0]), float(high[0]))


def percentile_band(values: Scores, clusters: int, confidence: float) -> tuple[Scores, Scores]:
    """`percentile_interval` of each of K statistics at once: lower and upper limits (K,) from `values` (B, K).

    Each limit holds for its own statistic, not for all of them together. A resample with a NaN is left out.
    """
    from scipy.special import ndtr

    known = values[~np.isnan(values).any(axis=1)]
    if not known.size or clusters < 2:
        return np.full(values.shape[1], -np.inf), np.full(values.shape[1], np.inf)
    stretched = math.sqrt(clusters / (clusters - 1)) * _t_quantile(confidence, clusters - 1)
    tail = float(ndtr(-stretched))
    low, high = np.quantile(known, (tail, 1 - tail), axis=0)
    return low, high


def bootstrap_name(by_subject: bool, resamples: int) -> str:
    """What a bootstrapped interval is called in results."""
    return f"bootstrap over {'subjects' if by_subject else 'rows'}, {resamples} resamples, expanded percentiles"


@functools.cache
def _normal_quantile(confidence: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + confidence) / 2))


@functools.lru_cache(maxsize=1024)
def _t_quantile(confidence: float, freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(max(freedom, 1), (1 + confidence) / 2))
