"""What a file of answers holds, whatever its format: numbers of each class, and columns of names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fer_audit.data.csv_lines import csv_lines, told
from fer_audit.data.npz_arrays import check_bytes, read_npz
from fer_audit.errors import SignalsError, did_you_mean

Outputs = Literal["logits", "probabilities"]
Column = tuple[str, ...]

#: Prefix of the columns of each kind of output.
_PREFIXES: Mapping[Outputs, str] = {"logits": "logit_", "probabilities": "probability_"}

#: Columns that are no attributes, and the array of each in an .npz.
_NAMED: Mapping[str, str] = {"label": "labels", "row": "names", "subject": "subjects"}

_ATTRIBUTE = "attribute_"  #: prefix of an attribute's array in an .npz

#: Rows of a parquet, which may hold any number of equal ones in a few bytes: ten times the faces of AffectNet.
_MOST_ROWS = 5_000_000

_INDEX = "__index_level_"  #: prefix of the column in which pandas keeps an index


@dataclass(frozen=True, eq=False)
class AnswerColumns:
    """The columns of a file, N rows."""

    path: Path
    outputs: Outputs
    classes: Column  #: (C,), as they are written
    values: npt.NDArray[Any]  #: (N, Q, C)
    named: Mapping[str, Sequence[Any]]  #: label, row, subject -> (N,); those that there are
    attributes: Mapping[str, Sequence[Any]]  #: name -> (N,)
    lines: Sequence[int] = ()  #: (N,), of a csv

    def place(self, row: int) -> str:
        """Where a person finds the row: the file, and the line of a csv or the number of the row."""
        return f"{self.path}, line {self.lines[row]}" if self.lines else f"{self.path}, row {row + 1}"


def read_columns(path: Path) -> AnswerColumns:
    """The columns of a .csv, .parquet or .npz; raises SignalsError."""
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise SignalsError(f"{path}: without --model expected answers in a file {', '.join(_READERS)}")
    return read(path)


def _csv(path: Path) -> AnswerColumns:
    try:
        found = csv_lines(path)
    except (OSError, ValueError) as error:
        raise SignalsError(f"{path} is not a csv in UTF-8: {told(error)}") from None
    head = [name.strip() for name in found[0][1]] if found else []
    lines, rows = [number for number, _ in found[1:]], [row for _, row in found[1:]]
    for number, row in found[1:]:
        if len(row) != len(head):
            raise SignalsError(
                f"{path}, line {number}: expected {len(head)} values as in the header, received {len(row)}"
            )
    _check_head(path, head)
    columns = zip(*rows, strict=True) if rows else [()] * len(head)
    numbers = tuple(_PREFIXES.values())  # which are read with spaces around them, too
    stripped = {
        name: column if name.startswith(numbers) else [value.strip() for value in column]
        for name, column in zip(head, columns, strict=True)
    }
    return _table(path, stripped, lines)


def _parquet(path: Path) -> AnswerColumns:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        described = parquet.read_metadata(path)
        check_bytes(path, _parquet_bytes(described))
        if described.num_rows > _MOST_ROWS:
            raise SignalsError(f"{path} has {described.num_rows:,} rows; expected at most {_MOST_ROWS:,}")
        texts = [one.path for one in described.schema if one.physical_type == "BYTE_ARRAY"]
        # A long text that many rows share is then kept once, and takes no more than the file says.
        table = parquet.read_table(path, read_dictionary=texts)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise SignalsError(f"{path} is not a parquet file that can be read: {said}") from None
    head = [name for name in table.column_names if not name.startswith(_INDEX)]
    _check_head(path, head)
    for name in head:
        if pa.types.is_nested(table[name].type):
            raise SignalsError(f"{path}: {name} holds {table[name].type}; expected a number or a text a row")
    return _table(path, {name: list(_parquet_values(table[name])) for name in head}, ())


def _parquet_bytes(described: Any) -> int:
    """What the values take that aren't told apart by a dictionary, and all numbers."""
    stored = sum(described.row_group(group).total_byte_size for group in range(described.num_row_groups))
    return int(max(stored, 8 * described.num_rows * described.num_columns))


def _parquet_values(column: Any) -> Iterator[Any]:
    import pyarrow as pa

    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type):
            texts = chunk.dictionary.to_pylist()
            yield from (None if index is None else texts[index] for index in chunk.indices.to_pylist())
        else:
            yield from chunk.to_pylist()


