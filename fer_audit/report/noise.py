"""Tables of accuracy against the rate of corrupted labels."""

from __future__ import annotations

from dataclasses import dataclass

from fer_audit.report.naming import CLEAN, treatment
from fer_audit.report.numbers import UNKNOWN, percent, points
from fer_audit.report.table import Column, Entry, Table, field, measured, scale_of, words
from fer_audit.results import NoiseCurve, NoisePoint, Results


@dataclass(frozen=True)
class Place:
    """A point with the curve that it lies on; `clean` is what the other points are compared with."""

    curve: NoiseCurve
    point: NoisePoint
    clean: bool

    @property
    def labels(self) -> str:
        """What was done to the labels."""
        return CLEAN if self.clean else self.point.label_attack

    @property
    def name(self) -> str:
        """Model, treatment and labels."""
        return f"{_chain(self.curve)} \u00b7 {self.labels}"


def places(results: Results) -> list[Place]:
    """The points of all curves; the first of a curve has clean labels."""
    return [Place(curve, point, not at) for curve in results.noise_curves for at, point in enumerate(curve.points)]


def noise_table(results: Results) -> Table:
    """Every point of every curve; the clean point that curves of several kinds share is there once."""
    columns = (
        Column("Cells", "that differ in their seed alone", numeric=False),
        Column("Rate", "realised rate of corrupted train labels, mean over seeds"),
        Column("Seeds"),
        Column("Accuracy", "on the test split, last epoch, mean over seeds"),
        Column("Balanced acc.", "mean of the recall of each class"),
        Column("Drop", "accuracy with clean labels less this, on the same test rows, in percentage points"),
        Column("Balanced drop", "the same of balanced accuracy, in percentage points"),
    )
    found = {one.name: one for one in places(results)}
    scale = scale_of([e for one in found.values() for e in (one.point.accuracy, one.point.balanced_accuracy)])
    rows = [_row(one, scale) for one in found.values()]
    return Table("noise", "Accuracy with corrupted labels", columns, tuple(rows), tools=True)


def _row(place: Place, scale: tuple[float, float] | None) -> tuple[Entry, ...]:
    point = place.point
    return (
        words(_chain(place.curve), place.labels),
        field(point, "rate", percent),
        field(point, "seeds"),
        measured(point.accuracy, percent, scale),
        measured(point.balanced_accuracy, percent, scale),
        *(Entry(UNKNOWN) if place.clean else measured(drop, points) for drop in (point.drop, point.balanced_drop)),
    )


def noise_area_table(results: Results) -> Table:
    """One number for every curve."""
    columns = (
        Column("Curve", numeric=False),
        Column("Highest rate"),
        Column("Mean accuracy", "over the rates from 0 to the highest: the area under the curve over its width"),
        Column("Mean balanced acc.", "the same of balanced accuracy"),
    )
    found = results.noise_curves
    scale = scale_of([area for curve in found for area in (curve.area, curve.balanced_area)])
    rows = [
        (
            words(_chain(curve), "; ".join(part for part in (curve.kind, curve.note) if part)),
            field(max(curve.points, key=lambda point: point.rate, default=None), "rate", percent),
            measured(curve.area, percent, scale),
            measured(curve.balanced_area, percent, scale),
        )
        for curve in found
    ]
    return Table("noise_area", "Area under the curves", columns, tuple(rows), tools=True)


def _chain(curve: NoiseCurve) -> str:
    return f"{curve.model} \u00b7 {treatment(curve)}"
