"""Tidy frames of what membership attacks found."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

import pandas as pd

from fer_audit.report.frame import ATTACK, COUNTS, IDENTITY, counts, ends, frame, identity, plugin, spread
from fer_audit.report.slices import group_name
from fer_audit.report.tidy import each_tidy_row, tidy_rows
from fer_audit.results import AttackResult, Cell, PluginRecord, Results

#: A cell of which nothing is known, to learn the columns of results.csv from.
_BLANK = Cell(
    id="",
    model="",
    augmentation="",
    label_attack="",
    noise_rate=0.0,
    seed=0,
    model_plugin=PluginRecord(name=""),
    augmentation_plugins=[],
    label_attack_plugin=None,
    corruption=None,
    status="missing",
)


def attacks(results: Results) -> pd.DataFrame:
    """What results.csv has: a row per cell and attack; a cell without attacks has one row."""
    columns = _csv_columns(results)
    return frame(columns, ([row[name] for name in columns] for row in each_tidy_row(results)))


def cells(results: Results) -> pd.DataFrame:
    """What results.csv has of a cell, with the costs of its model: a row per cell."""
    every = attacks(results)
    columns = list(every.columns)
    return every.drop_duplicates("cell")[columns[: columns.index("attack")]].reset_index(drop=True)


def _csv_columns(results: Results) -> list[str]:
    return list(tidy_rows(results.model_copy(update={"cells": [_BLANK]}))[0])


def targets(results: Results) -> pd.DataFrame:
    """Each attacked model by itself: a row per cell, attack and target."""
    rows = (
        (*identity(cell), *plugin(attack.attack), one.target, *ends(one.auc), one.threshold, *counts(one.confusion))
        for cell, attack in _attacks(results)
        for one in attack.targets
    )
    return frame((*IDENTITY, *ATTACK, "target", *spread("auc"), "threshold", *COUNTS), rows)


def slices(results: Results) -> pd.DataFrame:
    """Groups of rows: a row per cell, attack and group."""
    measures = ("auc", "tpr", "fpr", "difference")
    columns = ("family", "group", "rows", *(name for measure in measures for name in spread(measure)))
    rows = (
        (
            *(*identity(cell), *plugin(attack.attack), one.family, group_name(results, one), one.rows),
            *(value for name in measures for value in ends(getattr(one, name))),
            *(one.p_value, one.p_adjusted, attack.correction),
        )
        for cell, attack in _attacks(results)
        for one in attack.slices
    )
    return frame((*IDENTITY, *ATTACK, *columns, "p_value", "p_adjusted", "correction"), rows)


def roc(results: Results) -> pd.DataFrame:
    """ROC curves: a row per cell, attack and point; the ends of the TPR are missing where there is no band."""
    rows = (
        (*identity(cell), *plugin(attack.attack), *point)
        for cell, attack in _attacks(results)
        for point in zip_longest(attack.roc.fpr, attack.roc.tpr, attack.roc.low, attack.roc.high)
    )
    return frame((*IDENTITY, *ATTACK, "fpr", *spread("tpr")), rows)


def transferred(results: Results) -> pd.DataFrame:
    """Thresholds set for a wanted FPR on the references: a row per cell, attack and `wanted_fpr`."""
    rows = (
        (*identity(cell), *plugin(attack.attack), float(wanted), *counts(d.confusion), *ends(d.fpr), *ends(d.tpr))
        for cell, attack in _attacks(results)
        for wanted, d in attack.transferred.items()
    )
    return frame((*IDENTITY, *ATTACK, "wanted_fpr", *COUNTS, *spread("fpr"), *spread("tpr")), rows)


def exposed(results: Results) -> pd.DataFrame:
    """The most exposed records: a row per cell, attack and record, `rank` 1 being the most exposed."""
    numbers = ("member_targets", "true_positives", "exposure", "exposure_sd", "nonmember_exposure")
    names = results.dataset.classes
    rows = (
        (
            *(*identity(cell), *plugin(found.attack), found.unit, rank, record.id),
            names[record.label] if record.label < len(names) else None,
            record.corrupted,
            *(getattr(record, name) for name in numbers),
        )
        for cell in results.cells
        if cell.privacy
        for found in cell.privacy.exposed
        for rank, record in enumerate(found.records, 1)
    )
    return frame((*IDENTITY, *ATTACK, "unit", "rank", "record", "label", "corrupted", *numbers), rows)


def comparisons(results: Results) -> pd.DataFrame:
    """Paired differences: a row per pair of cells and metric, `difference` being the cell less its `baseline`."""
    known = {cell.id: identity(cell) for cell in results.cells}
    rows = (
        (
            *known.get(pair.cell, (pair.cell, *[None] * (len(IDENTITY) - 1))),
            *(pair.baseline, pair.metric, *plugin(pair.attack), *ends(pair.difference), pair.difference.n),
        )
        for pair in results.comparisons
    )
    return frame((*IDENTITY, "baseline", "metric", *ATTACK, *spread("difference"), "rows"), rows)


def _attacks(results: Results) -> Iterator[tuple[Cell, AttackResult]]:
    return ((cell, attack) for cell in results.cells if cell.privacy for attack in cell.privacy.attacks)
