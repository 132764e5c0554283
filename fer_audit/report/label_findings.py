"""What the results say of corrupted labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fer_audit.metrics.unpaired import unpaired_difference
from fer_audit.report.comparison import Pair, effects, side
from fer_audit.report.finding import Finding, counted, named
from fer_audit.report.noise import places
from fer_audit.report.numbers import decimal, percent, points, signed, with_interval
from fer_audit.report.paired import Difference
from fer_audit.results import Cell, Estimate, LabelErrors, Results


def noise(results: Results) -> Finding | None:
    """What corrupted labels cost, paired with clean ones on the same test rows."""
    noisy = [place for place in places(results) if place.point.balanced_drop.value is not None and not place.clean]
    if not noisy:
        return None
    signs = [side(place.point.balanced_drop, 0.0, len(noisy)) for place in noisy]
    falls = [place for place, sign in zip(noisy, signs, strict=True) if sign > 0]
    rises = signs.count(-1)
    if not falls and not rises:
        text = (
            f"Balanced accuracy with corrupted labels and with clean ones can't be told apart in any of "
            f"{counted(len(noisy), 'comparison')}."
        )
        return Finding("No harm of corrupted labels can be shown at this size", text, "open")
    text = f"Balanced accuracy is lower than with clean labels in {len(falls):,} of {counted(len(noisy), 'comparison')}"
    text += f" and higher in {rises:,}." if rises else "."
    if not falls:
        return Finding("What corrupted labels cost", text, "plain")
    worst = max(falls, key=lambda place: place.point.balanced_drop.value or 0.0)
    drop, left = worst.point.balanced_drop, worst.point.balanced_accuracy
    text += f" Largest fall: {worst.name}, {with_interval(drop, points)} points, to {percent(left.value or 0.0)}."
    return Finding("What corrupted labels cost", text, "bad", ((drop, "value"), (left, "value")))


def memorisation(against: str, pairs: Sequence[tuple[str, Pair]]) -> Finding | None:
    """Whether augmented, or defended, models learn fewer wrong labels by heart; `pairs` are as in `findings`."""
    found = [
        (name, Difference(unpaired_difference(cell.memorisation.memorised, plain.memorisation.memorised)))
        for name, (cell, plain) in pairs
        if cell.memorisation and plain.memorisation
    ]
    title = f"What {against} does to wrong labels learnt by heart"
    what = "the share of them that is memorised"
    return effects(title, what, found, "good", signed, " points", against) if found else None


def label_errors(results: Results) -> Finding | None:
    """Whether wrong labels are found more often than by chance."""
    judged = [ranking for cell in results.cells if (ranking := _ranking(cell)) is not None]
    if not judged:
        return None
    found = [one for one in judged if side(one.precision, one.chance, len(judged)) > 0]
    if not found:
        text = f"Average precision lies above chance beyond its interval in none of {counted(len(judged), 'cell')}."
        return Finding("Wrong labels can't be shown to be found", text, "open")
    best = max(found, key=lambda one: one.precision.value or 0.0)
    text = (
        f"In {len(found):,} of {counted(len(judged), 'cell')} average precision lies above chance. Highest: "
        f"{named(results, best.cell)}, {with_interval(best.precision, decimal)}, chance being {decimal(best.chance)}."
    )
    return Finding("Wrong labels can be found", text, "good", ((best.precision, "value"), (best.errors, "chance")))


@dataclass(frozen=True)
class _Ranking:
    """Average precision and what it is by chance."""

    cell: Cell
    errors: LabelErrors
    precision: Estimate
    chance: float


def _ranking(cell: Cell) -> _Ranking | None:
    """None where either is unknown."""
    errors = cell.label_errors
    if errors is None or errors.average_precision is None or errors.average_precision.value is None:
        return None
    return None if errors.chance is None else _Ranking(cell, errors, errors.average_precision, errors.chance)
