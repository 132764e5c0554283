"""The table of whether an answer depends on what else is in the batch."""

from __future__ import annotations

from fer_audit.report.naming import several_seeds
from fer_audit.report.table import Column, Entry, Table, field, identified
from fer_audit.results import BatchInvariance, Results


def batch_invariance_table(results: Results) -> Table:
    """The largest difference between answers to one image in several batches, and whether it is tolerated."""
    columns = (
        Column("Cell", numeric=False),
        Column("Images"),
        Column("Largest difference", "between logits of one image"),
        Column("Tolerance"),
        Column("Changed", "predictions that differ beyond the tolerance"),
        Column("Verdict", numeric=False),
    )
    seeds = several_seeds(results)
    rows = [
        (identified(cell, seeds), *_row(cell.batch_invariance))
        for cell in results.cells
        if cell.batch_invariance is not None
    ]
    return Table("batch_invariance", "Answers in other batches", columns, tuple(rows), tools=True)


def _row(done: BatchInvariance) -> tuple[Entry, ...]:
    verdict = "passed" if done.passed else "failed"
    return (
        field(done, "rows"),
        field(done, "max_difference", _two),
        field(done, "tolerance", _two),
        field(done, "changed"),
        Entry(verdict, verdict, done.explanation, tone="good" if done.passed else "bad"),
    )


def _two(value: float) -> str:
    return f"{value:.2g}"
