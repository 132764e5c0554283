"""The table of cells that a grid names and that can't be."""

from __future__ import annotations

from fer_audit.report.table import Column, Table, words
from fer_audit.results import Results


def left_out_table(results: Results) -> Table:
    """Each of them with the reason."""
    columns = (Column("Cell", numeric=False), Column("Why it can't be", numeric=False))
    rows = [(words(one.id), words(one.reason)) for one in results.left_out]
    return Table("left_out", "Cells that can't be", columns, tuple(rows), tools=True)
