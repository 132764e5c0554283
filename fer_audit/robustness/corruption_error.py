"""Corruption error: how often a model errs on corrupted images, relative to a baseline on the same images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fer_audit.metrics.intervals import Clusters, bootstrap_name, percentile_interval, resampled_weights
from fer_audit.results import Estimate

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_RESAMPLES = 1000


def corruption_error(
    wrong: Mask, baseline_wrong: Mask, clusters: Clusters | None, seed: int
) -> tuple[list[Estimate], Estimate]:
    """CE of each kind of corruption and their mean mCE; 1 is the baseline, less is better.

    Hendrycks and Dietterich 2019, section 4.2: CE_c = sum_s E_s,c / sum_s E_s,c of the baseline, over the severities s
    of kind c, and mCE = mean of CE_c over the kinds; as ratios, not percentages. Intervals resample the images for both
    models at once. Where the baseline makes no error there is nothing to be relative to, and no value.

    Args:
        wrong: (K, S, N), whether the model errs at kind k and severity s on row n.
        baseline_wrong: (K, S, N), likewise of the baseline, on the same images.
        clusters: (N,) the subject of each row; rows are taken as independent where it is None.
        seed: of the bootstrap.
    """
    # E_s,c is a mean over the same rows in both models, so that the counts of errors stand for it.
    errors, baseline = (flags.sum(axis=1).astype(np.float64) for flags in (wrong, baseline_wrong))
    groups = np.arange(wrong.shape[2]) if clusters is None else clusters
    once = np.ones((1, wrong.shape[2]))
    value = _ratios(errors, baseline, once)[0]
    resampled = np.concatenate(
        [_ratios(errors, baseline, weights) for weights in resampled_weights(groups, _RESAMPLES, seed)]
    )
    units, method = len(np.unique(groups)), bootstrap_name(clusters is not None, _RESAMPLES)
    kinds = [_estimate(value[k], resampled[:, k], units, wrong.shape[2], method) for k in range(len(value))]
    return kinds, _mean(value, _estimate(value.mean(), resampled.mean(axis=1), units, wrong.shape[2], method))


def _ratios(errors: Floats, baseline: Floats, weights: Floats) -> Floats:
    """CE (B, K) with rows counting `weights` (B, N) times, of errors (K, N); NaN where the baseline makes none."""
    own, base = weights @ errors.T, weights @ baseline.T
    return np.divide(own, base, out=np.full_like(own, np.nan), where=base > 0)


def _estimate(value: float, resampled: Floats, units: int, rows: int, method: str) -> Estimate:
    if np.isnan(value):
        return Estimate(value=None, n=rows, note="the baseline makes no error here, so that no error is relative to it")
    if units < 2:
        return Estimate(value=float(value), n=rows, note="one subject or row says nothing of others")
    if np.isnan(resampled).any():
        # To drop these resamples would keep only those in which the baseline does badly.
        return Estimate(value=float(value), n=rows, note="the baseline makes too few errors for an interval")
    low, high = percentile_interval(resampled, units, 0.95)
    return Estimate(value=float(value), low=min(low, float(value)), high=max(high, float(value)), n=rows, method=method)


def _mean(values: Floats, mean: Estimate) -> Estimate:
    missing = int(np.isnan(values).sum())
    if not missing:
        return mean
    return mean.model_copy(
        update={"note": f"the baseline makes no error in {missing} of {len(values)} kinds, so that there is no mean"}
    )
