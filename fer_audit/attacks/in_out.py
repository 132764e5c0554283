"""How reference models that trained on a row, and those that did not, answer about it: centres and spreads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from fer_audit.attacks.answers import Floats
from fer_audit.attacks.signals import Mask
from fer_audit.attacks.target_view import TargetView

Centre = Literal["mean", "median"]


@dataclass(frozen=True, eq=False)
class Side:
    """`phi` of the references on one side of each row: all that trained on it (IN), or all that did not (OUT)."""

    count: Floats  #: (N,) references on this side
    centre: Floats  #: (N, Q), mean or median; NaN where there is none
    mean: Floats  #: (N, Q), likewise
    squares: Floats  #: (N, Q), sum of squared residuals about the mean

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

    def packaged_deviation(self) -> float:
        """One standard deviation of all residuals about the centres, over rows, references and queries.

        About medians the residuals have a mean, which is taken out, as TensorFlow Privacy does.
        """
        known, count = self.known, self.count[self.known, None]
        shift = (self.mean - self.centre)[known]
        total = self.count.sum() * self.centre.shape[1]
        mean = (count * shift).sum() / total
        return float(np.sqrt((self.squares[known].sum() + (count * shift**2).sum()) / total - mean**2))


@dataclass(frozen=True, eq=False)
class InOut:
    """Both sides of all rows."""

    inside: Side
    outside: Side


class Confidences(Protocol):
    """What `in_out` reads: a `TargetView`, or one statistic of it."""

    @property
    def phi(self) -> Floats:
        """(N, Q)."""

    @property
    def reference_keep(self) -> Mask:
        """(R, N)."""

    @property
    def row_blocks(self) -> Callable[[], Iterator[slice]]:
        """Slices of rows."""

    @property
    def reference_phi_of(self) -> Callable[[slice], Floats]:
        """(R, K, Q) of some rows."""


def in_out(view: Confidences, centre: Centre = "mean") -> InOut:
    """Both sides of the references of `view`, row block by row block."""
    inside, outside = (_empty(view) for _ in range(2))
    for rows in view.row_blocks():
        values, keep = view.reference_phi_of(rows), view.reference_keep[:, rows]
        _fill(inside, rows, values, keep, centre)
        _fill(outside, rows, values, ~keep, centre)
    return InOut(inside, outside)


def _empty(view: Confidences) -> Side:
    rows, queries = view.phi.shape
    return Side(np.empty(rows), *(np.empty((rows, queries)) for _ in range(3)))


def _fill(side: Side, rows: slice, values: Floats, on_side: Mask, centre: Centre) -> None:
    count = on_side.sum(axis=0)
    used = on_side[:, :, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(used, values, 0.0).sum(axis=0) / count[:, None]
    residuals = np.where(used, values - mean, 0.0)
    side.count[rows], side.mean[rows] = count, mean
    side.centre[rows] = mean if centre == "mean" else _median(values, used, count)
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
        replace(inside, centre=np.where(inside.known[:, None], inside.centre, outside.centre + gap)),
        replace(outside, centre=np.where(outside.known[:, None], outside.centre, inside.centre - gap)),
    )
