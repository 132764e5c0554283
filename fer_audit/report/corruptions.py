"""Tables of accuracy on corrupted images."""

from __future__ import annotations

from fer_audit.report.naming import cell_name, several_seeds, tested_on
from fer_audit.report.numbers import percent, ratio
from fer_audit.report.table import Column, Entry, Table, field, identified, measured, scale_of, words
from fer_audit.results import Cell, CorruptionRobustness, Results

_MCE = Column("mCE", "mean corruption error: errors relative to the baseline's, mean over kinds; below 1 is better")


def corruptions_table(results: Results) -> Table:
    """Accuracy on clean and on corrupted images, and the mean corruption error."""
    columns = (
        Column("Cell", numeric=False),
        Column("Images", f"of {tested_on(results)}"),
        Column("Clean", "accuracy on these images as they are"),
        Column("Corrupted", "accuracy, mean over kinds and severities"),
        _MCE,
        Column("Baseline", "the cell that errors are relative to", numeric=False),
    )
    found, seeds = measured_cells(results), several_seeds(results)
    names = {cell.id: cell_name(cell, seeds) for cell in results.cells}
    scale = scale_of([estimate for _, done in found for estimate in (done.clean, done.accuracy)])
    rows = [
        (
            identified(cell, seeds),
            field(done, "rows"),
            measured(done.clean, percent, scale),
            measured(done.accuracy, percent, scale),
            measured(done.mce, ratio),
            words("itself" if done.baseline == cell.id else names.get(done.baseline, done.baseline)),
        )
        for cell, done in found
    ]
    return Table("image_corruptions", "Accuracy on corrupted images", columns, tuple(rows), tools=True)


def corruption_errors_table(results: Results) -> Table:
    """The corruption error of each kind; one line a cell."""
    found, seeds = measured_cells(results), several_seeds(results)
    kinds = list(dict.fromkeys(one.kind for _, done in found for one in done.kinds))
    columns = (Column("Cell", numeric=False), _MCE, *map(Column, kinds))
    rows = [(identified(cell, seeds), measured(done.mce, ratio), *_errors(done, kinds)) for cell, done in found]
    return Table("corruption_errors", "Corruption error of each kind", columns, tuple(rows), tools=True)


def _errors(done: CorruptionRobustness, kinds: list[str]) -> list[Entry]:
    found = {one.kind: one.error for one in done.kinds}
    return [measured(found.get(kind), ratio) for kind in kinds]


def measured_cells(results: Results) -> list[tuple[Cell, CorruptionRobustness]]:
    """The cells whose accuracy on corrupted images is known."""
    return [(cell, cell.corruptions) for cell in results.cells if cell.corruptions]
