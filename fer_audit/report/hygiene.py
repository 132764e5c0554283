"""Tables of what is wrong with a dataset and its splits."""

from __future__ import annotations

from fer_audit.report.numbers import decimal, percent
from fer_audit.report.pointers import escaped
from fer_audit.report.table import Column, Entry, Table, count, field, measured, words
from fer_audit.results import BlindCheck, CopyCount, DataReport, Hygiene, ImageSizes


def copies_table(hygiene: Hygiene | None) -> Table:
    """Exact and near copies, within and across splits."""
    found = [("exact", hygiene.exact), ("exact and near", hygiene.near)] if hygiene else []
    across = list(dict.fromkeys(what for _, copies in found for what in copies.across)) or ["Across splits"]
    columns = (
        Column("Copies", numeric=False),
        Column("Groups", "of two images or more"),
        Column("Images", "in these groups"),
        Column("Groups with conflicting labels"),
        *map(Column, across),
    )
    rows = [_copies_row(name, copies, across) for name, copies in found]
    return Table("copies", "Images that there are more than once", columns, tuple(rows))


def _copies_row(name: str, copies: CopyCount, across: list[str]) -> tuple[Entry, ...]:
    return (
        words(name),
        *(field(copies, counted) for counted in ("groups", "rows", "conflicting_groups")),
        *(_across(copies, what) for what in across),
    )


def _across(copies: CopyCount, what: str) -> Entry:
    rows = copies.across.get(what)
    return Entry("none", sort=0) if rows is None else count(rows, (copies, f"across/{escaped(what)}"))


def blind_table(hygiene: Hygiene | None) -> Table:
    """Which sides of the splits can be told apart without any model."""
    columns = (
        Column("One side", numeric=False),
        Column("Other side", numeric=False),
        Column("AUC", "of a classifier on image statistics, judged on images that it was not trained on"),
        Column("Most telling alone", "the single statistic that separates the sides best", numeric=False),
        Column("AUC alone", "of that statistic"),
        Column("Verdict", numeric=False),
    )
    rows = [_blind_row(check) for check in hygiene.blind] if hygiene else []
    return Table("blind", "Sides that can be told apart without any model", columns, tuple(rows))


def _blind_row(check: BlindCheck) -> tuple[Entry, ...]:
    known = check.auc.value is not None
    verdict = Entry("they differ", tone="bad") if check.found else words("not told apart" if known else "unknown")
    return (
        words(check.one),
        words(check.other),
        measured(check.auc, decimal),
        words(check.telling if check.telling_auc is not None else "-"),
        field(check, "telling_auc", decimal),
        verdict,
    )


def shared_subjects(hygiene: Hygiene | None) -> str:
    """One sentence about people in several splits."""
    if hygiene is None or not hygiene.shared_subjects:
        return "Who is shown is not known, so that people may be in several splits."
    found = [f"{people:,} in both {pair}" for pair, people in hygiene.shared_subjects.items() if people]
    return "People in several splits: " + "; ".join(found) + "." if found else "No person is in two splits."


def sizes_table(sizes: list[ImageSizes]) -> Table:
    """Sizes of the image files."""
    columns = (
        Column("Split", numeric=False),
        Column("Smallest"),
        Column("Median"),
        Column("Largest"),
        Column("Grey", "images without colour, however they are saved"),
    )
    rows = [
        (
            words(found.split),
            *(_pixels(found, name) for name in ("smallest", "median", "largest")),
            field(found, "grey", percent),
        )
        for found in sizes
    ]
    return Table("sizes", "Image files, width x height in pixels", columns, tuple(rows))


def _pixels(sizes: ImageSizes, name: str) -> Entry:
    width, height = getattr(sizes, name)
    return Entry(f"{width} x {height}", sort=width * height, of=((sizes, name),))


def attributes_table(report: DataReport) -> Table:
    """Rows of the train split with each value of each attribute."""
    columns = (Column("Attribute", numeric=False), Column("Value", numeric=False), Column("Images"))
    rows = [
        (words(name), words(value), count(rows, (report, f"attributes/{escaped(name)}/{escaped(value)}")))
        for name, values in report.attributes.items()
        for value, rows in values.items()
    ]
    return Table("attributes", "Attributes of the train split, by which results are sliced", columns, tuple(rows))
