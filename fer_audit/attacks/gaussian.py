"""Normal distributions of a row's confidence, as the likelihood ratio attacks use them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from fer_audit.attacks.answers import Floats
from fer_audit.attacks.in_out import InOut, Side
from fer_audit.attacks.target_view import TargetView

Variance = Literal["auto", "per-example", "pooled", "pooled-unbiased"]

#: References on a side that a row's own variance takes; Carlini et al. (2022) pool below 64 models, half of them IN.
ENOUGH_REFERENCES = 32

#: A row's own deviation is at least this part of the pooled one: equal values of a few references are a coincidence.
_FLOOR = 1e-6


def log_density(x: Floats, centre: Floats, deviation: Floats | np.floating[Any]) -> Floats:
    """Log of the normal density, without the constant that cancels in ratios."""
    return np.asarray(-np.log(deviation) - ((x - centre) / deviation) ** 2 / 2, np.float64)


def deviations(
    view: TargetView, sides: InOut, side: Side, variance: Variance, *, of_all_queries: bool = False
) -> Floats:
    """Standard deviations of one side, (N, Q) per example or (1, Q) pooled; never zero.

    A row with one reference on the side has no deviation of its own either. "auto" is per example where every row has
    `ENOUGH_REFERENCES` on this side, else pooled and unbiased. Where residuals leave no variance to estimate, as with
    one reference a side, both sides share one (see `_fallback`). `of_all_queries` pools over queries too, with maximum
    likelihood, as TensorFlow Privacy does.
    """
    own = variance == "per-example" or (variance == "auto" and bool((side.count >= ENOUGH_REFERENCES).all()))
    pooled = side.pooled_deviation(unbiased=variance in ("auto", "pooled-unbiased"))[None]
    if of_all_queries:
        pooled = np.full_like(pooled, side.packaged_deviation())
    unknown = ~(pooled > 0)
    if unknown.any():
        pooled = np.where(unknown, _fallback(view, sides)[None], pooled)
    if not own:
        return pooled
    found = side.row_deviation()
    return np.where(side.count[:, None] < 2, pooled, np.maximum(found, _FLOOR * pooled))


def _fallback(view: TargetView, sides: InOut) -> Floats:
    """One deviation (Q,) for both sides where residuals give none.

    From rows with both sides: the difference of their centres has twice the variance. Else, with one reference, from
    the difference between the target and that reference. Last, where all answers are equal, any small number does.
    """
    view.note("too few references to know the variance of their answers: it was taken from differences between models")
    inside, outside = sides.inside, sides.outside
    both = inside.known & outside.known
    if both.any():
        squares = np.var(inside.centre[both] - outside.centre[both], axis=0)
    else:
        squares = np.zeros(view.phi.shape[1])
        for side in (inside, outside):
            if side.known.any():
                squares = squares + np.var((view.phi - side.centre)[side.known], axis=0) * side.known.mean()
    tiny = 1e-9 * (1 + np.abs(view.phi).max(axis=0))
    return np.asarray(np.maximum(np.sqrt(squares / 2), tiny), np.float64)
