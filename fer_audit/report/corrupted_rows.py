"""The table of what became of corrupted train rows."""

from __future__ import annotations

from fer_audit.report.naming import several_seeds
from fer_audit.report.table import Column, Table, field, identified, measured
from fer_audit.results import Results


def corrupted_rows_table(results: Results) -> Table:
    """What the utility model says of corrupted and clean train rows at its last epoch."""
    columns = (
        Column("Cell", numeric=False),
        Column("Corrupted rows"),
        Column("Memorised", "of the corrupted rows, those predicted as their wrong given label"),
        Column("Recovered", "of the corrupted rows, those predicted as their true label"),
        Column("Neither", "of the corrupted rows, those predicted as a third label"),
        Column("Clean rows", "of the clean rows, those predicted as their label"),
    )
    seeds = several_seeds(results)
    rows = [
        (
            identified(cell, seeds),
            field(done, "corrupted_rows"),
            *(measured(share, scale=(0, 1)) for share in (done.memorised, done.recovered, done.neither)),
            measured(done.clean_accuracy, scale=(0, 1)),
        )
        for cell in results.cells
        if (done := cell.memorisation) is not None
    ]
    return Table("corrupted_rows", "Corrupted train rows at the last epoch", columns, tuple(rows), tools=True)
