"""Means of the measures of heat maps over images, each beside the random map's, with intervals by subject."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fer_audit.explain.faithfulness import Values
from fer_audit.metrics.intervals import Clusters, bootstrap, bootstrap_name
from fer_audit.results import Estimate

Name = Literal["deletion", "insertion", "flip-agreement", "inside"]
Better = Literal["higher", "lower"]

_BETTER: dict[Name, Better] = {
    "deletion": "lower",
    "insertion": "higher",
    "flip-agreement": "higher",
    "inside": "higher",
}

_RESAMPLES = 1000


@dataclass(frozen=True)
class Measured:
    """One measure of heat maps beside the same measure of random maps."""

    name: Name
    value: Estimate
    baseline: Estimate  #: of random maps
    difference: Estimate  #: value less baseline, paired by image
    better: Better


def measured(
    values: Mapping[str, Values], clusters: Clusters | None = None, confidence: float = 0.95
) -> list[Measured]:
    """The means of `RowMeasures.values`, by `clusters` (N,) such as subjects where rows are not independent."""
    return [
        _measured(name, better, values[key], values[f"{key}_random"], clusters, confidence)
        for name, better in _BETTER.items()
        if (key := name.replace("-", "_")) in values
    ]


def _measured(
    name: Name, better: Better, ours: Values, theirs: Values, clusters: Clusters | None, confidence: float
) -> Measured:
    # All three go by the rows that have both, so that the difference is that of the two numbers beside it.
    difference = ours - theirs
    known = ~np.isnan(difference)
    value, baseline, gap = (
        estimate(np.where(known, row, np.nan), clusters, confidence) for row in (ours, theirs, difference)
    )
    return Measured(name, value, baseline, gap, better)


def estimate(values: Values, clusters: Clusters | None = None, confidence: float = 0.95) -> Estimate:
    """The mean of `values` (N,) without NaN, with a bootstrap over `clusters` (N,), or over rows where None."""
    known = ~np.isnan(values)
    left_out = int(np.sum(~known))
    note = f"{left_out} of {len(values)} rows have no value and are left out" if left_out else ""
    if not known.any():
        return Estimate(value=None, confidence=confidence, n=0, note=note or "no rows")
    kept, groups = values[known], (np.arange(len(values)) if clusters is None else clusters)[known]
    interval = bootstrap(lambda weights: weights @ kept / weights.sum(axis=1), groups, confidence=confidence)
    bounded = math.isfinite(interval.low)  # not from one cluster
    return Estimate(
        value=float(kept.mean()),
        low=interval.low if bounded else None,
        high=interval.high if bounded else None,
        confidence=confidence,
        n=len(kept),
        method=bootstrap_name(clusters is not None, _RESAMPLES),
        note=note,
    )
