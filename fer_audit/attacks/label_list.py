"""Published lists of labels: one row a line, its name and its label."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fer_audit.errors import DataError, did_you_mean
from fer_audit.plain_file import read_plain

_HEADER = ("image", "label")

_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class ListedLabel:
    """One line of a list."""

    place: str  #: for errors
    name: str
    label: str


def read_list(path: Path) -> list[ListedLabel]:
    """The lines of the list at `path` in their order; raises DataError.

    A line is `train_00001.jpg 5`, with spaces or a comma between name and label. A first line `image,label`, perhaps
    with further columns, is a header.
    """
    lines = _values(path)
    if not lines:
        raise DataError(f"{path} is empty: expected one line a row, its name and its label")
    header = [value.lower() for value in lines[0][1]]
    if "label" in header:
        missing = [name for name in _HEADER if name not in header]
        if missing:
            raise DataError(f"{lines[0][0]}: expected a header with {', '.join(_HEADER)}, received {lines[0][1]}")
        lines = lines[1:]
    columns = [header.index(name) for name in _HEADER] if "label" in header else [0, 1]
    width = len(header) if "label" in header else len(_HEADER)
    found = []
    for place, values in lines:
        if len(values) != width or not all(values[column] for column in columns):
            raise DataError(f"{place}: expected {width} values, a name and a label among them, received {values}")
        found.append(ListedLabel(place, *(values[column] for column in columns)))
    return found


def _values(path: Path) -> list[tuple[str, list[str]]]:
    """Place and values of each line that isn't empty."""
    try:
        text = read_plain(path, _MOST_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"no list at {str(path)!r}: expected `path` relative to the folder of the grid") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"can't read {str(path)!r}: expected text in UTF-8. Received: {error}") from None
    lines = [(f"{path}, line {number}", line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    # One line decides: a comma in the name of a single image must not make a csv of a list with spaces.
    split = _comma_separated if lines and "," in lines[0][1] else _spaced
    found = []
    for place, line in lines:
        try:
            found.append((place, split(line)))
        except csv.Error as error:
            raise DataError(f"{place}: {error}; expected a name and a label") from None
    return found


def _comma_separated(line: str) -> list[str]:
    return [value.strip() for value in next(csv.reader([line], skipinitialspace=True))]


def _spaced(line: str) -> list[str]:
    """Name and label; a name may hold spaces."""
    return [value.strip() for value in line.rsplit(maxsplit=1)]


@dataclass(frozen=True)
class LabelNames:
    """What the labels of a list stand for: names of `classes`, or codes of a `table`."""

    classes: tuple[str, ...]
    table: Mapping[str, str]  #: label as it is written -> name of the class; empty where names are written
    known: tuple[str, ...]  #: names of tables that may be asked for

    def index(self, listed: ListedLabel) -> int:
        """Index of the class of a line; raises DataError."""
        name = self.table.get(_code(listed.label), listed.label)
        found = self._indices.get(name.lower())
        if found is None:
            raise DataError(f"{listed.place}: {self._unknown(listed.label)}")
        return found

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {name.lower(): index for index, name in enumerate(self.classes)}

    def _unknown(self, label: str) -> str:
        if _code(label) in self.table:
            name = self.table[_code(label)]
            return f"label {label!r} stands for {name!r}, which is no class of the dataset: {', '.join(self.classes)}"
        if self.table:
            codes = ", ".join(f"{code} {each}" for code, each in self.table.items())
            return f"expected a label of `codes` ({codes}), received {label!r}"
        if _code(label).lstrip("-").isdigit():
            tables = "".join(f"`codes: {table}`, " for table in self.known)
            return (
                f"label {label!r} is a number, and its order can't be guessed: set {tables}or `codes:` to the names in "
                f"the order of the codes from 0"
            )
        return f"label {label!r} is no class of the dataset: {did_you_mean(label, self.classes)}"


def _code(label: str) -> str:
    """A label as a code table writes it: `5` for `5.0` and `05`."""
    try:
        number = float(label)
    except ValueError:
        return label
    return str(int(number)) if number.is_integer() else label
