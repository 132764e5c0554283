"""Answers of a model without the model: tables of logits or probabilities, one file for each side of an audit.

A `.csv` or `.parquet` has a column `label` (the name of a class), and for each class a column `logit_<class>`, or for
each a column `probability_<class>`, whose order is that of the classes; optionally `row` (a name) and `subject`. Every
further column is an attribute that results are sliced by. A `.npz` has `logits` (or `probabilities`) float (N, C) or,
of several queries, (N, Q, C), `labels` (N,) as integers or names, `classes` (C,), and optionally `names`, `subjects`
and `attribute_<name>`, each (N,).
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_audit.data.answer_columns import AnswerColumns, Column, Outputs, read_columns
from fer_audit.data.labels import class_name
from fer_audit.errors import SignalsError, did_you_mean
from fer_audit.plain_file import open_plain

#: Largest distance of the sum of probabilities from 1.
_TOLERANCE = 1e-3

_LONGEST_NUMBER = 9  #: digits of a label; Python refuses to read thousands

_FLOAT32 = np.finfo(np.float32)


@dataclass(frozen=True, eq=False)
class GivenAnswers:
    """What a model answered about rows of one side."""

    path: Path
    classes: Column
    logits: npt.NDArray[np.float32]  #: (N, Q, C)
    labels: npt.NDArray[np.int64]  #: (N,)
    outputs: Outputs  #: that the file holds
    names: Column  #: (N,)
    subjects: Column | None  #: (N,)
    attributes: Mapping[str, Column]  #: name -> (N,)
    sha256: str
    bytes: int

    def __len__(self) -> int:
        return len(self.labels)

    def in_order(self, classes: Column) -> GivenAnswers:
        """The same with the outputs in another order of the same classes; raises SignalsError."""
        if set(classes) != set(self.classes):
            odd = ", ".join(sorted(set(classes) ^ set(self.classes)))
            raise SignalsError(f"{self.path} has other classes than the members' file: they differ in {odd}")
        place = [self.classes.index(name) for name in classes]
        rank = np.argsort(place)
        return replace(self, classes=classes, logits=self.logits[:, :, place], labels=rank[self.labels])


def read_answers(path: Path) -> GivenAnswers:
    """The answers in a file; raises SignalsError with what is wrong, where, and what was expected."""
    try:
        with open_plain(path, sys.maxsize) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = path.stat().st_size
    except OSError as error:
        raise SignalsError(f"can't read the answers {path}: {error.strerror}") from None
    columns = read_columns(path)
    _check_shape(columns)
    logits, labels = _logits(columns), _labels(columns)
    names = _filled(columns, "row")
    return GivenAnswers(
        path=path,
        classes=tuple(class_name(name) for name in columns.classes),
        logits=logits,
        labels=labels,
        outputs=columns.outputs,
        names=names or tuple(map(str, range(len(labels)))),
        subjects=_filled(columns, "subject"),
        attributes={name: _attribute(columns, name) for name in columns.attributes},
        sha256=digest,
        bytes=size,
    )


def _check_shape(columns: AnswerColumns) -> None:
    """Raises SignalsError unless there are rows and queries of two classes or more, each told apart."""
    path, classes, (rows, queries, count) = columns.path, columns.classes, columns.values.shape
    if count < 2 or not rows or not queries:
        received = f"{rows} of {count}" if queries else "no queries"
        raise SignalsError(f"{path}: expected rows of two classes or more, received {received}")
    if not all(name.strip() for name in classes):
        raise SignalsError(f"{path}: one of the classes {', '.join(map(repr, classes))} has no name; expected one each")
    if len({class_name(name) for name in classes}) < count:
        raise SignalsError(f"{path}: two of the classes {', '.join(classes)} are one; expected each once")


def _labels(columns: AnswerColumns) -> npt.NDArray[np.int64]:
    if "label" not in columns.named:
        hint = did_you_mean("label", columns.attributes)
        raise SignalsError(f"{columns.path} has no column 'label' ({hint}): expected a class a row")
    place = {class_name(name): index for index, name in enumerate(columns.classes)}
    found = []
    for row, given in enumerate(_whole(columns, "label", columns.named["label"])):
        name = class_name(str(given))
        is_index = name not in place and name.isdecimal() and len(name) <= _LONGEST_NUMBER
        number = int(name) if is_index else place.get(name, -1)
        if not 0 <= number < len(place):
            raise SignalsError(
                f"{columns.place(row)}: label {str(given)[:40]!r} is none of the classes {', '.join(columns.classes)}"
            )
        found.append(number)
    return np.array(found, np.int64)


def _whole(columns: AnswerColumns, name: str, values: Sequence[Any]) -> Sequence[Any]:
    rows = len(columns.values)
    if len(values) != rows:
        raise SignalsError(f"{columns.path}: expected a {name} for each of the {rows} rows, received {len(values)}")
    return values


def _filled(columns: AnswerColumns, name: str) -> Column | None:
    """A column of names, which no row may lack: rows without one would all be of one person."""
    if name not in columns.named:
        return None
    values = ["" if value is None else str(value) for value in _whole(columns, name, columns.named[name])]
    if "" in values:
        raise SignalsError(f"{columns.place(values.index(''))}: {name} is empty; expected one for every row, or none")
    return tuple(values)


def _attribute(columns: AnswerColumns, name: str) -> Column:
    values = _whole(columns, name, columns.attributes[name])
    return tuple("unknown" if value is None or value == "" else str(value) for value in values)


def _logits(columns: AnswerColumns) -> npt.NDArray[np.float32]:
    """(N, Q, C); raises SignalsError where answers are no numbers, or no probabilities that sum to 1."""
    values = columns.values
    # As one comparison, which is false of NaN.
    odd = ~(np.abs(values) <= _FLOAT32.max)
    if odd.any():
        row, _, place = (int(index[0]) for index in np.nonzero(odd))
        raise SignalsError(
            f"{columns.place(row)}: the answer for {columns.classes[place]} is {values[odd][0]}; expected no NaN, "
            f"infinite or such large numbers (in {int(odd.any(axis=(1, 2)).sum())} of {len(values)} rows)"
        )
    if columns.outputs == "logits":
        return np.asarray(values, np.float32)
    sums = values.sum(axis=2, dtype=np.float64)
    wrong = ((np.abs(sums - 1) > _TOLERANCE) | (values < 0).any(axis=2)).any(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise SignalsError(
            f"{columns.place(row)}: probabilities must be 0 or more and sum to 1, received a smallest of "
            f"{values[row].min():g} and a sum of {sums[row, np.abs(sums[row] - 1).argmax()]:g}"
        )
    return np.asarray(np.log(np.maximum(values, _FLOAT32.tiny)), np.float32)
