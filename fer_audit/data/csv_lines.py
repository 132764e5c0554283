"""The lines of a csv that anyone may have written: what is wrong with it is told with the line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from fer_audit.plain_file import open_plain

#: Letters of a line. A face of FER2013 takes some 8,000; this leaves room for larger ones.
LONGEST = 1 << 24

#: Bytes of a csv: ten times those of FER2013, which holds its pixels as text.
MOST = 3 << 30

Line = tuple[int, list[str]]  #: number of the line, from 1, and its values


def csv_lines(path: Path, *, strict: bool = True) -> list[Line]:
    """The lines of the csv at `path` that are not empty, the header too; raises OSError or ValueError."""
    csv.field_size_limit(LONGEST)
    with open_plain(path, MOST) as opened, io.TextIOWrapper(opened, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(_checked(file), skipinitialspace=strict, strict=strict)
        try:
            return [(reader.line_num, row) for row in reader if row]
        except UnicodeDecodeError:
            raise ValueError(f"line {_not_text(path)} is not in UTF-8") from None
        except csv.Error as error:
            raise ValueError(f"line {reader.line_num}: {error}") from None


def csv_head(path: Path) -> list[str]:
    """The names in the first line of the csv at `path`; raises OSError or ValueError."""
    with open_plain(path, MOST) as opened, io.TextIOWrapper(opened, encoding="utf-8-sig", newline="") as file:
        try:
            return [name.strip() for name in next(csv.reader(_checked(file), skipinitialspace=True), [])]
        except UnicodeDecodeError:
            raise ValueError(f"line {_not_text(path)} is not in UTF-8") from None
        except csv.Error as error:
            raise ValueError(f"line 1: {error}") from None


def told(error: OSError | ValueError) -> str:
    """What an error of these functions says."""
    return str((isinstance(error, OSError) and error.strerror) or error)


def _checked(file: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a file, none of which is endless."""
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise ValueError(f"line {number}: more than {LONGEST:,} letters")
        if "\0" in line:
            raise ValueError(f"line {number}: a zero byte, which no text has")
        yield line


def _not_text(path: Path) -> int:
    """The first line that is not in UTF-8; lines are decoded in blocks, so that the reader does not know."""
    with open_plain(path, MOST) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 1
