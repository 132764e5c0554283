"""P-values of several tests at once. NaN stands for a test that was not made; it is no member of the family."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

PValues = npt.NDArray[np.float64]


def holm(p_values: PValues) -> PValues:
    """Adjusted p-values (K,) that keep the chance of any false alarm (Holm 1979)."""
    order, p = _rising(p_values)
    family = len(p)
    adjusted = np.maximum.accumulate(p * (family - np.arange(family)))
    return _restored(p_values, order, adjusted)


def benjamini_hochberg(p_values: PValues) -> PValues:
    """Adjusted p-values (K,) that keep the share of false alarms among all alarms (Benjamini and Hochberg 1995)."""
    order, p = _rising(p_values)
    family = len(p)
    adjusted = np.minimum.accumulate((p * family / np.arange(1, family + 1))[::-1])[::-1]
    return _restored(p_values, order, adjusted)


def _rising(p_values: PValues) -> tuple[npt.NDArray[np.intp], PValues]:
    """Where the tests that were made are, from the smallest p-value up, and these p-values."""
    made = np.flatnonzero(~np.isnan(p_values))
    order = made[np.argsort(p_values[made], kind="stable")]
    return order, p_values[order]


def _restored(p_values: PValues, order: npt.NDArray[np.intp], adjusted: PValues) -> PValues:
    found = np.full(len(p_values), np.nan)
    # By rounding, a p-value could end up a little below itself.
    found[order] = np.clip(adjusted, p_values[order], 1.0)
    return found
