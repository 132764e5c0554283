"""Answers of a model without the model: tables of logits or probabilities, one file for each side of an audit.

A `.csv` or `.parquet` has a column `label` (the name of a class), and for each class a column `logit_<class>`, or for
each a column `probability_<class>`, whose order is that of the classes; optionally `row` (a name) and `subject`. Every
further column is an attribute that results are sliced by. A `.npz` has `logits` (or `probabilities`) float (N, C) or,
of several queries, (N, Q, C), `labels` (N,) as integers or names, `classes` (C,), and optionally `names`, `subjects`
and `attribute_<name>`, each (N,).
"""

from __future__ import annotations

import csv
import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fer_audit.data.labels import class_name
from fer_audit.errors import SignalsError, did_you_mean

Outputs = Literal["logits", "probabilities"]
Column = tuple[str, ...]

#: Prefix of the columns of each kind of output.
_PREFIXES: Mapping[Outputs, str] = {"logits": "logit_", "probabilities": "probability_"}

#: Bytes that the arrays of a file may take: more than any set of faces has, less than would hurt.
_MOST_BYTES = 8 << 30

#: Largest distance of the sum of probabilities from 1.
_TOLERANCE = 1e-3

_SUFFIXES = (".csv", ".parquet", ".npz")


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
    if path.suffix.lower() not in _SUFFIXES:
        raise SignalsError(f"{path}: without --model expected answers in a file {', '.join(_SUFFIXES)}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SignalsError(f"can't read the answers {path}: {error.strerror}") from None
    read = {".csv": _csv, ".parquet": _parquet, ".npz": _npz}[path.suffix.lower()]
    columns = read(path)
    outputs, classes, values = _outputs(path, columns)
    labels = _labels(path, columns, classes, len(values))
    taken = {"label", "row", "subject", *(f"{prefix}{name}" for prefix in _PREFIXES.values() for name in classes)}
    attributes = {name: _column(path, columns, name, len(values)) for name in columns.rest if name not in taken}
    names = _column(path, columns, "row", len(values)) if "row" in columns.rest else None
    return GivenAnswers(
        path=path,
        classes=tuple(class_name(name) for name in classes),
        logits=_logits(path, outputs, values),
        labels=labels,
        outputs=outputs,
        names=names or tuple(map(str, range(len(values)))),
        subjects=_column(path, columns, "subject", len(values)) if "subject" in columns.rest else None,
        attributes=attributes,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
    )


@dataclass(frozen=True)
class _Columns:
    """What a file holds, whatever its format."""

    rest: Mapping[str, Sequence[Any]]  #: every column of names, labels, subjects and attributes
    values: Mapping[Outputs, tuple[Column, npt.NDArray[Any]]]  #: classes and numbers (N, Q, C) of each kind of output


def _table(path: Path, head: Sequence[str], columns: Mapping[str, Sequence[Any]]) -> _Columns:
    twice = sorted({name for name in head if list(head).count(name) > 1})
    if twice:
        raise SignalsError(f"{path} has the column {twice[0]!r} twice; expected each once")
    values: dict[Outputs, tuple[Column, npt.NDArray[Any]]] = {}
    for kind, prefix in _PREFIXES.items():
        named = [name for name in head if name.startswith(prefix)]
        if named:
            numbers = [_numbers(path, name, columns[name]) for name in named]
            classes = tuple(name.removeprefix(prefix) for name in named)
            values[kind] = classes, np.stack(numbers, axis=1)[:, None]
    plain = [name for name in head if not name.startswith(tuple(_PREFIXES.values()))]
    return _Columns({name: columns[name] for name in plain}, values)


def _numbers(path: Path, name: str, column: Sequence[Any]) -> npt.NDArray[np.float64]:
    try:
        return np.asarray(column, np.float64)
    except (TypeError, ValueError):
        for row, value in enumerate(column):
            try:
                float(value)
            except (TypeError, ValueError):
                raise SignalsError(
                    f"{path}, row {row + 1} below the header: {name} must be a number, received {value!r}"
                ) from None
        raise SignalsError(f"{path}: {name} must hold numbers") from None


def _csv(path: Path) -> _Columns:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, skipinitialspace=True, strict=True)
            head = [name.strip() for name in next(reader, [])]
            rows = []
            for row in reader:
                if row and len(row) != len(head):
                    raise SignalsError(
                        f"{path}, line {reader.line_num}: expected {len(head)} values as in the header, received "
                        f"{len(row)}"
                    )
                rows += [row] if row else []
    except (UnicodeDecodeError, csv.Error) as error:
        raise SignalsError(f"{path} is not a csv in UTF-8: {error}") from None
    columns = zip(*rows, strict=True) if rows else [()] * len(head)
    return _table(path, head, dict(zip(head, columns, strict=True)))


