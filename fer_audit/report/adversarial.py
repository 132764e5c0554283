"""The table of accuracy on images that were changed to be misread."""

from __future__ import annotations

from typing import Literal

from fer_audit.report.naming import several_seeds, tested_on
from fer_audit.report.numbers import percent
from fer_audit.report.table import Column, Entry, Table, field, identified, measured
from fer_audit.results import AdversarialRobustness, Results

_Attack = tuple[Literal["fgsm", "pgd"], float]  #: with its epsilon


def adversarial_table(results: Results) -> Table:
    """Accuracy under each attack, at each epsilon; one line a cell."""
    cells = [(cell, cell.adversarial) for cell in results.cells if cell.adversarial]
    attacks = list(dict.fromkeys((one.attack, one.epsilon) for _, done in cells for one in done.points))
    columns = (
        Column("Cell", numeric=False),
        Column("Images", f"of {tested_on(results)}"),
        Column("Clean", "accuracy on these images as they are"),
        *map(_column, attacks),
        Column("Largest change", "of a pixel that was made, in grey levels of 0..255"),
        Column("PGD steps"),
    )
    seeds = several_seeds(results)
    rows = [(identified(cell, seeds), *_row(done, attacks)) for cell, done in cells]
    return Table("adversarial", "Accuracy on adversarial images", columns, tuple(rows), tools=True)


def _column(attack: _Attack) -> Column:
    name, epsilon = attack
    hint = f"accuracy where {name.upper()} may change each pixel by {epsilon:g} of 255"
    return Column(f"{name.upper()}, {epsilon:g}", hint)


def _row(done: AdversarialRobustness, attacks: list[_Attack]) -> tuple[Entry, ...]:
    found = {(one.attack, one.epsilon): one.accuracy for one in done.points}
    largest = max(done.points, key=lambda one: one.max_perturbation, default=None)
    return (
        field(done, "rows"),
        measured(done.clean, percent, (0, 1)),
        *(measured(found.get(attack), percent, (0, 1)) for attack in attacks),
        field(largest, "max_perturbation", lambda value: f"{value:.3g}"),
        field(done, "steps"),
    )
