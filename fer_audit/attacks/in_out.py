"""How reference models that trained on a row, and those that did not, answer about it: centres and spreads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from fer_audit.attacks.answers import Floats
from fer_audit.attacks.signals import Mask
from fer_audit.attacks.target_view import TargetView

Centre = Literal["mean", "median"]


@dataclass(frozen=True, eq=False)
class Side:
    """`phi` of the references on one side of each row: all that trained on it (IN), or all that did not (OUT)."""

    count: Floats  #: (N,) references on this side
    centre: Floats  #: (N, Q); NaN where there is none
    squares: Floats  #: (N, Q), sum of squared residuals about the centre

    @property
    def known(self) -> Mask:
        """(N,), whether there is a reference on this side."""
        return self.count > 0

    def row_deviation(self) -> Floats:
        """Standard deviation (N, Q) of each row by itself, dividing by the count; NaN where there is none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.sqrt(self.squares / self.count[:, None]), np.float64)

    def pooled_deviation(self, unbiased: bool) -> Floats:
        """One standard deviation (Q,) of the residuals of all rows.

        Dividing by the number of residuals is the maximum likelihood estimate; dividing by that number less the number
        of centres is unbiased, which matters where there are few references. NaN where nothing is left.
        """
        freedom = self.count.sum() - (np.count_nonzero(self.known) if unbiased else 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.sqrt(self.squares.sum(axis=0) / freedom), np.float64)


@dataclass(frozen=True, eq=False)
class InOut:
    """Both sides of all rows."""

    inside: Side
    outside: Side


def in_out(view: TargetView, centre: Centre = "mean") -> InOut:
    """Both sides of the references of `view`, row block by row block."""
    inside, outside = (_empty(view) for _ in range(2))
    for rows in view.row_blocks():
        values, keep = view.reference_phi_of(rows), view.reference_keep[:, rows]
        _fill(inside, rows, values, keep, centre)
        _fill(outside, rows, values, ~keep, centre)
    return InOut(inside, outside)


def _empty(view: TargetView) -> Side:
    rows, queries = view.phi.shape
    return Side(np.empty(rows), np.empty((rows, queries)), np.empty((rows, queries)))


def _fill(side: Side, rows: slice, values: Floats, on_side: Mask, centre: Centre) -> None:
    count = on_side.sum(axis=0)
    used = on_side[:, :, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        if centre == "mean":
            found = np.where(used, values, 0.0).sum(axis=0) / count[:, None]
        else:
            found = _median(values, used, count)
    residuals = np.where(used, values - found, 0.0)
    side.count[rows], side.centre[rows] = count, found
    side.squares[rows] = np.square(residuals, out=residuals).sum(axis=0)


def _median(values: Floats, used: Mask, count: Floats) -> Floats:
    """Median (K, Q) of the values (R, K, Q) that are used; NaN where `count` (K,) is 0."""
    ordered = np.sort(np.where(used, values, np.inf), axis=0)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(values) - 1)
    pair = [np.take_along_axis(ordered, place[None, :, None], axis=0)[0] for place in (low, high)]
    return np.where(count[:, None] > 0, (pair[0] + pair[1]) / 2, np.nan)


def completed(sides: InOut, view: TargetView) -> InOut:
    """`sides` where a row that lacks references on one side gets that centre from the other and the average gap.

    The average gap between IN and OUT is taken over the rows that have both; where none has, which is so with one
    reference, between the rows that are inside and those that are outside. It is the same for all rows, so that the
    side on which a row's references happen to be tells nothing.
    """
    inside, outside = sides.inside, sides.outside
    both = inside.known & outside.known
    if both.all():
        return sides
    view.note("rows without references on one side: their centre is that of the other side and the average gap")
    if both.any():
        gap = (inside.centre[both] - outside.centre[both]).mean(axis=0)
    else:
        gap = inside.centre[inside.known].mean(axis=0) - outside.centre[outside.known].mean(axis=0)
    return InOut(
        Side(inside.count, np.where(inside.known[:, None], inside.centre, outside.centre + gap), inside.squares),
        Side(outside.count, np.where(outside.known[:, None], outside.centre, inside.centre - gap), outside.squares),
    )