def _parquet(path: Path) -> _Columns:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        described = parquet.read_metadata(path)
        size = sum(described.row_group(group).total_byte_size for group in range(described.num_row_groups))
        if size > _MOST_BYTES:
            raise SignalsError(f"{path} would take {size:,} bytes in memory; expected at most {_MOST_BYTES:,}")
        table = parquet.read_table(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SignalsError(f"{path} is not a parquet file that can be read: {str(error).splitlines()[0]}") from None
    return _table(path, table.column_names, {name: table[name].to_pylist() for name in table.column_names})


def _npz(path: Path) -> _Columns:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _MOST_BYTES:
            raise SignalsError(f"{path} would take {size:,} bytes in memory; expected at most {_MOST_BYTES:,}")
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
        raise SignalsError(f"{path} is not an .npz file of plain arrays: {error}") from None
    if "classes" not in arrays or "labels" not in arrays:
        absent = "classes" if "classes" not in arrays else "labels"
        raise SignalsError(f"{path} has no array {absent!r} ({did_you_mean(absent, arrays)}): see the README")
    classes = tuple(str(name) for name in np.atleast_1d(arrays["classes"]))
    values: dict[Outputs, tuple[Column, npt.NDArray[Any]]] = {}
    for kind in _PREFIXES:
        array = arrays.get(kind)
        if array is not None:
            if array.ndim not in (2, 3) or array.dtype.kind != "f" or array.shape[-1] != len(classes):
                raise SignalsError(
                    f"{path}: {kind} must be float (N, {len(classes)}) or (N, Q, {len(classes)}), received "
                    f"{array.dtype} {array.shape}"
                )
            values[kind] = classes, array[:, None] if array.ndim == 2 else array
    known = {"labels": "label", "names": "row", "subjects": "subject"}
    named = {name: array.tolist() for name, array in arrays.items() if name in known or name.startswith("attribute_")}
    return _Columns(
        {known.get(name, name.removeprefix("attribute_")): column for name, column in named.items()}, values
    )


def _outputs(path: Path, columns: _Columns) -> tuple[Outputs, Column, npt.NDArray[Any]]:
    """Kind, classes and numbers (N, Q, C) of the outputs that the file holds."""
    if len(columns.values) != 1:
        received = "both" if columns.values else f"the columns {', '.join(columns.rest) or 'none'}"
        raise SignalsError(
            f"{path}: expected logit_<class> (or probability_<class>) for each class, or in an .npz logits (or "
            f"probabilities), received {received}"
        )
    ((kind, (classes, values)),) = columns.values.items()
    if len(classes) < 2 or not len(values):
        raise SignalsError(f"{path}: expected rows of two classes or more, received {len(values)} of {len(classes)}")
    if len({class_name(name) for name in classes}) < len(classes):
        raise SignalsError(f"{path}: two of the classes {', '.join(classes)} are one; expected each once")
    return kind, classes, values


def _labels(path: Path, columns: _Columns, classes: Column, rows: int) -> npt.NDArray[np.int64]:
    if "label" not in columns.rest:
        raise SignalsError(
            f"{path} has no column 'label' ({did_you_mean('label', columns.rest)}): expected a class a row"
        )
    place = {class_name(name): index for index, name in enumerate(classes)}
    found = []
    for row, given in enumerate(columns.rest["label"]):
        name = class_name(str(given))
        number = int(name) if name.isdecimal() and name not in place else place.get(name, -1)
        if not 0 <= number < len(classes):
            raise SignalsError(f"{path}, row {row + 1}: label {given!r} is none of the classes {', '.join(classes)}")
        found.append(number)
    if len(found) != rows:
        raise SignalsError(f"{path}: expected a label for each of the {rows} rows, received {len(found)}")
    return np.array(found, np.int64)


def _column(path: Path, columns: _Columns, name: str, rows: int) -> Column:
    values = columns.rest[name]
    if len(values) != rows:
        raise SignalsError(f"{path}: {name} must have a value for each of the {rows} rows, received {len(values)}")
    return tuple(str(value) for value in values)


def _logits(path: Path, kind: Outputs, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    odd = int((~np.isfinite(values)).any(axis=(1, 2)).sum())
    if odd:
        raise SignalsError(
            f"{path}: {odd} of {len(values)} rows have answers that are NaN or infinite; expected numbers"
        )
    if kind == "logits":
        return np.asarray(values, np.float32)
    sums = np.abs(values.sum(axis=2) - 1) > _TOLERANCE
    if sums.any() or (values < 0).any():
        row = int(np.flatnonzero(sums.any(axis=1) | (values < 0).any(axis=(1, 2)))[0])
        raise SignalsError(
            f"{path}, row {row + 1}: probabilities must be 0 or more and sum to 1, received {values[row].tolist()}"
        )
    return np.asarray(np.log(np.maximum(values, np.finfo(np.float32).tiny)), np.float32)
