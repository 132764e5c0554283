"""Wrong labels, found by models that did not train on the rows: how suspect a row is, and how good the ranking."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fer_audit.metrics.intervals import Clusters, bootstrap, bootstrap_name, rate
from fer_audit.results import Estimate

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def out_of_sample(logits: npt.NDArray[np.float32], keep: Mask) -> Scores:
    """Mean probabilities (N, C) over the models of `logits` (M, N, C) that did not train on a row, `keep` (M, N).

    Each row must be left out by a model at least, as halves of the pool and their complements do.
    """
    total = np.zeros(logits.shape[1:], np.float64)
    for answers, trained in zip(logits, keep, strict=True):
        shifted = answers.astype(np.float64) - answers.max(axis=1, keepdims=True)
        probabilities = np.exp(shifted)
        total += np.where(trained[:, None], 0.0, probabilities / probabilities.sum(axis=1, keepdims=True))
    return np.asarray(total / (~keep).sum(axis=0)[:, None])


def suspicion(probabilities: Scores, given: Labels) -> Scores:
    """How suspect the `given` labels (N,) are, within -1..1: probability of the likeliest other label less theirs.

    The normalised margin of Northcutt, Jiang, Chuang, "Confident Learning", JAIR 2021, section 3.3, its sign turned.
    """
    rows = np.arange(len(given))
    others = probabilities.copy()
    others[rows, given] = -np.inf
    return np.asarray(others.max(axis=1) - probabilities[rows, given])


def average_precision(scores: Scores, wrong: Mask, weights: Scores) -> Scores:
    """Average precision (B,) of ranking `wrong` rows (N,) by `scores` (N,), rows counting `weights` (B, N) times.

    The sum of precisions at the distinct scores, weighted by the gain of recall; equal scores are never parted. NaN
    where no wrong row counts.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, counts = scores[order], weights[:, order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # of each run of equal scores
    seen, hits = np.cumsum(counts, axis=1)[:, last], np.cumsum(counts * wrong[order], axis=1)[:, last]
    gains = np.diff(hits, axis=1, prepend=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(seen > 0, hits / seen, 0.0)
        return np.asarray((precision * gains).sum(axis=1) / hits[:, -1])


def average_precision_interval(
    scores: Scores, wrong: Mask, clusters: Clusters | None, *, resamples: int = 1000, seed: int = 0
) -> Estimate:
    """Average precision with its interval by resampling `clusters` (N,), or rows; no value where no row is wrong."""
    if not wrong.any():
        return Estimate(value=None, n=len(wrong), note="no label is known to be wrong")
    value = float(average_precision(scores, wrong, np.ones((1, len(scores))))[0])
    groups = np.arange(len(scores)) if clusters is None else clusters
    found = bootstrap(lambda weights: average_precision(scores, wrong, weights), groups, resamples=resamples, seed=seed)
    return Estimate(
        value=value,
        low=max(0.0, min(found.low, value)),
        high=min(1.0, max(found.high, value)),
        n=len(scores),
        method=bootstrap_name(clusters is not None, resamples),
    )


def precision_at(scores: Scores, wrong: Mask, k: int) -> Estimate:
    """Share of `wrong` rows (N,) among the `k` with the highest `scores` (N,), and those that tie with the last."""
    if k < 1 or k > len(scores):
        return Estimate(value=None, n=len(scores), note=f"there are {len(scores)} rows, not {k}")
    chosen = scores >= np.sort(scores)[-k]
    return rate(int(wrong[chosen].sum()), int(chosen.sum()))
