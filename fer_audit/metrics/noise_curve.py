"""Accuracy against the rate of corrupted labels: means over seeds, falls from clean labels, area under the curve."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fer_audit.metrics.intervals import Clusters, bootstrap_name, percentile_interval, resampled_weights
from fer_audit.results import Estimate

Floats = npt.NDArray[np.float64]
_RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class NoiseCurveData:
    """What the models of a curve got right on one test split: P rates, S seeds, T rows."""

    correct: npt.NDArray[np.bool_]  #: (P, S, T)
    labels: npt.NDArray[np.int64]  #: (T,)
    rates: Floats  #: (P,), realised, increasing, the first without corruption
    clusters: Clusters | None  #: (T,), rows that are resampled together
    balanced: bool  #: mean recall of the classes instead of the share of rows

    @cached_property
    def values(self) -> Floats:
        """Accuracy (P, S) of each model."""
        return np.asarray(self._accuracy(np.ones((1, len(self.labels))))[0])

    @cached_property
    def resampled(self) -> Floats:
        """Accuracy (B, P), mean over seeds, on resampled test splits."""
        clusters = np.arange(len(self.labels)) if self.clusters is None else self.clusters
        blocks = resampled_weights(clusters, _RESAMPLES, seed=0)
        return np.concatenate([self._accuracy(weights).mean(axis=2) for weights in blocks])

    def _accuracy(self, weights: Floats) -> Floats:
        """Accuracy (B, P, S) with test rows counting `weights` (B, T) times."""
        flat = self.correct.reshape(-1, len(self.labels)).astype(np.float64)
        groups = [self.labels == label for label in np.unique(self.labels)] if self.balanced else [slice(None)]
        with np.errstate(invalid="ignore", divide="ignore"):
            # A class that a resample has no row of is left out of that mean.
            shares = [weights[:, rows] @ flat[:, rows].T / weights[:, rows].sum(axis=1)[:, None] for rows in groups]
            found = np.nanmean(shares, axis=0)
        return np.asarray(found.reshape(len(weights), *self.correct.shape[:2]))

    def at(self, point: int) -> Estimate:
        """Accuracy at one rate."""
        return self._estimate(self.values[point], self.resampled[:, point], lowest=0.0)

    def drop(self, point: int) -> Estimate:
        """Accuracy with clean labels less that at one rate, on the same rows and seeds."""
        seeds, resampled = self.values[0] - self.values[point], self.resampled[:, 0] - self.resampled[:, point]
        return self._estimate(seeds, resampled, lowest=-1.0)

    def area(self) -> Estimate:
        """Mean accuracy over the rates from 0 to the highest: the area under the curve over its width."""
        from scipy.integrate import trapezoid

        width = self.rates[-1] - self.rates[0]
        if width <= 0:
            return Estimate(value=None, note="no label was corrupted at any rate")
        seeds, resampled = trapezoid(self.values, self.rates, axis=0), trapezoid(self.resampled, self.rates, axis=1)
        return self._estimate(seeds / width, resampled / width, lowest=0.0)

    def _estimate(self, seeds: Floats, resampled: Floats, lowest: float) -> Estimate:
        """Mean over `seeds` (S,) with both sources of error: the test rows, from `resampled` (B,), and the seeds.

        The variances of the mean add up; the degrees of freedom are Satterthwaite's (1946). A single seed says nothing
        of other seeds: then the interval is that of the test rows alone. Limits end at `lowest` and 1.
        """
        value, rows = float(seeds.mean()), len(self.labels)
        clusters = rows if self.clusters is None else len(np.unique(self.clusters))
        if clusters < 2:
            return Estimate(value=value, n=rows, note="no interval: all test images are of one person")
        name = bootstrap_name(self.clusters is not None, _RESAMPLES)
        if len(seeds) == 1:
            low, high = percentile_interval(resampled, clusters, 0.95)
            method = f"{name}; one seed, so that the spread over trainings is not in it"
            return Estimate(value=value, low=min(low, value), high=max(high, value), n=rows, method=method)
        half = _half_width(float(seeds.var(ddof=1)) / len(seeds), len(seeds), float(resampled.var(ddof=1)), clusters)
        method = f"t over {len(seeds)} seeds and {name}"
        low, high = max(lowest, value - half), min(1.0, value + half)
        return Estimate(value=value, low=low, high=high, n=rows, method=method)


def _half_width(over_seeds: float, seeds: int, over_rows: float, clusters: int) -> float:
    from scipy.special import stdtrit

    variance = over_seeds + over_rows
    if variance == 0:
        return 0.0
    freedom = variance**2 / (over_seeds**2 / (seeds - 1) + over_rows**2 / max(clusters - 1, 1))
    return float(stdtrit(max(freedom, 1.0), 0.975)) * math.sqrt(variance)
