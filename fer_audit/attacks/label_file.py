"""Labels of a published list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from fer_audit.attacks.label_attack import LabelAttack, LabelContext, Labels, realised_matrix
from fer_audit.attacks.label_list import LabelNames, ListedLabel, read_list
from fer_audit.attacks.row_names import RowNames
from fer_audit.errors import DataError, PluginError, did_you_mean
from fer_audit.plugins import Parameters

#: Stands for a row that the list does not name.
_ABSENT = -1


class LabelFile(LabelAttack):
    """Replays a published list of labels, so that results are comparable with those of its authors.

    A line is a name and a label, with spaces or a comma between them; see `label_list.read_list`. Names are whole names
    of rows or those of their files, with or without `_aligned`. Every train row must be named, once. What the list says
    of test rows is compared and never used. A list whose classes are a reordering of the dataset's is refused, as its
    `codes` are wrong.

    Sources: lists for RAF-DB of Zhang et al., "Learn From All: Erasing Attention Consistency for Noisy Label Facial
    Expression Recognition", ECCV 2022 (`codes: rafdb`); Wang et al., "Suppressing Uncertainties for Large-Scale Facial
    Expression Recognition", CVPR 2020 (SCN, `codes: rafdb-from-0`); Zhang et al., "ReSup: Reliable Label Noise
    Suppression for Facial Expression Recognition", 2023 (`codes: rafdb`; these corrupt the test labels too).
    """

    name = "file"
    varies = ("path",)  # the lists of one study differ in their rate

    class Params(Parameters):
        """Parameters of a published list."""

        path: str = Field(description="the list, relative to the folder of the grid")
        codes: str | tuple[str, ...] | dict[int | str, str] | None = Field(
            None,
            description="what numbers stand for: a dataset such as rafdb, names in the order of the codes from 0, or "
            "{code: name}; null: the list writes names of classes",
        )
        on_unknown: Literal["error", "skip"] = Field(
            "error", description="what to do with names that the dataset lacks, as where copies were dropped from it"
        )

    params: Params

    def corrupt(self, labels: Labels, context: LabelContext) -> Labels:
        """The labels int64 (N,) that the list gives the train rows; raises DataError where it doesn't fit them."""
        path = context.base / self.params.path
        given = self._given(str(path), read_list(path), context)
        train, test, population = np.split(given, np.cumsum([len(labels), len(context.test_names)]))
        _check_complete(str(path), train, context.names)
        _check_order(str(path), labels, train, context)
        _note_test(test, context)
        if (population != _ABSENT).any():
            named = int((population != _ABSENT).sum())
            context.remark(f"the list also names {named:,} of the population's rows; that part was not used")
        return train

    def _given(self, source: str, lines: Sequence[ListedLabel], context: LabelContext) -> Labels:
        """Labels (N + T + Z,) of train, test and population rows, `_ABSENT` where the list does not name one."""
        known = (*context.names, *context.test_names, *context.population_names)
        rows = RowNames(known)
        names = self._label_names(context)
        found = [rows.find(line.name) for line in lines]
        unknown = [line for line, each in zip(lines, found, strict=True) if not each]
        if unknown and self.params.on_unknown == "skip":
            # No name: remarks are published, and a file may be called after the person that it shows.
            context.remark(f"the list names {len(unknown):,} rows that the dataset lacks")
        else:
            _refuse(source, unknown, "that the dataset lacks (`on_unknown: skip` leaves them out)")
        _refuse(source, [line for line, each in zip(lines, found, strict=True) if len(each) > 1], "by ambiguous names")
        given = np.full(len(known), _ABSENT, np.int64)
        twice = []
        for line, each in zip(lines, found, strict=True):
            if each:
                twice += [line] if given[each[0]] != _ABSENT else []
                given[each[0]] = names.index(line)
        _refuse(source, twice, "that it has named before")
        return given

    def _label_names(self, context: LabelContext) -> LabelNames:
        codes, known = self.params.codes, tuple(context.codes)
        if isinstance(codes, str) and codes not in context.codes:
            raise PluginError(f"label attack {self.name!r}: no codes {codes!r}: {did_you_mean(codes, known)}")
        table = context.codes[codes] if isinstance(codes, str) else codes
        pairs = table.items() if isinstance(table, Mapping) else enumerate(table or ())
        return LabelNames(context.classes, {str(code): name for code, name in pairs}, known)


def _refuse(source: str, lines: Sequence[ListedLabel], what: str) -> None:
    if lines:
        rows = "1 row" if len(lines) == 1 else f"{len(lines):,} rows"
        raise DataError(f"{source} names {rows} {what}, first {lines[0].name!r} ({lines[0].place})")


def _check_complete(source: str, train: Labels, names: Sequence[str]) -> None:
    absent = np.flatnonzero(train == _ABSENT)
    if len(absent):
        raise DataError(
            f"{source} must name every row of the train split: {len(absent):,} of {len(train):,} are not in it, first "
            f"{names[absent[0]]!r}"
        )


def _check_order(source: str, labels: Labels, train: Labels, context: LabelContext) -> None:
    """Raises DataError where most rows have a class that the list mostly calls by another class's name."""
    matrix = realised_matrix(labels, train, len(context.classes))
    called = matrix.argmax(axis=1)
    moved = [true for true, other in enumerate(called) if matrix[true, true] < matrix[true, other]]
    # A poor annotator calls several classes by one name; codes in a wrong order are one to one.
    if len(set(called.tolist())) == len(called) and np.isin(labels, moved).mean() > 0.5:
        read = ", ".join(f"{context.classes[true]} as {context.classes[called[true]]}" for true in moved)
        raise DataError(f"{source}: the labels are in another order than `codes` say; most rows are read as {read}")


def _note_test(test: Labels, context: LabelContext) -> None:
    """Remarks on what the list says of the test rows, which is not used."""
    named = test != _ABSENT
    if not named.any():
        return
    rows = f"{int(named.sum()):,} of {len(test):,} test rows"
    if context.test_labels is None:
        context.remark(f"the list also names {rows}; that part was not used")
        return
    changed = np.count_nonzero(test[named] != context.test_labels[named])
    if changed:
        context.remark(f"the list also changes {changed:,} of {len(test):,} test labels; that part was not used")
    else:
        context.remark(f"the list also names {rows}, with the dataset's labels; that part was not used")
