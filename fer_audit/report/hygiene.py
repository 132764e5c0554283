"""Tables of what is wrong with a dataset and its splits."""

from __future__ import annotations

from fer_audit.report.numbers import decimal, percent
from fer_audit.report.table import Column, Entry, Table, count, measured, number, words
from fer_audit.results import BlindCheck, CopyCount, Hygiene, ImageSizes


def copies_table(hygiene: Hygiene | None) -> Table:
    """Exact and near copies, within and across splits."""
    columns = (
        Column("Copies", numeric=False),
        Column("Groups", "of two images or more"),
        Column("Images", "in these groups"),
        Column("Groups with conflicting labels"),
        Column("Across splits", numeric=False),
    )
    found = [("exact", hygiene.exact), ("exact and near", hygiene.near)] if hygiene else []
    rows = [_copies_row(name, copies) for name, copies in found]
    return Table("copies", "Images that there are more than once", columns, tuple(rows))


def _copies_row(name: str, copies: CopyCount) -> tuple[Entry, ...]:
    across = "; ".join(f"{rows:,} {what}" for what, rows in copies.across.items())
    return (
        words(name),
        count(copies.groups),
        count(copies.rows),
        count(copies.conflicting_groups),
        words(across or "none"),
    )


def blind_table(hygiene: Hygiene | None) -> Table:
    """Which sides of the splits can be told apart without any model."""
    columns = (
        Column("One side", numeric=False),
        Column("Other side", numeric=False),
        Column("AUC", "of a classifier on image statistics, judged on images that it was not trained on"),
        Column("Most telling alone", "the single statistic that separates the sides best", numeric=False),
        Column("Verdict", numeric=False),
    )
    rows = [_blind_row(check) for check in hygiene.blind] if hygiene else []
    return Table("blind", "Sides that can be told apart without any model", columns, tuple(rows))


def _blind_row(check: BlindCheck) -> tuple[Entry, ...]:
    known = check.auc.value is not None
    verdict = Entry("they differ", tone="bad") if check.found else words("not told apart" if known else "unknown")
    alone = words(check.telling, f"AUC {decimal(check.telling_auc)}") if check.telling_auc is not None else words("-")
    return words(check.one), words(check.other), measured(check.auc, decimal), alone, verdict


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
            *(Entry(f"{w} x {h}", w * h) for w, h in (found.smallest, found.median, found.largest)),
            number(found.grey, percent),
        )
        for found in sizes
    ]
    return Table("sizes", "Image files, width x height in pixels", columns, tuple(rows))


def attributes_table(attributes: dict[str, dict[str, int]]) -> Table:
    """Rows of the train split with each value of each attribute."""
    columns = (Column("Attribute", numeric=False), Column("Value", numeric=False), Column("Images"))
    rows = [(words(name), words(value), count(n)) for name, values in attributes.items() for value, n in values.items()]
    return Table("attributes", "Attributes of the train split, by which results are sliced", columns, tuple(rows))
