"""What a table of the page is: columns, and rows of entries that know how they sort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

from pydantic import BaseModel

from fer_audit.report.naming import chain_name, labels_and_seed
from fer_audit.report.numbers import UNKNOWN, Form, integer, interval, percent
from fer_audit.results import Cell, Estimate


@dataclass(frozen=True)
class Column:
    """A column; `hint` explains its head."""

    title: str
    hint: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class Bar:
    """Where a value and its interval lie in the range of their column, each from 0 to 1."""

    low: float
    high: float
    value: float


#: A field of a record of the results, such as `(cell.utility.accuracy, "value")`: where a number comes from.
Origin = tuple[BaseModel, str]


@dataclass(frozen=True)
class Entry:
    """What stands in one place of a table."""

    text: str
    sort: float | str | None = None  #: None sorts last
    note: str = ""  #: below the text, small
    bar: Bar | None = None
    tone: str = ""
    link: str = ""  #: a relative path
    cell: str = ""  #: id of the cell that the row speaks of
    attack: str = ""  #: name of the attack that the row speaks of
    of: tuple[Origin, ...] = ()  #: where the number comes from; the first less the second where there are two
    where: str = ""  #: the same in words, where it comes from too many places to name each


@dataclass(frozen=True)
class Table:
    """A table; `tools` gives it a filter and heads that sort."""

    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    tools: bool = False


def words(text: str, note: str = "") -> Entry:
    """Text that sorts by itself."""
    return Entry(text, sort=text, note=note)


def identified(cell: Cell, seeds: bool) -> Entry:
    """A cell: model and treatment, and below them its labels and, where there are several `seeds`, its seed."""
    return Entry(chain_name(cell), sort=chain_name(cell), note=labels_and_seed(cell, seeds), cell=cell.id)


def number(value: float | None, form: Form, *of: Origin) -> Entry:
    """A number without an interval, and where it comes `of`."""
    return Entry(UNKNOWN) if value is None else Entry(form(value), sort=value, of=of)


def count(value: int | None, *of: Origin) -> Entry:
    """A whole number, and where it comes `of`."""
    return Entry(UNKNOWN) if value is None else Entry(integer(value), sort=value, of=of)


def field(record: BaseModel | None, name: str, form: Form = integer) -> Entry:
    """The number in that field of a record; unknown where there is no record."""
    return Entry(UNKNOWN) if record is None else number(getattr(record, name), form, (record, name))


def linked(path: str) -> Entry:
    """A file in the folder of the results; a path that leads out of it is shown and not linked."""
    parts = PurePosixPath(path)
    inside = not parts.is_absolute() and ".." not in parts.parts and "\\" not in path
    # Quoted, no text can name another scheme or host.
    return Entry(path, sort=path, link=f"./{quote(path)}" if inside else "")


def without(table: Table, *titles: str) -> Table:
    """The table without the columns of these titles."""
    kept = [place for place, column in enumerate(table.columns) if column.title not in titles]
    rows = tuple(tuple(row[place] for place in kept) for row in table.rows)
    return replace(table, columns=tuple(table.columns[place] for place in kept), rows=rows)


def reachable(table: Table, folder: Path) -> Table:
    """The table without links to files that are not in `folder`, such as those of a report that was passed on."""
    if not any(entry.link for row in table.rows for entry in row):
        return table

    def checked(entry: Entry) -> Entry:
        there = not entry.link or (folder / unquote(entry.link)).exists()
        return entry if there else replace(entry, link="", note="not beside this page")

    return replace(table, rows=tuple(tuple(map(checked, row)) for row in table.rows))


def measured(estimate: Estimate | None, form: Form = percent, scale: tuple[float, float] | None = None) -> Entry:
    """An estimate with its interval below it, or why there is none; with a bar where a scale is given."""
    if estimate is None:
        return Entry(UNKNOWN)
    if estimate.value is None:
        reason, bracket, needed = estimate.note.partition(" (")
        return Entry(reason or UNKNOWN, note=f"({needed}" if bracket else "")
    bar = _bar(estimate, scale) if scale else None
    of = ((estimate, "value"),)
    return Entry(form(estimate.value), sort=estimate.value, note=interval(estimate, form), bar=bar, of=of)


def scale_of(estimates: Sequence[Estimate | None]) -> tuple[float, float] | None:
    """From the lowest to the highest interval end of a column."""
    known = [estimate for estimate in estimates if estimate is not None]
    ends = [end for e in known for end in (e.low, e.value, e.high) if end is not None]
    return (min(ends), max(ends)) if ends and max(ends) > min(ends) else None


def _bar(estimate: Estimate, scale: tuple[float, float]) -> Bar | None:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    low, high = scale
    places = [round((end - low) / (high - low), 3) for end in (estimate.low, estimate.high, estimate.value)]
    return Bar(*places)