def _check_head(path: Path, head: Sequence[str]) -> None:
    if not head:
        raise SignalsError(f"{path} is empty: expected a header `label,logit_<class>,...` and one row an image")
    twice = sorted({name for name in head if head.count(name) > 1})
    if twice:
        raise SignalsError(f"{path} has the column {twice[0]!r} twice; expected each once")
    if "" in head:
        raise SignalsError(
            f"{path} has a column without a name; expected a name each (pandas leaves its index out with index=False)"
        )
    for name in head:
        lower = name.lower()
        meant = lower if lower.startswith(tuple(_PREFIXES.values())) else lower.removesuffix("s")
        # Else it would be an attribute, and rows of one person would pass for rows of many.
        if name != meant and (meant in _NAMED or meant.startswith(tuple(_PREFIXES.values()))):
            raise SignalsError(f"{path} has a column {name!r}: did you mean {meant!r}?")


def _table(path: Path, columns: Mapping[str, Sequence[Any]], lines: Sequence[int]) -> AnswerColumns:
    kinds = {kind: [name for name in columns if name.startswith(prefix)] for kind, prefix in _PREFIXES.items()}
    outputs = _only_kind(path, [kind for kind, names in kinds.items() if names], columns)
    prefix = _PREFIXES[outputs]
    numbers = [_numbers(path, name, columns[name], lines) for name in kinds[outputs]]
    plain = {name: column for name, column in columns.items() if not name.startswith(prefix)}
    return AnswerColumns(
        path,
        outputs,
        tuple(name.removeprefix(prefix) for name in kinds[outputs]),
        np.stack(numbers, axis=1)[:, None],
        {name: column for name, column in plain.items() if name in _NAMED},
        {name: column for name, column in plain.items() if name not in _NAMED},
        lines,
    )


def _only_kind(path: Path, kinds: Sequence[Outputs], columns: Mapping[str, Any]) -> Outputs:
    if len(kinds) == 1:
        return kinds[0]
    received = "both" if kinds else ", ".join(columns)
    raise SignalsError(
        f"{path}: expected logit_<class> (or probability_<class>) for each class, or in an .npz logits (or "
        f"probabilities), received {received}"
    )


def _numbers(path: Path, name: str, column: Sequence[Any], lines: Sequence[int]) -> npt.NDArray[np.float64]:
    try:
        return np.asarray(column, np.float64)
    except (TypeError, ValueError, OverflowError):
        row = next(row for row, value in enumerate(column) if not _is_number(value))
        place = f"line {lines[row]}" if lines else f"row {row + 1}"
        raise SignalsError(f"{path}, {place}: {name} must be a number, received {column[row]!r}") from None


def _is_number(value: Any) -> bool:
    try:
        np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _npz(path: Path) -> AnswerColumns:
    arrays = read_npz(path)
    known = (*_PREFIXES, *_NAMED.values(), "classes")
    odd = [name for name in arrays if name not in known and not name.startswith(_ATTRIBUTE)]
    if odd:
        hint = did_you_mean(odd[0], known)
        raise SignalsError(f"{path} has an array {odd[0]!r} ({hint}); expected attribute_<name> for any other column")
    absent = next((name for name in ("classes", "labels") if name not in arrays), None)
    if absent is not None:
        raise SignalsError(f"{path} has no array {absent!r}: expected logits, labels and classes, received {[*arrays]}")
    outputs = _only_kind(path, [kind for kind in _PREFIXES if kind in arrays], arrays)
    values, rest = arrays[outputs], {name: array for name, array in arrays.items() if name not in _PREFIXES}
    for name, array in rest.items():
        if array.ndim != 1 or array.dtype.kind not in "biufUM":
            raise SignalsError(f"{path}: {name} must be one text or number a row, received {array.dtype} {array.shape}")
    classes = tuple(str(name) for name in rest["classes"].tolist())
    if values.ndim not in (2, 3) or values.dtype.kind != "f" or values.shape[-1] != len(classes):
        raise SignalsError(
            f"{path}: {outputs} must be float (N, {len(classes)}) or (N, Q, {len(classes)}), received "
            f"{values.dtype} {values.shape}"
        )
    return AnswerColumns(
        path,
        outputs,
        classes,
        values[:, None] if values.ndim == 2 else values,
        {name: rest[of].tolist() for name, of in _NAMED.items() if of in rest},
        {name.removeprefix(_ATTRIBUTE): rest[name].tolist() for name in rest if name.startswith(_ATTRIBUTE)},
    )


_READERS: Mapping[str, Callable[[Path], AnswerColumns]] = {".csv": _csv, ".parquet": _parquet, ".npz": _npz}
