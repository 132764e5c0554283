"""The table of a very large grid: a line for each group of cells, instead of one for each cell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fer_audit.report.cell_groups import MOST_GROUPS, CellGroup, Grouping, Spread
from fer_audit.report.numbers import THIN, UNKNOWN, Form, decimal, integer, percent
from fer_audit.report.sections import cut
from fer_audit.report.table import Bar, Column, Entry, Table, measured, without, words
from fer_audit.results import Results

_NUMBER, _MEAN = "number of results.json#/cells/*", "mean of results.json#/cells/*"
_ACCURACY, _BALANCED = "utility/accuracy/value", "utility/balanced_accuracy/value"
_AUC, _LARGEST = "privacy/attacks/*/auc/value", "the largest of each cell that is not invalid"
_SPREAD = "mean over the cells that are done; below it the least and the largest, standard deviation and number of them"
_NUMBERS = (
    Column("Cells", "of the group"),
    Column("Failed"),
    Column("Missing"),
    Column("Attack AUC", f"{_SPREAD}; of the strongest attack on each cell, 0.5 being chance"),
    Column("Highest AUC", "of one cell of the group, with its interval, which is not corrected for having been picked"),
    Column("Balanced acc.", f"{_SPREAD}; of the mean recall of classes"),
    Column("Least balanced", "balanced accuracy of one cell, with its interval, not corrected for having been picked"),
    Column("Accuracy", f"{_SPREAD}; on the test split"),
)


def groups_table(results: Results, grouping: Grouping) -> Table:
    """A line a group, that with the cell that leaks most first."""
    shown = grouping.groups[:MOST_GROUPS]
    scales = [_scale(getattr(group, name) for group in shown) for name in ("auc", "balanced_accuracy")]
    rows = tuple(_row(group, grouping, scales) for group in shown)
    columns = (*(Column(title, numeric=False) for title, _, _ in grouping.parts), *_NUMBERS)
    caption = f"All {len(results.cells):,} cells in {len(grouping.groups):,} groups"
    note = cut(len(grouping.groups), len(shown), "groups are shown")
    table = Table("groups", f"{caption}.{note}" if note else caption, columns, rows, tools=True)
    return without(table, *_idle(grouping))


def _idle(grouping: Grouping) -> list[str]:
    """The columns that say the same of all groups."""
    told = [title for title, _, _ in grouping.parts if title not in grouping.alike]
    statuses = {cell.status for group in grouping.groups for cell in group.cells}
    return told + [title for title in ("Failed", "Missing") if title.lower() not in statuses]


def _row(group: CellGroup, grouping: Grouping, scales: list[tuple[float, float] | None]) -> tuple[Entry, ...]:
    where = f"where {condition(group, grouping)}"
    failed = _count(group.count("failed"), f"{_NUMBER} {where}, status=failed")
    done = f"{where}, status=done"
    auc = mean(group.auc, decimal, f"{_MEAN}/{_AUC}, {_LARGEST}, {done}", scales[0], _left_out(group))
    return (
        *map(words, group.parts),
        _count(len(group.cells), f"{_NUMBER} {where}"),
        replace(failed, tone="bad" if failed.sort else ""),
        _count(group.count("missing"), f"{_NUMBER} {where}, status=missing"),
        auc,
        measured(group.auc.most if group.auc else None, decimal),
        mean(group.balanced_accuracy, percent, f"{_MEAN}/{_BALANCED} {done}", scales[1]),
        measured(group.balanced_accuracy.least if group.balanced_accuracy else None),
        mean(group.accuracy, percent, f"{_MEAN}/{_ACCURACY} {done}"),
    )


def condition(group: CellGroup, grouping: Grouping) -> str:
    """What a cell of results.json must have to be of the group, such as `model=ghostface, augmentation=none`."""
    return ", ".join(f"{name}={key}" for (_, name, _), key in zip(grouping.parts, group.keys, strict=True))


def _left_out(group: CellGroup) -> str:
    return f"without {group.invalid:,} invalid" if group.invalid else ""


def _count(number: int, where: str) -> Entry:
    return Entry(integer(number), sort=number, where=where)


def mean(
    found: Spread | None, form: Form, where: str, scale: tuple[float, float] | None = None, note: str = ""
) -> Entry:
    """A mean with its spread, and with a bar from the least to the largest where a scale is given."""
    if found is None:
        return Entry(UNKNOWN, note=note)
    text = "\n".join(filter(None, (spread_text(found, form), note)))
    return Entry(form(found.mean), found.mean, text, _bar(found, scale), where=where)


def spread_text(found: Spread, form: Form) -> str:
    """From the least to the largest and, below, the standard deviation and how many there are."""
    if found.sd is None:
        return "one cell"
    low, high, sd = (form(value).removesuffix(f"{THIN}%") for value in (found.low, found.high, found.sd))
    return f"{low} to {high}\nSD {sd}, n {found.cells:,}"


def _scale(found: Iterable[Spread | None]) -> tuple[float, float] | None:
    ends = [end for one in found if one for end in (one.low, one.high)]
    return (min(ends), max(ends)) if ends and max(ends) > min(ends) else None


def _bar(found: Spread, scale: tuple[float, float] | None) -> Bar | None:
    if scale is None:
        return None
    low, high = scale
    return Bar(*(round((end - low) / (high - low), 3) for end in (found.low, found.high, found.mean)))
