"""Small text tables that datasets come with: csv files and lists of values between spaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_audit.data.csv_lines import MOST, csv_head, csv_lines, told
from fer_audit.data.images import refuse
from fer_audit.errors import DataError
from fer_audit.plain_file import read_plain


@dataclass(frozen=True)
class Row:
    """One line of a csv."""

    place: str  #: for errors
    values: dict[str, str]


def csv_rows(path: Path, required: Sequence[str], header: Sequence[str] | None = None) -> list[Row]:
    """The lines of the csv at `path`, without spaces around names and values; raises DataError.

    The first line is the header unless `header` is given.
    """
    try:
        lines = csv_lines(path)
    except (OSError, ValueError) as error:
        raise DataError(f"can't read {str(path)!r}: expected a csv in UTF-8. Received: {told(error)}") from None
    first = (lines.pop(0)[1] if lines else []) if header is None else header
    names = [name.strip() for name in first]
    missing = [name for name in required if name not in names]
    if missing:
        raise DataError(f"{path} has no column {missing[0]!r}: expected {', '.join(required)}; received {names}")
    uneven = [f"line {number}: {len(line)} values" for number, line in lines if len(line) != len(names)]
    refuse(str(path), uneven, f"{len(names)} values a line, as in the header")
    return [
        Row(f"{path}, line {number}", {name: value.strip() for name, value in zip(names, line, strict=True)})
        for number, line in lines
    ]


def csv_header(path: Path) -> list[str]:
    """The values of the first line of the csv at `path`; raises DataError."""
    try:
        return csv_head(path)
    except (OSError, ValueError) as error:
        raise DataError(f"can't read {str(path)!r}: expected a csv in UTF-8. Received: {told(error)}") from None


def spaced_lines(path: Path, values: int | None = None) -> Iterator[tuple[str, list[str]]]:
    """Place and values of each line of the text at `path` that isn't empty; raises DataError.

    Where `values` are given, each line must have so many.
    """
    try:
        text = read_plain(path, MOST).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataError(f"can't read {str(path)!r}: expected text in UTF-8. Received: {told(error)}") from None
    for number, line in enumerate(text.splitlines(), 1):
        found = line.split()
        if found:
            place = f"{path}, line {number}"
            if values is not None and len(found) != values:
                raise DataError(f"{place}: expected {values} values between spaces, received {line.strip()!r}")
            yield place, found
