"""The table of how well wrong train labels are found."""

from __future__ import annotations

from fer_audit.report.naming import several_seeds
from fer_audit.report.numbers import decimal
from fer_audit.report.table import Column, Entry, Table, field, identified, linked, measured
from fer_audit.results import LabelErrors, Results


def label_errors_table(results: Results) -> Table:
    """Average precision beside chance, precision among the most suspect rows, and the file with all rows."""
    cells = [(cell, cell.label_errors) for cell in results.cells if cell.label_errors]
    levels = list(dict.fromkeys(level for _, found in cells for level in found.precision_at))
    columns = (
        Column("Cell", numeric=False),
        Column("Rows"),
        Column("Suspected", "rows where another label than the given one is the likeliest"),
        Column("Corrupted rows", "known to have a wrong label"),
        Column("Average precision", "of the ranking of all rows, the most suspect first"),
        Column("Chance", "average precision of a ranking by chance: the share of corrupted rows"),
        *(_precision_column(level, level == levels[0]) for level in levels),
        Column("Models", "the least number of models that a row's prediction is the mean of; none trained on it"),
        Column("All rows", "csv, the most suspect first", numeric=False),
    )
    seeds = several_seeds(results)
    rows = [(identified(cell, seeds), *_row(found, levels)) for cell, found in cells]
    return Table("label_errors", "Wrong train labels that were found", columns, tuple(rows), tools=True)


def _precision_column(level: str, first: bool) -> Column:
    what = (
        "as many rows as are corrupted, the most suspect" if level == "corrupted" else f"the {level} most suspect rows"
    )
    title = "as many" if level == "corrupted" else level
    return Column(f"{'Precision at' if first else 'at'} {title}", f"of {what}, those that are corrupted")


def _row(found: LabelErrors, levels: list[str]) -> tuple[Entry, ...]:
    return (
        field(found, "rows"),
        field(found, "suspected"),
        field(found, "corrupted_rows"),
        measured(found.average_precision, decimal),
        field(found, "chance", decimal),
        *(measured(found.precision_at.get(level)) for level in levels),
        field(found, "models"),
        linked(found.file),
    )
